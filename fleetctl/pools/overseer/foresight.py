"""What a change that is asked for would do to pools: looked at before it is confirmed, and on the
host right before it is done, for what would change nothing is left out."""

from __future__ import annotations

from fleetctl.pools.overseer import holds, states
from fleetctl.pools.overseer.pools import DRAINED, GONE, NEVER, PAUSED
from fleetctl.pools.overseer.states import LIVE, STOPPING, WORKING

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from typing import Any

    from fleetctl.pools.overseer.core import Core
    from fleetctl.pools.overseer.pools import Pool

    Asked = dict[str, Any]
    Needs = Callable[[Core, Pool, Asked, float], bool]

KEPT_MOST = 20
SAME_END_S = 2.0
"""Two ends of a pause that are no further apart are one."""


def foreseen(core: Core, pools: Sequence[Pool], asked: Asked, now: float) -> dict[str, Any]:
    """`needed`: how many pools it would change; left out: that is not known beforehand.

    `kept`: by whom they are paused or drained, as groups; `least`: how many of them keep processes
    whatever happens, `timed`: how many others wake by their time alone, after `longest_s` at most.
    `interrupts`: how many have work that `now` would end; `interrupted`: the first of them.
    """
    do = str(asked.get("do"))
    needs = _NEEDS.get(do)
    told: dict[str, Any] = {}
    if needs is not None:
        told["needed"] = sum(needs(core, pool, asked, now) for pool in pools)
    if do in _INTENTS:
        told["kept"] = _kept(pools, now)
    if do == "hibernate":
        told.update(_sleep(pools))
        busy = [pool.name for pool in pools if _interrupted(pool)]
        told.update(interrupts=len(busy), interrupted=busy[:KEPT_MOST])
    return told


def _kept(pools: Sequence[Pool], now: float) -> list[dict[str, Any]]:
    """Pools that somebody paused or drained, those of one reason and one end together."""
    found: dict[tuple[object, ...], dict[str, Any]] = {}
    for pool in pools:
        if pool.note is None or pool.intent not in (PAUSED, DRAINED):
            continue
        until, by, why = pool.note
        left_s = None if until == NEVER else round(until - now)
        whole = {"is": pool.intent, "by": by, "why": why, "left_s": left_s}
        key: tuple[object, ...] = tuple(whole.values())
        if key not in found and len(found) >= KEPT_MOST:
            key, whole = (), {}  # of all others only how many they are is told
        found.setdefault(key, {**whole, "pools": 0})["pools"] += 1
    return list(found.values())


def _sleep(pools: Sequence[Pool]) -> dict[str, Any]:
    """Who is left awake, and whom nothing but time is sure to wake."""
    least = [pool for pool in pools if pool.least]
    timed = [p for p in pools if not p.least and not p.kind.queue and not p.kind.socket]
    longest_s = max((pool.kind.max_sleep for pool in timed), default=0.0)
    return {"least": len(least), "timed": len(timed), "longest_s": longest_s}


def _interrupted(pool: Pool) -> bool:
    """`now` would end work of it."""
    return any(slot.state == states.BUSY for slot in pool.slots[pool.least :])


def _hibernates(_: Core, pool: Pool, asked: Asked, _now: float) -> bool:
    interrupts = asked.get("now") is True
    if pool.intent == GONE and not interrupts:
        return False
    for slot in pool.slots[pool.least :]:
        life = slot.life
        if life is None:
            continue
        if slot.state in WORKING and (interrupts or life.ending != states.HIBERNATE):
            return True
        if slot.state == STOPPING and interrupts and not life.forced:
            return True
    return False


def _wakes(core: Core, pool: Pool, _: Asked, _now: float) -> bool:
    if holds.awake(pool):
        return False
    calm = not any(s.state in (*LIVE, *states.TROUBLED) or s in core.starts for s in pool.slots)
    return not pool.pending or (calm and core.may_start(pool))


def _bounds(_: Core, pool: Pool, asked: Asked, now: float) -> bool:
    """A pause or a drain that is not there already, with the same end."""
    if pool.intent == GONE:
        return False
    if pool.intent != _INTENTS[asked["do"]] or pool.note is None:
        return True
    until = now + float(asked["for_s"]) if asked.get("for_s") else NEVER
    if asked.get("until_in_s"):
        until = now + float(asked["until_in_s"])
    same = pool.note[0] == until or abs(pool.note[0] - until) < SAME_END_S
    return not same or pool.note[1:] != (str(asked.get("by") or ""), str(asked.get("why") or ""))


def _resumes(_: Core, pool: Pool, _asked: Asked, _now: float) -> bool:
    ending = any(s.life is not None and s.life.ending == states.HIBERNATE for s in pool.slots)
    return ending or pool.intent in (PAUSED, DRAINED)


def _retries(_: Core, pool: Pool, _asked: Asked, _now: float) -> bool:
    return any(slot.state in states.TROUBLED for slot in pool.slots)


def _scales(_: Core, pool: Pool, asked: Asked, _now: float) -> bool:
    bounds = asked.get("min"), asked.get("max")
    return pool.target != (None if None in bounds else bounds)


def _restarts(core: Core, pool: Pool, _: Asked, _now: float) -> bool:
    return core.may_start(pool) and any(slot.state in WORKING for slot in pool.slots)


_INTENTS = {"pause": PAUSED, "drain": DRAINED}
_NEEDS: dict[str, Needs] = {
    **{"hibernate": _hibernates, "wake": _wakes, "pause": _bounds, "drain": _bounds},
    **{"resume": _resumes, "retry": _retries, "scale": _scales, "restart": _restarts},
}
