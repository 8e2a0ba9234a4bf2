"""What the page of pools shows, from what its address asks for."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any
from urllib.parse import urlencode

from fleetctl.base.errors import UsageError
from fleetctl.base.names import did_you_mean
from fleetctl.console.pooldesk import PoolDesk
from fleetctl.console.poolsview import (
    Line,
    Standing,
    host_lines,
    kind_lines,
    overseers_in_trouble,
    part,
)
from fleetctl.inventory.model import Fleet
from fleetctl.pools.words import LOOKS

LINES = 100
"""Of one page."""
VIEWS = ("kind", "host", "instance")
_NOT_ASKED = (
    "Instances are not in what was told last. Start the console with --refresh 10s, or ask:"
    " fleetctl pools status --by instance"
)
_COMES = "Every overseer is being asked for its instances; they appear here."


def pools_values(
    desk: PoolDesk,
    fleet: Fleet,
    query: Mapping[str, str],
    now_s: float,
    standing: Standing,
) -> dict[str, Any]:
    """The values of the template; raises UsageError for a tier or host that is not there."""
    by = query.get("by", "kind") if query.get("by") in VIEWS else "kind"
    tier, host, wanted = query.get("tier", ""), query.get("host", ""), query.get("q", "")
    tiers = list(dict.fromkeys(fleet.hosts[name].tier for name in desk.keepers))
    for word, known in ((tier, tiers), (host, desk.keepers)):
        if word and word not in known:
            raise UsageError(f'"{word}" keeps no pools', hint=did_you_mean(word, known))
    keepers = [
        name for name in desk.keepers
        if tier in ("", fleet.hosts[name].tier) and host in ("", name)
    ]  # fmt: skip
    told = part(desk.remembered(), keepers, now_s, desk.stale_s)
    page = int(query["page"]) if query.get("page", "").isdecimal() else 1
    if by == "instance":
        lines, count, page, note = _instances(desk, keepers, wanted, page, standing)
    else:
        every = kind_lines(told, standing) if by == "kind" else host_lines(told, standing)
        lines, count, page = _page_of(every, page)
        note = ""
    asked = {"by": by, "tier": tier, "host": host, "q": wanted}
    return {
        **asked, "tiers": tiers, "keepers": keepers, "told": told, "lines": lines, "note": note,
        "faults": overseers_in_trouble(told) if by != "host" else (),
        "page": page, "page_count": -(-count // LINES), "every_s": desk.every_s,
        "trouble": desk.trouble, "looks": list(LOOKS.values()),
        "page_path": lambda number: _path("/pools", **asked, page=str(number)),
        "act_path": lambda do, kind, of: _path(f"/act/{do}", kind=kind, tier=tier, host=of),
    }  # fmt: skip


def _instances(
    desk: PoolDesk, keepers: list[str], wanted: str, page: int, standing: Standing
) -> tuple[list[Line], int, int, str]:
    instances = desk.instances()
    if instances is None:
        return [], 0, 1, _COMES if desk.every_s else _NOT_ASKED
    names, count, page = _page_of(instances.named(wanted, keepers), page)
    note = ""
    if instances.left_out:
        note = f"{instances.left_out} further instances, with nothing worse, are only counted."
    return [instances.line(name, keepers, standing) for name in names], count, page, note


def _page_of(lines: list[Any], page: int) -> tuple[list[Any], int, int]:
    """That page of the lines, how many lines there are, and which page it is."""
    page = max(1, min(page, -(-len(lines) // LINES)))
    return lines[(page - 1) * LINES : page * LINES], len(lines), page


def _path(path: str, **query: str) -> str:
    return f"{path}?{urlencode({name: value for name, value in query.items() if value})}"
