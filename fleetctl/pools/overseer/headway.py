"""How far pools have got with what was asked of them: counts, and who is not there yet."""

from __future__ import annotations

from fleetctl.pools.overseer import states, views
from fleetctl.pools.overseer.pools import RUN
from fleetctl.pools.overseer.states import LIVE, STOPPING, TROUBLED

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable
    from typing import Any

    from fleetctl.pools.overseer.core import Core
    from fleetctl.pools.overseer.pools import Pool, Slot

DOWN, BUSY, ENDING, STARTING, UP, BROKEN, KEPT = (
    *("down", "busy", "ending", "starting", "up", "failed", "held_back"),
)
"""How far a pool has got with what was asked of it under a token."""
UNDER_WAY = (BUSY, ENDING, STARTING)
NAMES_MOST = 20
_MOVING = (states.STARTING, STOPPING, states.NAPPING, states.LEAVING)


def progress(core: Core, token: str, among: Iterable[Pool] | None = None) -> dict[str, Any]:
    """How far the pools asked under a token have got: counts, and who is not there or failed.

    `held_by`: other tokens that keep pools of `among` down, and how many each; left out: of all.
    """
    pools = core.book.pools.values()
    found = [(pool, how_far(pool, token)) for pool in pools if pool.held is not None]
    told: dict[str, Any] = {"pools": 0, "left": 0}
    if token in core.book.standing:
        told["standing"] = 1
    for _, word in found:
        if word:
            told["pools"] += 1
            told["left"] += word in UNDER_WAY
            told[word] = told.get(word, 0) + 1
    told["names"] = _names((pool, word) for pool, word in found if word in (*UNDER_WAY, BROKEN))
    return {**told, **_held_by(pools if among is None else among, token)}


def standing(core: Core, pools: Iterable[Pool]) -> dict[str, Any]:
    """What pools are now, each in one word, counted; `left` are those on the move.

    `lasting`: busy ones that need not end when they rest; left out: none.
    """
    told: dict[str, Any] = {"pools": 0, "left": 0}
    busy, lasting = [], 0
    for pool in pools:
        shown = views.word(pool).lower()
        moving = any(_moves(core, slot) for slot in pool.slots)
        at_work = [slot for slot in pool.slots if slot.state == states.BUSY]
        if at_work:
            busy.append((pool, BUSY))
            if not any(slot.life is not None and slot.life.ending for slot in at_work):
                lasting += 1
            shown = BUSY if shown == "running" else shown
        told["pools"] += 1
        told["left"] += moving
        told[shown] = told.get(shown, 0) + 1
    if lasting:
        told["lasting"] = lasting
    return {**told, "names": _names(busy)}


def _held_by(pools: Iterable[Pool], token: str) -> dict[str, dict[str, int]]:
    """Who else keeps pools from starting; empty when nobody does."""
    found: dict[str, int] = {}
    for pool in pools:
        if token not in pool.holds:
            for other in pool.holds:
                found[other] = found.get(other, 0) + 1
    return {"held_by": found} if found else {}


def _moves(core: Core, slot: Slot) -> bool:
    """It is on its way to be something else, and need not finish a task for that."""
    ends = slot.state == states.IDLE and slot.life is not None and bool(slot.life.ending)
    return ends or slot.state in _MOVING or slot in core.starts


def _names(found: Iterable[tuple[Pool, str]]) -> dict[str, list[str]]:
    """Word -> pools, not more than somebody would read."""
    names: dict[str, list[str]] = {}
    for pool, word in found:
        known = names.setdefault(word, [])
        if len(known) < NAMES_MOST:
            known.append(pool.name)
    return names


def how_far(pool: Pool, token: str) -> str:
    """One pool: a word, or "" when nothing was asked of it under this token."""
    held = pool.held
    if held is None:
        return ""
    if token in held.holds:
        live = [slot.state for slot in pool.slots if slot.state in LIVE]
        return BUSY if states.BUSY in live else ENDING if live else DOWN
    places = held.places(token)
    if places is None:
        return ""
    if pool.intent != RUN or held.holds:
        return KEPT
    return _how_far_up(pool, [pool.slot(number) for number in places if number < pool.most])


def _how_far_up(pool: Pool, slots: list[Slot]) -> str:
    """One pool whose processes are to be there, or to be new."""
    held = pool.held
    assert held is not None
    if any(slot.state == states.FAILED for slot in slots):
        return BROKEN
    if any(slot.state in (*TROUBLED, states.STARTING) for slot in slots):
        return STARTING
    if any(slot.number in held.stale or slot.state == STOPPING for slot in slots):
        return BUSY if any(slot.state == states.BUSY for slot in slots) else ENDING
    if not slots:
        return DOWN
    # One that is up is enough: further ones come as memory allows.
    came = any(slot.number not in held.awake for slot in slots)
    return UP if came else STARTING
