"""Answers to what is asked under a token: `hold`, `release`, `restart`, `settled`."""

from __future__ import annotations

import time

from fleetctl.pools.overseer import foresight, headway, holds, orders, specs, standing
from fleetctl.pools.overseer.pools import GONE

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
        if asked.get("do") == "reload":
            told["foreseen"].update(_unread(overseer))
    return told


def _unread(overseer: Overseer) -> dict[str, int]:
    """How many pools and sources of work the specs on the disk would change; a mistake in them is
    for the reload itself to tell."""
    try:
        found = specs.read(overseer.specs_folder)
    except specs.SpecError:
        return {}
    known = {
        p.name: p.kind.generation for p in overseer.core.book.pools.values() if p.intent != GONE
    }
    wanted = {name: kind.generation for name, kind in found.pools.items()}
    count = sum(known.get(name) != wanted.get(name) for name in {*known, *wanted})
    sources = {*overseer.lookouts, *found.attention}
    return {"needed": count + sum(not _same(overseer, found, name) for name in sources)}


def _same(overseer: Overseer, found: specs.Specs, name: str) -> bool:
    """Whether a source of work is watched already as it is to be."""
    lookout, wanted = overseer.lookouts.get(name), found.attention.get(name)
    return lookout is not None and wanted is not None and lookout.watches(wanted)


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
