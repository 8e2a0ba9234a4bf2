"""Once a second: growth of the pools that are awake, and slots that sit beside work."""

from __future__ import annotations

from fleetctl.pools.overseer import orders, states
from fleetctl.pools.overseer.core import vacancies
from fleetctl.pools.overseer.scaling import Load, growth
from fleetctl.pools.overseer.states import BUSY, IDLE, STARTING, TROUBLED, WORKING

TYPE_CHECKING = False
if TYPE_CHECKING:
    from fleetctl.pools.overseer.core import Core
    from fleetctl.pools.overseer.pools import Pool

COUNT_STALE_S = 10.0
"""A count of a queue that is older than this is not known any more."""
STALL_S = 30.0
FREE = frozenset((states.EMPTY, states.HIBERNATING))


def tick(core: Core, now: float) -> None:
    """Look at every pool that is awake, let pauses end, start what may start."""
    _end_pauses(core, now)
    for pool in list(core.owing):
        core.settle(pool, now)
        if pool.held is None or not core.may_start(pool):
            del core.owing[pool]
    for pool in list(core.awake):
        if core.may_start(pool):
            if len(pool.slots) < pool.most or any(s.state in FREE for s in pool.slots):
                _grow(core, pool, now)
            if pool.claimable is not None:
                _unstall(core, pool, now)
    core.pump(now)


def load(core: Core, pool: Pool, now: float) -> Load:
    """What the law looks at."""
    working = [slot for slot in pool.slots if slot.state in WORKING]
    busy = [slot for slot in working if slot.state == BUSY]
    all_busy = bool(busy) and len(busy) == len(working)  # one that starts may be enough
    sick = sum(slot.state in TROUBLED for slot in pool.slots)
    starting = sum(slot.state == STARTING or slot in core.starts for slot in pool.slots)
    return Load(
        numbers=(len(pool.live()), sick, starting, pool.most),
        all_busy_s=max(now - max(slot.since for slot in busy), 1e-9) if all_busy else 0.0,
        observed=bool(pool.kind.queue),
        claimable=claimable(pool, now),
        memory=core.fits(pool, len(core.starting)) and not core.floor_reached,
    )


def claimable(pool: Pool, now: float) -> int | None:
    """Tasks that could be taken, as far as that is known."""
    if pool.claimable is None or pool.claimable[0] < now - COUNT_STALE_S:
        return None
    return pool.claimable[1]


def _grow(core: Core, pool: Pool, now: float) -> None:
    """Add what the law says, lowest places first."""
    seen = load(core, pool, now)
    if seen.starting and not seen.observed:
        return  # one at a time where nobody counts
    more, _ = growth(seen, pool.kind.up_after)
    free = [slot for slot in vacancies(pool) if slot not in core.starts]
    for slot in free[:more]:
        core.want(slot, states.STARTERS[slot.state], "", now, grows=True)


def _unstall(core: Core, pool: Pool, now: float) -> None:
    """One that sits idle beside work nobody takes is ended; its next life may see it."""
    if pool.claimable is None or not claimable(pool, now) or pool.claimable[2] > now - STALL_S:
        return
    for slot in pool.slots:
        if slot.state == IDLE and slot.since <= now - STALL_S:
            core.say(pool, now, "stalled: idle beside work that could be taken")
            core.stop(slot, states.HANGS, states.STALL, now)
            pool.claimable = None
            return


def _end_pauses(core: Core, now: float) -> None:
    """An intent that was bounded in time ends by itself."""
    for pool in [pool for pool, until in core.bounded.items() if until <= now]:
        orders.resume(core, pool, now, "its time is over")
