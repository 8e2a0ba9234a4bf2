"""What the records say: applying one changes a pool, and nothing else does.

So the state can be had again from the log, live and after a crash alike.
"""

from __future__ import annotations

from bisect import bisect_right

from fleetctl.pools.overseer import failures, keeping, standing
from fleetctl.pools.overseer.pools import (
    GONE,
    NEVER,
    NO_PLACES,
    RUN,
    Held,
    Life,
    Pool,
    Slot,
    Trouble,
)
from fleetctl.pools.overseer.states import (
    BACKOFF,
    BUSY,
    EMPTY,
    ERRORS,
    FAILED,
    HIBERNATING,
    IDLE,
    LEAVE,
    LEFT,
    LIVE,
    NAP,
    RESTS,
    RETRY,
    SLEPT,
    SPENT,
    STARTING,
    STOPPED,
    STOPPING,
    TAKES,
    TROUBLED,
    WORKING,
    after,
)

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

    from fleetctl.pools.overseer.standing import Standing

    Record = dict[str, Any]

ERRORS_KEPT = 1000
ERRORS_WITHIN_S = 900.0
LOOKS_WITHIN_S = 10.0
"""A daemon that says nothing of its work is believed to have looked so long after it was ready."""
_LOOKS = frozenset((TAKES, RESTS, NAP, LEAVE))
"""What a daemon says only when it has looked."""


class Book:
    """All pools, and what happened lately."""

    __slots__ = ("errors", "pools", "standing")

    def __init__(self) -> None:
        self.pools: dict[str, Pool] = {}
        self.errors: dict[str, list[float]] = {}
        """Pool -> when its errors were, newest last; only pools that had some."""
        self.standing: dict[str, Standing] = {}
        """Token -> what is held under it, pools that come later included."""

    def apply(self, record: Record) -> None:
        """Take a record's word. Records of pools nobody knows any more are passed over."""
        pool = self.pools.get(record.get("p", ""))
        if pool is not None:
            _APPLY[record["e"]](self, pool, record)
        elif record.get("e") in standing.APPLY:
            standing.APPLY[record["e"]](self, record)

    def errors_lately(self, name: str, now: float) -> int:
        """How many errors a pool had in the last 15 minutes."""
        times = self.errors.get(name)
        if times is None:
            return 0
        return len(times) - bisect_right(times, now - ERRORS_WITHIN_S)

    def blame(self, name: str, now: float, count: int = 1) -> None:
        """Count errors of a pool."""
        known = [time for time in self.errors.get(name, ()) if time > now - ERRORS_WITHIN_S]
        self.errors[name] = (known + [now] * min(count, ERRORS_KEPT))[-ERRORS_KEPT:]


def _move(book: Book, pool: Pool, record: Record) -> None:
    """A slot goes from one state to the next."""
    slot = pool.slot(record["n"])
    before, trigger, now = slot.state, record["x"], record["t"]
    _see(pool, slot, record)
    slot.state = after(before, trigger)
    slot.cause = record.get("c", "")
    if slot.state != before or slot.state == HIBERNATING:
        slot.since = now
    slot.until = record.get("u", NEVER)
    if slot.state == STARTING:
        slot.life = Life(record["g"], now)
        slot.life.called = pool.wanted_at or now
        pool.cover()
    elif slot.state not in LIVE:
        slot.life = None
    if slot.state == BUSY and before != STOPPING:  # one that is to end looks no more
        pool.cover()
    if trigger == NAP:
        _nap(pool, slot, record)
    _reckon(slot, trigger, now)
    if pool.held is not None:
        _pay(pool, pool.held, slot)
    if slot.state in (BACKOFF, FAILED) and (slot.cause in ERRORS) != (trigger == SPENT):
        book.blame(pool.name, now)  # a warning that spends the budget is an error at last


def _see(pool: Pool, slot: Slot, record: Record) -> None:
    """What a move that is about to be made says of the process: has it looked, is it to end?"""
    life, before, trigger = slot.life, slot.state, record["x"]
    if life is None:
        return
    if trigger in _LOOKS or "l" in record or looked(slot, record["t"]):
        life.called = 0.0
    if trigger == TAKES and before == STOPPING:
        life.ending, life.struck = slot.cause, True
    if "f" in record:
        life.forced = True
    owed = pool.held is not None and slot.number in pool.held.awake
    if before == STOPPING and trigger in (SLEPT, LEFT) and life.called and not owed:
        pool.hint, pool.wanted_at = True, pool.wanted_at or life.called


def looked(slot: Slot, now: float) -> bool:
    """Whether a process has looked for work since it was started, as far as can be known."""
    life = slot.life
    if life is None or not life.called:
        return True
    return slot.state == IDLE and slot.since + LOOKS_WITHIN_S <= now


def _finish(_: Book, pool: Pool, record: Record) -> None:
    """A process is to end when it rests, or not any more."""
    life = pool.slot(record["n"]).life
    if life is not None:
        life.ending = record["c"]


def _pay(pool: Pool, held: Held, slot: Slot) -> None:
    """What is owed a place is done with its start, or with an error, which has its own times."""
    if slot.state == STARTING or slot.state not in LIVE:
        held.stale -= {slot.number}
    free = pool.intent == RUN and not held.holds
    if free and slot.state in (STARTING, BACKOFF, FAILED):
        held.awake -= {slot.number}
    _let_go(pool, held)


def _let_go(pool: Pool, held: Held) -> None:
    """A pool that sleeps again, and is owed nothing, costs no more than others."""
    if held.holds or held.awake or held.stale:
        return
    if all(slot.state in (EMPTY, HIBERNATING) for slot in pool.slots):
        pool.held = None


def _nap(pool: Pool, slot: Slot, record: Record) -> None:
    """A daemon will look once more after this, or told up to where it has looked."""
    assert slot.life is not None
    slot.life.announced = record.get("for", 0.0)
    if "seen" in record:
        pool.seen = max(pool.seen, record["seen"])
        slot.life.cursor = True
    else:
        pool.cover()


def _reckon(slot: Slot, trigger: str, now: float) -> None:
    """Failures in a row, the times of the latest, probes in vain."""
    if trigger == RETRY:
        slot.trouble = None
    elif trigger == SPENT:
        slot.trouble = slot.trouble or Trouble()
        slot.trouble.probes += 1
    elif slot.state in (BACKOFF, FAILED):
        trouble = slot.trouble = slot.trouble or Trouble()
        trouble.attempt += 1
        trouble.times = [*failures.within(trouble.times, now), now]
        trouble.probes += slot.state == FAILED
    elif slot.state not in LIVE and slot.trouble is not None:
        # It ended well. Failures within the window still count, or a pool that naps between two
        # failures would never spend its budget.
        slot.trouble.times = failures.within(slot.trouble.times, now)
        if not slot.trouble.times:
            slot.trouble = None


def _born(_: Book, pool: Pool, record: Record) -> None:
    """A process is in the slot."""
    life = pool.slot(record["n"]).life
    if life is not None:
        life.pid, life.born = record["pid"], record["born"]


def _stable(_: Book, pool: Pool, record: Record) -> None:
    """It has been well for long enough: its failures are forgotten."""
    pool.slot(record["n"]).trouble = None


def _attention(_: Book, pool: Pool, record: Record) -> None:
    """Somebody says there is work."""
    pool.latest = max(pool.latest, record.get("seq", 0))
    pool.hint = pool.hint or "seq" not in record
    pool.wanted_at = pool.wanted_at or record["t"]


def _intent(_: Book, pool: Pool, record: Record) -> None:
    """An operator, or the specs, want it otherwise."""
    pool.intent = record["to"]
    usual = pool.intent in (RUN, GONE)
    pool.note = None if usual else (record.get("u", NEVER), record.get("by", ""), record["why"])
    if record.get("awake"):
        pool.hold().awake |= frozenset(record["awake"])
    _reckon_owed(pool)


def _hold(_: Book, pool: Pool, record: Record) -> None:
    """Somebody wants nothing to start for it."""
    held = pool.hold()
    held.holds[record["k"]] = (record.get("by", ""), record["why"])
    held.awake |= frozenset(record["awake"])
    held.stale = NO_PLACES
    held.forget(record["k"])


def _awake(_: Book, pool: Pool, record: Record) -> None:
    """One more process that is ended only because the pool is to be down."""
    pool.hold().awake |= {record["n"]}


def _waived(_: Book, pool: Pool, record: Record) -> None:
    """These places are owed nothing any more."""
    held = pool.hold()
    held.awake -= frozenset(record["slots"])
    _let_go(pool, held)


def _release(_: Book, pool: Pool, record: Record) -> None:
    """One hold less."""
    held = pool.hold()
    held.holds.pop(record["k"], None)
    held.ask(record["k"], tuple(sorted(held.awake)))
    _reckon_owed(pool)


def _reckon_owed(pool: Pool) -> None:
    """When nothing keeps it down: what never ended, or rests from an error, is not owed a start."""
    held = pool.held
    if held is None or held.holds or pool.intent != RUN:
        return
    held.awake -= {slot.number for slot in pool.slots if _is_there(slot)}
    _let_go(pool, held)


def _is_there(slot: Slot) -> bool:
    """It has its process, or its own time for the next; one that was asked to end has neither."""
    ends = slot.life is not None and slot.life.ending == STOPPED
    return slot.state in (*WORKING, *TROUBLED) and not ends


def _restart(_: Book, pool: Pool, record: Record) -> None:
    """These places are to get new processes, one after another."""
    held = pool.hold()
    held.stale |= frozenset(record["slots"])
    held.ask(record["k"], tuple(record["slots"]))


def _target(_: Book, pool: Pool, record: Record) -> None:
    """An operator wants other numbers than the kind's."""
    pool.target = (record["least"], record["most"]) if "least" in record else None


def _forgotten(book: Book, pool: Pool, _: Record) -> None:
    """No specs name it and no process is left of it."""
    del book.pools[pool.name]
    book.errors.pop(pool.name, None)


def _kept(book: Book, pool: Pool, record: Record) -> None:
    """All that was known of a pool when this log began."""
    keeping.restore(pool, record)
    if record["errors"]:
        book.errors[pool.name] = list(record["errors"])


def _said(_: Book, __: Pool, ___: Record) -> None:
    """Something worth telling that changes nothing."""


_APPLY: dict[str, Callable[[Book, Pool, Record], None]] = {
    "move": _move,
    "born": _born,
    "stable": _stable,
    "attention": _attention,
    "intent": _intent,
    "target": _target,
    "hold": _hold,
    "awake": _awake,
    "waived": _waived,
    "release": _release,
    "restart": _restart,
    "finish": _finish,
    "forgotten": _forgotten,
    "kept": _kept,
    "said": _said,
}
