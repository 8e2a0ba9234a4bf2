"""The reducer: what happened goes in, records and commands come out; time and chance are arguments.

Whatever changes a pool is a record, applied here and written down by the program before it carries
out the commands. The other files of the core (`lives`, `orders`, `ticks`) are its larger events.
"""

from __future__ import annotations

import heapq

from fleetctl.pools.overseer import endings, exits, failures, holds, states
from fleetctl.pools.overseer.book import LOOKS_WITHIN_S, Book
from fleetctl.pools.overseer.endings import GENTLY, SPARED_MOST, STEPS
from fleetctl.pools.overseer.pools import NEVER, RUN, Life, Pool, Slot
from fleetctl.pools.overseer.starts import Start, Starts
from fleetctl.pools.overseer.states import HIBERNATING, LIVE, STARTERS, STARTING, STOPPING, TABLE

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

    from fleetctl.pools.overseer.book import Record

SPAWN = "spawn"
STRIKE = "strike"
EXCUSES_MOST = 12
"""So many quarters of its time a silent daemon is given while the host is short of everything."""
STORM_PATIENCE_S = 60.0
"""So long a storm that finds no memory but the reserve stands still."""
_TOKEN_HELD_S = 5.0
"""A start that takes longer no longer keeps others from theirs."""


class Core:
    """All pools of a host and what is due for them; mutable, deterministic, without a clock."""

    def __init__(self, chance: Callable[[], float], tokens: int = 4) -> None:
        self.book = Book()
        self.records: list[Record] = []
        """What changed, for the log; whoever drives takes them out."""
        self.commands: list[tuple[Any, ...]] = []
        """`(SPAWN, slot)` and `(STRIKE, slot, signal, whole group)`, in order."""
        self.awake: dict[Pool, None] = {}
        """Pools with a process: all that a tick looks at."""
        self.claimable: dict[Pool, None] = {}
        """Pools with tasks that nobody had taken when they were counted last."""
        self.bounded: dict[Pool, float] = {}
        """Pools whose present intent ends at a time."""
        self.owing: dict[Pool, None] = {}
        """Pools that are to get back processes they had."""
        self.starts = Starts()
        self.starting: dict[Slot, None] = {}
        self.closing = False
        """The overseer itself ends: nothing starts any more."""
        self.floor_reached = False
        """So little memory is free that nothing may start."""
        self.fits: Callable[[Pool, int], bool] = lambda _pool, _starting: True
        """Whether one more process of a pool leaves the memory reserve alone."""
        self.starved = False
        """The host is short of processor or memory: what looks hung may merely be slow."""
        self.wakes: list[tuple[Slot, float]] = []
        """Slots that became ready, with the seconds since somebody asked; for the histogram."""
        self._asked: dict[Slot, float] = {}
        self.bites_held = 0
        """How often a watchdog was held back, because there had been too many."""
        self._bites: list[float] = []
        self.tokens = tokens
        """How many may be starting at once."""
        self._chance = chance
        self._timers: list[tuple[float, int, Slot]] = []
        self._count = 0

    # -- records ---------------------------------------------------------------------------

    def note(self, record: Record) -> None:
        """Make it so, and remember to write it down."""
        self.book.apply(record)
        self.records.append(record)

    def move(self, slot: Slot, trigger: str, now: float, cause: str = "", **more: Any) -> None:
        """Follow one arrow of the table; `until` goes in as `u`, what else a record has by name."""
        was_starting = slot.state == STARTING
        self.note(
            {
                **{"t": now, "e": "move", "p": slot.pool.name, "n": slot.number, "x": trigger},
                **{"to": states.after(slot.state, trigger), "c": cause, **more},
            }
        )
        self.starts.drop(slot)
        if slot.state in LIVE:
            self.awake[slot.pool] = None
        elif not slot.pool.live():
            self.awake.pop(slot.pool, None)
        if slot.state == STARTING:
            self.starting[slot] = None
        elif was_starting or slot.state not in LIVE:
            self.starting.pop(slot, None)
        if slot.state not in LIVE:
            self._asked.pop(slot, None)
        self.arm(slot)

    # -- timers ----------------------------------------------------------------------------

    def arm(self, slot: Slot) -> None:
        """See that the slot is looked at when something is due. Later is found out by then."""
        due = deadline(slot)
        if due < slot.timer:
            slot.timer = due
            self._count += 1
            heapq.heappush(self._timers, (due, self._count, slot))

    def next_due(self) -> float:
        """When `fire` has something to do, at the earliest."""
        return self._timers[0][0] if self._timers else NEVER

    def fire(self, now: float) -> None:
        """Do what is due."""
        while self._timers and self._timers[0][0] <= now:
            time, _, slot = heapq.heappop(self._timers)
            if time != slot.timer:
                continue
            slot.timer = NEVER
            if deadline(slot) <= now:
                self._fall_due(slot, now, late=now - time)
            self.arm(slot)

    def _fall_due(self, slot: Slot, now: float, late: float) -> None:
        """One slot's time has come."""
        if slot.state == STARTING:
            self.stop(slot, states.OVERDUE, states.START_TIMEOUT, now)
        elif slot.state in (states.IDLE, states.BUSY):
            self._check(slot, now, late)
            endings.at_rest(self, slot, now)
        elif slot.state in (states.NAPPING, states.LEAVING):
            self.stop(slot, states.HANGS, states.HANG, now)
        elif slot.state == STOPPING:
            self.strike(slot, now)
        else:
            slot.until = NEVER
            self.want(slot, STARTERS[slot.state], slot.cause, now)

    def _check(self, slot: Slot, now: float, late: float) -> None:
        """A working process: is it well by now, or has it not been heard of?"""
        life, watchdog = slot.life, slot.pool.kind.watchdog
        assert life is not None
        if watchdog and life.beat + watchdog <= now:
            slow = (self.starved or late > watchdog / 4) and life.excused < EXCUSES_MOST
            life.excused += slow
            if not slow and self._may_bite(now):
                self.stop(slot, states.HANGS, states.HANG, now)
                return
            life.beat = now - watchdog * 3 / 4  # who is slow here may be we
        if slot.trouble is not None and life.ready_at + failures.STABLE_S <= now:
            self.note({"t": now, "e": "stable", "p": slot.pool.name, "n": slot.number})

    def _may_bite(self, now: float) -> bool:
        """Whether a watchdog may end one more process of this host."""
        self._bites = [at for at in self._bites if at > now - failures.BITES_WITHIN_S]
        live = sum(len(pool.live()) for pool in self.awake)
        if len(self._bites) >= failures.bites_most(live):
            self.bites_held += 1
            return False
        self._bites.append(now)
        return True

    # -- starting --------------------------------------------------------------------------

    def may_start(self, pool: Pool) -> bool:
        """Neither an operator nor our own end keeps this pool from starting."""
        return pool.usual and not self.closing

    def want(
        self, slot: Slot, trigger: str, cause: str, asked_at: float, *, grows: bool = False
    ) -> None:
        """Put a start (or a reload, which is a stop and a start) in line."""
        if self.may_start(slot.pool) and (slot.state, trigger) in TABLE:
            self.starts.push(slot, Start(trigger, cause, asked_at, grows=grows))

    def pump(self, now: float) -> None:
        """Start what is next in line, as far as tokens and memory go."""
        for slot in [s for s in self.starting if s.since + _TOKEN_HELD_S <= now]:
            del self.starting[slot]
        self.starts.turn()
        while not self.floor_reached and len(self.starting) < self.tokens + self.starts.long:
            full = len(self.starting) >= self.tokens
            first = self.starts.pop(late=full or not self._has_room(now))
            if first is None:
                return
            slot, start = first
            if not self.may_start(slot.pool) or (slot.state, start.trigger) not in TABLE:
                continue
            if slot.number >= slot.pool.most:
                continue
            if start.grows and not self.fits(slot.pool, len(self.starting)):
                continue  # the law asks again while there is need, a tick for what is owed
            if start.trigger == states.RELOAD:
                self.starting[slot] = None
                self.stop(slot, states.RELOAD, states.RELOADED, now)
            else:
                self.launch(slot, start.trigger, start.cause, now, asked_at=start.asked_at)

    def _has_room(self, now: float) -> bool:
        """Whether a long line may go on: a storm leaves the memory reserve alone.

        A single pool's first process need not; so those that stood there for long go one by one.
        """
        first = self.starts.peek()
        if not self.starts.long or first is None:
            return True
        patient = first[1].asked_at + STORM_PATIENCE_S > now
        return self.fits(first[0].pool, len(self.starting)) or not (patient or self.starting)

    def launch(
        self, slot: Slot, trigger: str, cause: str, now: float, *, asked_at: float | None = None
    ) -> None:
        """Put a process into the slot."""
        kind = slot.pool.kind
        self.move(slot, trigger, now, cause, g=kind.generation)
        life = slot.life
        assert life is not None
        life.deadline = now + kind.start_timeout
        self._asked[slot] = now if asked_at is None else asked_at
        self.arm(slot)
        self.commands.append((SPAWN, slot))
        for other in slot.pool.slots:
            if other.state == HIBERNATING:  # its deadline is the new process's to tell
                self.move(other, states.STOP, now, states.SCALE_DOWN)

    def spawned(self, slot: Slot, pid: int, born: int, now: float) -> None:
        """The process is there."""
        self.note(
            {
                **{"t": now, "e": "born", "p": slot.pool.name, "n": slot.number},
                **{"pid": pid, "born": born},
            }
        )
        if slot.pool.kind.ready == "exec" and slot.state == STARTING:
            self.ready(slot, now)

    def ready(self, slot: Slot, now: float) -> None:
        """The process says it can work."""
        life = slot.life
        assert life is not None
        life.ready_at = life.beat = now
        asked = self._asked.pop(slot, now)
        self.wakes.append((slot, now - asked))
        silent = slot.pool.kind.ready == "exec"  # it is idle, whatever it does
        more: dict[str, Any] = {"l": 1} if silent else {}
        self.move(slot, states.READY, now, **more)
        holds.turn_over(self, slot.pool, now)

    # -- ending ----------------------------------------------------------------------------

    def stop(
        self, slot: Slot, trigger: str, cause: str, now: float, *, forced: bool = False
    ) -> None:
        """Begin to end the process of a slot; `forced`: whatever it works on, or will."""
        self.move(slot, trigger, now, cause, **({"f": 1} if forced else {}))
        life = slot.life
        assert life is not None
        life.step = int(life.spared >= SPARED_MOST and STEPS[cause] is GENTLY)
        self.strike(slot, now)
        self.arm(slot)

    def strike(self, slot: Slot, now: float) -> None:
        """Take the next step towards the end."""
        life = slot.life
        assert life is not None
        steps = STEPS[slot.cause]
        signal, group, wait_s = steps[min(life.step, len(steps) - 1)]
        life.step += 1
        life.struck = True
        life.deadline = now + (slot.pool.kind.stop_grace if wait_s < 0 else wait_s)
        self.commands.append((STRIKE, slot, signal, group))

    def cannot_spawn(self, slot: Slot, why: str, now: float, *, passing: bool = False) -> None:
        """It could not be started; unless that is `passing`, another try would not help."""
        self.say(slot.pool, now, why)
        trigger = states.DIED if passing else states.UNSTARTABLE
        self._fail(slot, trigger, states.EXEC_ERROR, now)

    def exited(self, slot: Slot, ended: exits.Ended, now: float) -> None:
        """The process of a slot is gone."""
        trigger, cause = exits.judge(slot, ended)
        put_to_sleep = slot.state == STOPPING and trigger == states.SLEPT
        more = {"code": ended.code, "sig": ended.signal} if ended.known else {}
        if trigger in (states.DIED, states.UNSTARTABLE):
            self._fail(slot, trigger, cause, now, **more)
        elif trigger in (states.WOKEN, states.AGAIN):
            self._go_on(slot, trigger, cause, now)
        elif trigger == states.SLEPT:
            self._sleep(slot, cause, now)
        else:
            self.move(slot, trigger, now, cause, **more)
        pool = slot.pool
        if put_to_sleep and pool.claimable is not None and pool.claimable[1] and not pool.hint:
            self.note({"t": now, "e": "attention", "p": pool.name})  # its source may tell but once
        self.settle(pool, now)

    def lost(self, slot: Slot, now: float) -> None:
        """A process that should be there is not, and nobody saw it end."""
        if slot.state == STARTING and slot.life is not None and not slot.life.pid:
            self.commands.append((SPAWN, slot))  # it was decided, and had not been done
        else:
            self.exited(slot, exits.Ended(), now)

    def _fail(self, slot: Slot, trigger: str, cause: str, now: float, **more: Any) -> None:
        """Rest after an error; longer each time, and for long when the budget is spent."""
        trouble = slot.trouble
        attempt, probes = (trouble.attempt, trouble.probes) if trouble else (0, 0)
        if trigger == states.UNSTARTABLE:
            self.move(slot, trigger, now, cause, u=now + failures.probe_s(probes), **more)
            return
        rest_s = failures.delay_s(attempt + 1, self._chance())
        self.move(slot, trigger, now, cause, u=now + rest_s, **more)
        trouble = slot.trouble
        assert trouble is not None
        if failures.spent(trouble.times, trouble.probes):
            self.move(slot, states.SPENT, now, cause, u=now + failures.probe_s(trouble.probes))

    def _go_on(self, slot: Slot, trigger: str, cause: str, now: float) -> None:
        """Start anew at once, unless nothing may start any more."""
        if self.may_start(slot.pool):
            asked = slot.pool.wanted_at or now
            self.launch(slot, trigger, cause, now, asked_at=asked)
        elif trigger == states.WOKEN:
            self._sleep(slot, cause, now)
        else:
            self.move(slot, states.LEFT, now, cause)

    def _sleep(self, slot: Slot, cause: str, now: float) -> None:
        """Hibernate until the time it named, never longer than its kind may."""
        life, kind = slot.life, slot.pool.kind
        announced = life.announced if life else 0.0
        rest_s = min(announced, kind.max_sleep) if announced > 0 else kind.max_sleep
        self.move(slot, states.SLEPT, now, cause, u=now + rest_s)

    # -- pools -----------------------------------------------------------------------------

    def settle(self, pool: Pool, now: float) -> None:
        """Bring a pool to what it should have at least; forget one that nobody names."""
        if pool.intent != RUN:
            self._let_go(pool, now)
        if pool.down:
            holds.settle_down(self, pool, now)
        if not self.may_start(pool):
            return
        for slot in map(pool.slot, range(pool.least)):
            self.want(slot, states.WAKE if slot.state == HIBERNATING else states.NEED, "", now)
        if (pool.pending and not pool.works) or pool.bare:
            self.rouse(pool, now)
        if pool.held is not None:
            holds.go_on(self, pool, now)

    def _let_go(self, pool: Pool, now: float) -> None:
        """A pool that is gone from the specs is forgotten with its last process."""
        if pool.intent == "gone" and not pool.live():
            self.note({"t": now, "e": "forgotten", "p": pool.name})

    def rouse(self, pool: Pool, now: float) -> None:
        """There is work and nobody who would see it: start one.

        While one rests from errors only one that sleeps, for that ended well when it ran last.
        """
        if any(slot.state == STARTING for slot in pool.slots):
            return
        free = vacancies(pool)
        if any(slot.state in states.TROUBLED for slot in pool.slots):
            free = [slot for slot in free if slot.state == HIBERNATING]
        if free:
            slot, asked = free[0], pool.wanted_at or now
            self.want(slot, STARTERS[slot.state], states.HIBERNATE, asked)

    def say(self, pool: Pool, now: float, what: str) -> None:
        """Something for the log alone."""
        self.note({"t": now, "e": "said", "p": pool.name, "what": what})


def vacancies(pool: Pool) -> list[Slot]:
    """The slots a process can be put into at once, the lowest first."""
    slots = [pool.slot(number) for number in range(pool.most)]
    return [slot for slot in slots if slot.state in (states.EMPTY, HIBERNATING)]


def deadline(slot: Slot) -> float:
    """When something is due for a slot although nothing happens."""
    life = slot.life
    if life is None:
        return slot.until
    if slot.state not in (states.IDLE, states.BUSY):
        return life.deadline
    watchdog = slot.pool.kind.watchdog
    due = life.beat + watchdog if watchdog else NEVER
    if life.ending and slot.state == states.IDLE:  # that long it may take to look
        due = min(due, slot.since + LOOKS_WITHIN_S)
    return min(due, life.ready_at + failures.STABLE_S) if slot.trouble is not None else due


__all__ = ["SPAWN", "STRIKE", "Core", "Life", "deadline", "vacancies"]
