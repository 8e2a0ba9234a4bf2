"""The laws that hold whatever daemons, operators and time do, in any order."""

from __future__ import annotations

import json
from typing import Any

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from fleetctl.pools.overseer import holds, orders, states
from fleetctl.pools.overseer.eventlog import encode
from fleetctl.pools.overseer.keeping import kept, restore
from fleetctl.pools.overseer.kinds import Kind
from fleetctl.pools.overseer.pools import NEVER, Pool, Slot
from tests.pools.overseer.world import BEAT, BUSY, DOWN, IDLE, NAP, READY, World

NAMES = ("acme/task", "acme/pull", "bolt/task")
KINDS = (
    {"min": 0, "max": 4},
    {"min": 1, "max": 2, "watchdog": 10},
    {"min": 0, "max": 1, "on_clean_exit": "hibernate"},
    {"min": 0, "max": 2, "on_clean_exit": "done", "queue": "q"},
    {"min": 0, "max": 1, "at_start": "asleep"},
    {"min": 2, "max": 3, "ready": "exec"},
)
SAID = (READY, BUSY, IDLE, NAP, DOWN, BEAT, {"WATCHDOG": "trigger"}, {"X_FLEETCTL_ERRORS": "3"})
pools = st.sampled_from(NAMES)


class Hosts(RuleBasedStateMachine):
    """A host with three pools, to which anything may happen."""

    def __init__(self) -> None:
        super().__init__()
        self.world = World(tokens=2)
        self.kinds = dict.fromkeys(NAMES, 0)
        self.roomy = True
        self.world.core.fits = lambda _pool, _starting: self.roomy
        self.failures: list[tuple[float, str]] = []
        self.stopped: dict[str, int] = {}
        """Pools that may not start -> how often they had been started by then."""
        self._configure()

    def _configure(self) -> None:
        wanted = {
            name: Kind(name.partition("/")[2], {"command": ("x",), **KINDS[kind]})
            for name, kind in self.kinds.items()
        }
        self.world.configure(wanted)

    def _pool(self, name: str) -> Pool:
        return self.world.core.book.pools[name]

    def _slots(self) -> list[Slot]:
        return sorted(self.world.processes, key=lambda slot: (slot.pool.name, slot.number))

    @rule(seconds=st.sampled_from((0.1, 1, 5, 20, 70, 400)))
    def time_passes(self, seconds: float) -> None:
        self.world.pass_s(seconds, step_s=1.0 if seconds < 30 else 10.0)

    @precondition(lambda self: self.world.processes)
    @rule(which=st.integers(0, 9), message=st.sampled_from(SAID))
    def a_daemon_speaks(self, which: int, message: dict[str, str]) -> None:
        slots = self._slots()
        self.world.told(slots[which % len(slots)], message)

    @precondition(lambda self: self.world.processes)
    @rule(which=st.integers(0, 9), code=st.sampled_from((0, 0, 1, 78, None)))
    def a_daemon_ends(self, which: int, code: int | None) -> None:
        slots = self._slots()
        slot = slots[which % len(slots)]
        self.world.exited(slot, code, 9 if code is None else None)
        if slot.state in states.TROUBLED:
            self.failures.append((self.world.now, slot.pool.name))

    @rule(name=pools, seq=st.integers(0, 5))
    def work_appears(self, name: str, seq: int) -> None:
        self.world.attention(self._pool(name), seq)

    @rule(name=pools, claimable=st.integers(0, 6))
    def the_queue_is_counted(self, name: str, claimable: int) -> None:
        self.world.counted(self._pool(name), claimable)

    @rule(name=pools, kind=st.integers(0, len(KINDS) - 1))
    def the_specs_change(self, name: str, kind: int) -> None:
        self.kinds[name] = kind
        self._configure()

    @rule(roomy=st.booleans())
    def memory_is_short_or_not(self, roomy: bool) -> None:
        self.roomy = roomy

    @rule(name=pools, order=st.sampled_from(("pause", "drain", "resume", "hibernate", "retry")))
    def an_operator_speaks(self, name: str, order: str) -> None:
        core, pool, now = self.world.core, self._pool(name), self.world.now
        words: tuple[Any, ...] = ("why",) if order in ("pause", "drain", "resume") else ()
        getattr(orders, order)(core, pool, now, *words)
        self.world.settle()

    @rule(name=pools, bounds=st.sampled_from((None, (0, 1), (1, 1), (0, 4), (2, 3))))
    def an_operator_wants_more_or_less(self, name: str, bounds: tuple[int, int] | None) -> None:
        orders.scale(self.world.core, self._pool(name), self.world.now, bounds)
        self.world.settle()

    @rule(name=pools)
    def an_operator_has_no_time(self, name: str) -> None:
        orders.hibernate(self.world.core, self._pool(name), self.world.now, interrupt=True)
        self.world.settle()

    @rule(name=pools, token=st.sampled_from("ab"), order=st.sampled_from(("hold", "restart")))
    def somebody_asks_under_a_token(self, name: str, token: str, order: str) -> None:
        words = ("why",) if order == "hold" else ()
        getattr(holds, order)(self.world.core, self._pool(name), token, self.world.now, *words)
        self.world.settle()

    @rule(name=pools, token=st.sampled_from("ab"))
    def a_token_is_released(self, name: str, token: str) -> None:
        orders.release(self.world.core, self._pool(name), token, self.world.now)
        self.world.settle()

    @invariant()
    def nothing_starts_that_is_held(self) -> None:
        """H4: from the moment somebody says stop until everybody who did has said go."""
        for name, pool in self.world.core.book.pools.items():
            starts = sum(started == name for _, started in self.world.starts)
            if self.world.core.may_start(pool):
                self.stopped.pop(name, None)
            else:
                assert starts == self.stopped.setdefault(name, starts)

    @invariant()
    def no_pool_has_more_places_taken_than_it_may(self) -> None:
        """H1: what a smaller maximum leaves over is busy, being stopped, or gone."""
        for pool in self.world.core.book.pools.values():
            for slot in pool.slots[pool.most :]:
                assert slot.state in (states.STOPPING, states.EMPTY, states.BUSY), slot.state

    @invariant()
    def every_process_has_one_slot(self) -> None:
        """H6: a slot that is live has its process, any other has none (also asserted on start)."""
        live = {s for p in self.world.core.book.pools.values() for s in p.slots if s.life}
        assert live == set(self.world.processes)

    @invariant()
    def nobody_sleeps_or_rests_for_ever(self) -> None:
        """H3: whoever has no process has a time at which it is looked at, or stands in line."""
        for pool in self.world.core.book.pools.values():
            for slot in pool.slots:
                if slot.state in (states.HIBERNATING, *states.TROUBLED):
                    queued = slot in self.world.core.starts or not self.world.core.may_start(pool)
                    assert queued or slot.until < NEVER
                    assert queued or slot.timer <= slot.until

    @invariant()
    def no_pool_is_forgotten(self) -> None:
        """H3: a pool that may start has a process or a time to be looked at, or is done."""
        for pool in self.world.core.book.pools.values():
            queued = any(slot in self.world.core.starts for slot in pool.slots)
            done = pool.kind.on_clean_exit == "done"
            owed = pool in self.world.core.owing
            if self.world.core.may_start(pool) and not (queued or done or owed):
                assert any(slot.state != states.EMPTY for slot in pool.slots), pool.name

    @invariant()
    def nothing_is_owed_that_cannot_be_paid(self) -> None:
        """What a pool had is given back within the places it has now."""
        for pool in self.world.core.book.pools.values():
            if pool.held is not None and self.world.core.may_start(pool):
                assert all(number < pool.most for number in pool.held.awake)

    @invariant()
    def work_is_seen_to(self) -> None:
        """H2: attention nobody looked at has a process, a place in the line, or a reason."""
        for pool in self.world.core.book.pools.values():
            if pool.pending and self.world.core.may_start(pool):
                states_now = {slot.state for slot in pool.slots}
                queued = any(slot in self.world.core.starts for slot in pool.slots)
                assert queued or states_now & {*states.LIVE, *states.TROUBLED}

    @invariant()
    def side_effects_are_bounded(self) -> None:
        """H5: no slot fails more often in a window than its budget and the probes allow."""
        for pool in self.world.core.book.pools.values():
            for slot in pool.slots:
                assert slot.trouble is None or len(slot.trouble.times) <= 8

    @invariant()
    def the_log_alone_gives_the_state(self) -> None:
        """H9: replaying the records gives every pool and slot as they are."""
        replayed = self.world.replayed()
        for name, pool in self.world.core.book.pools.items():
            told = replayed.pools[name]
            assert _picture(told) == _picture(pool)

    @invariant()
    def a_log_begun_anew_gives_the_same(self) -> None:
        """What is kept when the log is put aside, through JSON and back, is every pool as it is."""
        book = self.world.core.book
        for name, pool in book.pools.items():
            told = Pool(name, pool.kind)
            record = kept(pool, [], self.world.now)
            if record is not None:
                restore(told, json.loads(encode(record, 0.0)))
            assert _picture(told) == _picture(pool)


def _picture(pool: Pool) -> object:
    """What of a pool must survive, but sleepers that follow from the specs."""
    slots = [
        (s.number, s.state, s.cause, _life(s), _times(s))
        for s in pool.slots
        if s.state not in (states.EMPTY, states.HIBERNATING)
    ]
    held = pool.held and (pool.holds, pool.held.awake, pool.held.stale, pool.held.asked)
    said = (pool.intent, pool.note, held)
    return (said, pool.seen, pool.latest, pool.hint, pool.wanted_at, slots)


def _life(slot: Slot) -> object:
    life = slot.life
    return life and (life.pid, life.generation, life.called, life.ending, life.forced)


def _times(slot: Slot) -> object:
    trouble = slot.trouble
    return trouble and (trouble.attempt, trouble.probes, trouble.times)


def test_a_pool_that_is_done_looks_again_when_its_specs_say_otherwise() -> None:
    """It had run once and was done with; of another kind it would have stood there for ever."""
    world = World()
    pool = world.add(on_clean_exit="done")
    world.exited(pool.slot(0))
    world.pass_s(100)
    assert not world.processes
    world.add(on_clean_exit="restart")
    assert [slot.state for slot in pool.slots] == [states.STARTING]


TestHosts = Hosts.TestCase
TestHosts.settings = settings(max_examples=60, stateful_step_count=40, deadline=None)


def test_nothing_starts_after_the_end_began() -> None:
    """H4: with daemons napping, resting, failing and in line, `close` starts none any more."""
    world = World(tokens=1)
    for number in range(6):
        world.add(f"i{number}/task")
    first = next(iter(world.processes))
    world.told(first, READY, NAP)
    world.attention(first.pool)
    orders.close(world.core, world.now)
    started = len(world.starts)
    for slot in list(world.processes):
        world.exited(slot)
    world.pass_s(1000)
    for pool in world.core.book.pools.values():
        world.attention(pool)
    assert len(world.starts) == started
    assert not world.processes
