"""Holds and restarts: what is asked of pools under a token, and how far it has got.

A hold keeps pools from starting anything until its token is released; several must all be. What
had a process when the first came is started again when the last is gone, and nothing else is.
"""

from __future__ import annotations

from fleetctl.pools.overseer import states
from fleetctl.pools.overseer.states import STARTERS, STOPPING, TROUBLED, WORKING

TYPE_CHECKING = False
if TYPE_CHECKING:
    from fleetctl.pools.overseer.core import Core
    from fleetctl.pools.overseer.pools import Pool, Slot

SPECS = ""
"""The token of restarts that nobody asked for but the specs."""


def hold(core: Core, pool: Pool, token: str, now: float, why: str, *, by: str = "") -> None:
    """Start nothing for a pool and end what is idle; what is busy ends when it rests."""
    if token not in pool.holds:
        record = {"t": now, "e": "hold", "p": pool.name, "k": token, "why": why, "by": by}
        core.note({**record, "awake": awake(pool)})
    for slot in pool.slots:
        core.starts.drop(slot)
    settle_down(core, pool, now)


def awake(pool: Pool) -> list[int]:
    """The places with a process that was not about to go by itself."""
    return [slot.number for slot in pool.slots if _is_awake(slot)]


def _is_awake(slot: Slot) -> bool:
    """It has a process, and will have one when its task is done."""
    if slot.state in WORKING:
        return slot.life is None or slot.life.ending != states.HIBERNATE
    return is_replaced(slot)


def is_replaced(slot: Slot) -> bool:
    """Its process ends to make place for another."""
    return slot.state == STOPPING and slot.cause == states.RELOADED


def settle_down(core: Core, pool: Pool, now: float) -> None:
    """End the processes of a pool that hold no task and are not going already."""
    for slot in pool.slots:
        if slot.state in (states.STARTING, states.IDLE):
            end(core, slot, now)


def end(core: Core, slot: Slot, now: float) -> None:
    """End one process of a pool that is to be down, and remember that there was one."""
    held = slot.pool.held
    if held is None or slot.number not in held.awake:
        core.note({"t": now, "e": "awake", "p": slot.pool.name, "n": slot.number})
    core.stop(slot, states.STOP, states.STOPPED, now)


def go_on(core: Core, pool: Pool, now: float) -> None:
    """Ask for the starts a pool is owed; a tick asks again for those the memory had no room for.

    Places that are no more are owed nothing, nor when they come back.
    """
    owed = sorted(pool.held.awake) if pool.held is not None else []
    lost = [number for number in owed if number >= pool.most]
    if lost:
        core.note({"t": now, "e": "waived", "p": pool.name, "slots": lost})
        owed = owed[: -len(lost)]
    for number in owed:
        slot = pool.slot(number)
        if slot.state in (states.EMPTY, states.HIBERNATING):
            core.want(slot, STARTERS[slot.state], states.RESUMED, now, grows=True)
    if owed:
        core.owing[pool] = None
    else:
        core.owing.pop(pool, None)
    turn_over(core, pool, now)


def restart(core: Core, pool: Pool, token: str, now: float) -> None:
    """Replace the processes of a pool one after another, each when it rests; sleepers sleep on."""
    if not core.may_start(pool):
        return
    places = [slot.number for slot in pool.slots if slot.state in WORKING]
    if places:
        core.note({"t": now, "e": "restart", "p": pool.name, "k": token, "slots": places})
        turn_over(core, pool, now)


def renew(core: Core, pool: Pool, now: float) -> None:
    """Replace, one after another, the processes that were started by other specs.

    One that starts holds no task: it is replaced at once.
    """
    kind, stale = pool.kind, pool.held.stale if pool.held is not None else ()
    old = [
        slot
        for slot in pool.slots[: pool.most]
        if slot.life is not None
        and slot.state != STOPPING
        and slot.life.generation not in ("", kind.generation)
    ]
    places = [slot.number for slot in old]
    if not set(places) <= set(stale):
        core.note({"t": now, "e": "restart", "p": pool.name, "k": SPECS, "slots": places})
    for slot in old:
        if slot.state == states.STARTING:
            core.want(slot, states.RELOAD, states.RELOADED, now)
    turn_over(core, pool, now)


def turn_over(core: Core, pool: Pool, now: float) -> None:
    """Replace the next, unless one is on its way or did not come up."""
    held = pool.held
    if held is None or not held.stale or not core.may_start(pool):
        return
    asked = held.asked[-1][1] if held.asked else ()
    for slot in pool.slots:
        broken = slot.state in TROUBLED and slot.number in asked
        queued = slot in core.starts and slot.number in held.stale
        if broken or queued or slot.state in (states.STARTING, STOPPING):
            return
    for number in sorted(held.stale):
        slot = pool.slot(number)
        if slot.state == states.IDLE:
            core.want(slot, states.RELOAD, states.RELOADED, now)
            return
