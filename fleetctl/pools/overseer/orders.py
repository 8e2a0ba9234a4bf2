"""What operators and the specs ask of pools."""

from __future__ import annotations

from fleetctl.pools.overseer import endings, holds, kinds, standing, states
from fleetctl.pools.overseer.book import looked
from fleetctl.pools.overseer.pools import DRAINED, GONE, NEVER, PAUSED, RUN, Pool
from fleetctl.pools.overseer.states import LIVE, STOPPING, WORKING

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping

    from fleetctl.pools.overseer.core import Core
    from fleetctl.pools.overseer.kinds import Kind
    from fleetctl.pools.overseer.pools import Slot


def configure(core: Core, wanted: Mapping[str, Kind], now: float) -> dict[str, int]:
    """Make the pools those of the specs; only what differs is touched. Counts what was done."""
    done = {"added": 0, "changed": 0, "removed": 0, "same": 0}
    known = core.book.pools
    for name, kind in wanted.items():
        pool = known.get(name)
        if pool is None or pool.intent == GONE:
            _add(core, name, kind, now)
            done["added"] += 1
        elif pool.kind.generation != kind.generation:
            _retune(core, pool, kind, now)
            done["changed"] += 1
        else:
            done["same"] += 1
    for name in [name for name in known if name not in wanted]:
        if known[name].intent != GONE:
            remove(core, known[name], now)
            done["removed"] += 1
    return done


def _add(core: Core, name: str, kind: Kind, now: float) -> None:
    """A pool nobody had, or one that was on its way out and is wanted again."""
    pool = core.book.pools.get(name)
    if pool is None:
        pool = core.book.pools[name] = Pool(name, kind)
    else:
        core.note({"t": now, "e": "intent", "p": name, "to": RUN, "why": "in the specs again"})
        pool.kind = kind
        for slot in pool.slots:
            endings.finish(core, slot, "", now)
        if pool.live():  # no beginning while that ends; it looks whether there is work after it
            core.note({"t": now, "e": "attention", "p": name})
    standing.cover(core, pool, now)
    holds.renew(core, pool, now)
    begin(core, pool, now)


def begin(core: Core, pool: Pool, now: float) -> None:
    """A pool's first moment: asleep, its least running, or one that looks whether there is work."""
    kind = pool.kind
    if kind.at_start == kinds.ASLEEP and not kind.min and is_new(pool):
        lay_down(core, pool, now)
    core.settle(pool, now)
    if not kind.min and kind.at_start == kinds.RUN and not pool.live():
        core.rouse(pool, now)


def lay_down(core: Core, pool: Pool, now: float) -> None:
    """Asleep from the start, without a record: it follows from the specs.

    The times they are let look are spread, or all would look at once. It has no cause: that is
    how one tells that nothing need be written down.
    """
    slot = pool.slot(0)
    slot.state, slot.since = states.HIBERNATING, now
    place = len(core.book.pools) % 9973 / 9973
    slot.until = now + pool.kind.max_sleep * (0.5 + place / 2)
    core.arm(slot)


def _retune(core: Core, pool: Pool, kind: Kind, now: float) -> None:
    """Its kind changed: sleepers sleep on, errors are forgiven, processes are replaced in turn,
    each when it rests."""
    pool.kind = kind
    _trim(core, pool, now)
    for slot in pool.slots[: pool.most]:
        if slot.state == states.HIBERNATING:
            until = min(slot.until, now + kind.max_sleep)
            core.move(slot, states.RETUNED, now, states.HIBERNATE, u=until)
        elif slot.state in states.TROUBLED:
            core.want(slot, states.RETRY, states.RELOADED, now)
    holds.renew(core, pool, now)
    core.settle(pool, now)


def _trim(core: Core, pool: Pool, now: float) -> None:
    """Clear the places above the maximum; who may hold a task keeps its place until it rests."""
    for slot in pool.slots[pool.most :]:
        if slot.state in LIVE and slot.state != states.BUSY:
            core.stop(slot, states.STOP, states.SCALE_DOWN, now)
        elif slot.state not in LIVE and slot.state != states.EMPTY:
            core.move(slot, states.STOP, now, states.SCALE_DOWN)


def remove(core: Core, pool: Pool, now: float) -> None:
    """No specs name it any more: who holds a task finishes it, and all else ends now."""
    core.note({"t": now, "e": "intent", "p": pool.name, "to": GONE, "why": "not in the specs"})
    core.bounded.pop(pool, None)
    for slot in pool.slots:
        if slot.state in WORKING:
            endings.finish(core, slot, states.STOPPED, now)
    halt(core, pool, now, states.STOPPED)
    core.settle(pool, now)


def pause(
    core: Core, pool: Pool, now: float, why: str, *, by: str = "", until: float = NEVER
) -> None:
    """Start nothing for it; what runs goes on. What asks for it is remembered."""
    _intend(core, pool, PAUSED, now, why, by=by, until=until)


def drain(
    core: Core, pool: Pool, now: float, why: str, *, by: str = "", until: float = NEVER
) -> None:
    """As pause; and idle processes are ended now, busy ones when they rest."""
    _intend(core, pool, DRAINED, now, why, by=by, until=until)
    holds.settle_down(core, pool, now)


def _intend(
    core: Core, pool: Pool, to: str, now: float, why: str, *, by: str, until: float
) -> None:
    """Remember what is wanted of a pool; one that is gone has no other end."""
    if pool.intent == GONE:
        return
    record = {"t": now, "e": "intent", "p": pool.name, "to": to, "why": why, "by": by}
    core.bounded.pop(pool, None)
    if until < NEVER:
        record["u"] = until
        core.bounded[pool] = until
    if to == DRAINED:
        record["awake"] = holds.awake(pool)
    elif to == PAUSED:  # what is being replaced cannot be while it is
        record["awake"] = [slot.number for slot in pool.slots if holds.is_replaced(slot)]
    core.note(record)
    for slot in pool.slots:
        core.starts.drop(slot)


def resume(core: Core, pool: Pool, now: float, why: str, *, by: str = "") -> None:
    """Back to the usual; what was asked for in between is done now, what slept sleeps on, and what
    was to sleep when it is done need not."""
    for slot in pool.slots:
        if slot.life is not None and slot.life.ending == states.HIBERNATE:
            endings.finish(core, slot, "", now)
    if pool.intent in (PAUSED, DRAINED):
        _intend(core, pool, RUN, now, why, by=by, until=NEVER)
        give_back(core, pool, now)


def release(core: Core, pool: Pool, token: str, now: float) -> None:
    """Take one hold away; with the last, what had a process gets one again.

    What had FAILED is tried at once: a run has changed the host since, maybe for its sake.
    """
    if token in pool.holds:
        core.note({"t": now, "e": "release", "p": pool.name, "k": token})
        give_back(core, pool, now)
        for slot in pool.slots:
            if slot.state == states.FAILED:
                core.want(slot, states.RETRY, slot.cause, now)


def give_back(core: Core, pool: Pool, now: float) -> None:
    """If nothing keeps a pool down any more: do what fell due, and what it had before."""
    if not core.may_start(pool):
        return
    if is_new(pool):
        begin(core, pool, now)
    for slot in pool.slots:
        fell_due = slot.state not in LIVE and slot.until == NEVER
        if fell_due and slot.state != states.EMPTY:
            core.want(slot, states.STARTERS[slot.state], slot.cause, now)
    holds.renew(core, pool, now)
    core.settle(pool, now)


def is_new(pool: Pool) -> bool:
    """Nothing ever happened to it since the host came up."""
    return not any(slot.since for slot in pool.slots)


def hibernate(core: Core, pool: Pool, now: float, *, interrupt: bool = False) -> int:
    """Put processes to sleep; counts those that finish first, and are put to sleep when they rest.

    The least a pool is to have stays: it never sleeps, and nothing would be sure to wake it.
    These may hold a task, or have not yet looked for the one they were woken for. `interrupt`: end
    them, too; what they worked on is begun anew by whoever takes it next.
    """
    later = 0
    if pool.intent == GONE and not interrupt:
        return later
    for slot in pool.slots[pool.least :]:
        if slot.state in WORKING and (interrupt or _is_free(slot, now)):
            core.stop(slot, states.STOP, states.HIBERNATE, now, forced=interrupt)
        elif slot.state in WORKING:
            endings.finish(core, slot, states.HIBERNATE, now)
            later += 1
        elif slot.state == STOPPING and interrupt:
            core.move(slot, states.STOP, now, slot.cause, f=1)
    return later


def _is_free(slot: Slot, now: float) -> bool:
    """It holds no task, and owes nobody a look."""
    return slot.state != states.BUSY and looked(slot, now)


def retry(core: Core, pool: Pool, now: float) -> None:
    """Forget its errors and try again now."""
    for slot in pool.slots:
        if slot.state in states.TROUBLED:
            core.want(slot, states.RETRY, slot.cause, now)


def scale(core: Core, pool: Pool, now: float, bounds: tuple[int, int] | None) -> None:
    """Other least and most processes than the kind's; None is the kind's again."""
    record: dict[str, object] = {"t": now, "e": "target", "p": pool.name}
    if bounds is not None:
        record["least"], record["most"] = bounds
    core.note(record)
    _trim(core, pool, now)
    core.settle(pool, now)


def halt(core: Core, pool: Pool, now: float, cause: str) -> None:
    """End every process of a pool, and its rests; of one that is gone the busy ones later."""
    for slot in pool.slots:
        if slot.state == states.BUSY and pool.intent == GONE and not core.closing:
            continue
        if slot.state in LIVE and not (slot.state == STOPPING and slot.cause == cause):
            core.stop(slot, states.STOP, cause, now)
        elif slot.state not in LIVE and slot.state != states.EMPTY:
            core.move(slot, states.STOP, now, cause)


def close(core: Core, now: float) -> None:
    """The overseer ends and takes its daemons along: nothing starts after this."""
    core.closing = True
    for pool in list(core.awake):
        halt(core, pool, now, states.STOPPED)
