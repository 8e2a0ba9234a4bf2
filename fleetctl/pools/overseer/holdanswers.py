"""Answers to what is asked under a token: `hold`, `release`, `restart`, `settled`."""

from __future__ import annotations

import time

from fleetctl.pools.overseer import foresight, headway, holds, orders, standing

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

    from fleetctl.pools.overseer.loop import Overseer
    from fleetctl.pools.overseer.pools import Pool

    Chosen = Callable[[Overseer, dict[str, Any]], list[Pool]]

TOKEN_MOST = 200


def hold(overseer: Overseer, request: dict[str, Any], chosen: Chosen) -> dict[str, Any]:
    """Hold the pools named, or all."""
    token, now, core = _token(request), time.monotonic(), overseer.core
    why, by = str(request.get("why") or ""), str(request.get("by") or "")
    if not why:
        raise ValueError("say why: whoever comes next will ask")
    pools = _wanted(overseer, request, chosen)
    standing.stand(core, token, request.get("pools") or (), now, why, by=by)
    for pool in pools:
        holds.hold(core, pool, token, now, why, by=by)
    return headway.progress(core, token, pools)


def release(overseer: Overseer, request: dict[str, Any], chosen: Chosen) -> dict[str, Any]:
    """Let go what is held under the token, of the pools named or of all; none is no mistake."""
    token, now, core = _token(request), time.monotonic(), overseer.core
    pools = _wanted(overseer, request, chosen)
    standing.lift(core, token, request.get("pools") or (), now)
    for pool in pools:
        orders.release(core, pool, token, now)
    core.pump(now)
    return headway.progress(core, token, pools)


def restart(overseer: Overseer, request: dict[str, Any], chosen: Chosen) -> dict[str, Any]:
    """Replace what runs of the pools named, or of all."""
    token, now, core = _token(request), time.monotonic(), overseer.core
    pools = _wanted(overseer, request, chosen)
    for pool in pools:
        holds.restart(core, pool, token, now)
    core.pump(now)
    return headway.progress(core, token, pools)


def settled(overseer: Overseer, request: dict[str, Any], chosen: Chosen) -> dict[str, Any]:
    """How far pools have got with what was asked under a token; without one, what they are.

    `of`: another request; what it would do to them is told, too, and nothing is done.
    """
    pools = _wanted(overseer, request, chosen)
    if request.get("token"):
        return headway.progress(overseer.core, _token(request), pools)
    told = headway.standing(overseer.core, pools)
    asked = request.get("of")
    if isinstance(asked, dict):
        if asked.get("until_s"):  # by the clock on the wall
            asked = {**asked, "until_in_s": float(asked["until_s"]) - time.time()}
        told["foreseen"] = foresight.foreseen(overseer.core, pools, asked, time.monotonic())
    return told


def _wanted(overseer: Overseer, request: dict[str, Any], chosen: Chosen) -> list[Pool]:
    if request.get("pools"):
        return chosen(overseer, request)
    return list(overseer.core.book.pools.values())


def _token(request: dict[str, Any]) -> str:
    token = request.get("token")
    if not isinstance(token, str) or not token or len(token) > TOKEN_MOST:
        raise ValueError("token must be a word")
    return token


ACTS = {"hold": hold, "release": release, "restart": restart, "settled": settled}
