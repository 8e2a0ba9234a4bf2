"""Taking a run over: from what is carried of its journal, and from its hosts themselves."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import msgspec

from fleetctl.base.errors import UsageError
from fleetctl.journal.rows import StoredRecord
from fleetctl.journal.store import Journal
from fleetctl.rollout.carried import Carried
from fleetctl.rollout.controls import Controls
from fleetctl.rollout.driver import Leg, Opening, RunResult, SystemClock, held, leased
from fleetctl.rollout.observers import Observer, Recorded
from fleetctl.rollout.records import HostSettled, Record, RunResumed
from fleetctl.rollout.runlog import RunLog, decode_record, encode_record
from fleetctl.rollout.state import RunState
from fleetctl.rollout.survey import ask_all, catch_up
from fleetctl.transport.protocol import Sink, Transport

MARGIN = 5_000
"""Added to the highest fence that is known: what was not carried may have raised it further. A
question raises it by one and takes a second, so this is for 80 minutes of questions to one host;
a clock that is behind is for no more than it too. Fences are milliseconds: who takes over a run
that has just begun shuts out, for so long, what others begin with their clock as its fence."""


def take_over(
    carried: Carried,
    opening: Opening,
    journal: Journal,
    open_transport: Callable[[Sink], Transport],
    *,
    controls: Controls | None = None,
    observers: Sequence[Observer] = (),
) -> RunResult:
    """Go on here with a run that was driven elsewhere; as `driver.resume`.

    The older leg is fenced off, on every host and by the leases. Raises Refused when the journal
    has another run of that id, LockHeld when others hold its leases or hosts obey somebody else.
    """

    def tell(text: str) -> None:
        for observer in observers:
            observer.notice(text)

    clock = SystemClock()
    run = carried.row.id
    opening = msgspec.structs.replace(opening, parent=None)  # it stands for itself
    with held(journal, run, opening.by) as lock:
        state = rebuilt(carried)
        beyond = max(state.fence_max, carried.fence_max, lock.noted_fence()) + MARGIN
        fence = journal.take_fence(max(clock.wall_s(), (beyond + 1) / 1000))
        lock.note_fence(fence)
        with leased(state.plan, run, fence, opening, open_transport, journal) as ground:
            resumed = RunResumed(fence, opening.by, taken_from=last_driver(carried))
            state.apply(resumed)
            new: list[Record] = [resumed, *catch_up(state, ask_all(ground, state, tell))]
            first = _adopt(journal, carried, new, clock.wall_s())
            log = RunLog(journal, run, state.plan, first[-1].seq)
            leg = Leg(state, log, clock, controls, observers, opening)
            return leg.drive(journal, ground, first)


def rebuilt(carried: Carried) -> RunState:
    """The run as far as it was carried; raises UsageError for one that cannot go on."""
    state = RunState(carried.plan)
    for record in carried.records:
        state.apply(decode_record(record.body))
    if state.check_only:
        raise UsageError(
            f"run {carried.row.id} only looked, there is nothing to go on with",
            hint="start it again",
        )
    return state


def last_driver(carried: Carried) -> str:
    """Who drove it last, as far as it was carried."""
    by = carried.row.by
    for record in carried.records:
        found = decode_record(record.body)
        if isinstance(found, RunResumed):
            by = found.by
    return by


def _adopt(
    journal: Journal, carried: Carried, new: Sequence[Record], wall_s: float
) -> list[Recorded]:
    """Make what was carried and what is new durable here, in one transaction."""
    start = len(carried.records) + 1
    entries = [
        StoredRecord(seq, wall_s, encode_record(record)) for seq, record in enumerate(new, start)
    ]
    live: dict[str, str] = {}
    for stored in carried.records:
        record = decode_record(stored.body)
        if isinstance(record, HostSettled) and record.release:
            live[record.host] = record.release
    row = msgspec.structs.replace(carried.row, exit_code=None, ended_s=None)
    journal.adopt(row, carried.plan, [*carried.records, *entries])
    journal.append(row.id, start + len(new), wall_s, [], live=live)
    return [Recorded(seq, wall_s, record) for seq, record in enumerate(new, start)]
