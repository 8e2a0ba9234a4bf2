"""What a person should know of a change of pools before it is confirmed: whose pause it takes the
place of, who goes on all the same, and whom nothing but time wakes."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import datetime
from typing import TYPE_CHECKING, Any, NamedTuple

from fleetctl.base.durations import format_duration
from fleetctl.base.hostrange import fold

if TYPE_CHECKING:
    from fleetctl.cli.overseers import Told

SAME_END_S = 60.0
_NOUNS = {"pause": "pause", "drain": "drain", "paused": "pause", "drained": "drain"}
Foreseen = dict[str, dict[str, Any]]


class _Kept(NamedTuple):
    """A pause or a drain there is already."""

    noun: str
    by: str
    why: str
    end_s: float | None
    """Unix time; None: there is no end."""


def notes(request: Mapping[str, Any], found: Mapping[str, Told], now_s: float) -> list[str]:
    """Lines about a request, of what overseers foresee of it; those who cannot tell nothing."""
    known = {
        host: told["foreseen"]
        for host, told in found.items()
        if isinstance(told, dict) and "foreseen" in told
    }
    lines: list[str] = []
    if request["do"] in ("pause", "drain"):
        lines += _bounded(request, known, now_s)
    if request["do"] == "hibernate":
        lines += _sleepers(known)
    if (
        known
        and len(known) == len(found)
        and not any(one.get("needed", 1) for one in known.values())
    ):
        lines.append("all is so already: nothing would change")
    return lines


def _bounded(request: Mapping[str, Any], known: Foreseen, now_s: float) -> Iterator[str]:
    noun = _NOUNS[request["do"]]
    wall, length = request.get("until_s"), request.get("for_s")
    end_s = float(wall) if wall else now_s + float(length) if length else None
    own = _Kept(noun, str(request.get("by", "")), str(request.get("why", "")), end_s)
    groups: dict[tuple[object, ...], list[tuple[_Kept, str, int]]] = {}
    for host, one in known.items():
        for group in one.get("kept", ()):
            kept = _kept_in(group, now_s)
            if not _same(kept, own):
                key = (*kept[:3], kept.end_s and round(kept.end_s / SAME_END_S))
                groups.setdefault(key, []).append((kept, host, group["pools"]))
    for same in groups.values():
        hosts, pools = fold(host for _, host, _ in same), sum(count for *_, count in same)
        yield f"replaces {_words(same[0][0], now_s)}: {_pools(pools)} on {hosts}"
    yield f"this {noun} {_end(end_s, now_s)}"


def _kept_in(group: Mapping[str, Any], now_s: float) -> _Kept:
    left_s = group.get("left_s")
    end_s = None if left_s is None else now_s + left_s
    return _Kept(
        _NOUNS.get(group.get("is", ""), ""), group.get("by", ""), group.get("why", ""), end_s
    )


def _same(one: _Kept, other: _Kept) -> bool:
    if one[:3] != other[:3] or (one.end_s is None) != (other.end_s is None):
        return False
    return one.end_s is None or abs(one.end_s - (other.end_s or 0.0)) < SAME_END_S


def _words(kept: _Kept, now_s: float) -> str:
    if not kept.noun:
        return "further pauses and drains"
    who = f" by {kept.by}" if kept.by else ""
    return f'the {kept.noun}{who} "{kept.why}", which {_end(kept.end_s, now_s)}'


def _end(end_s: float | None, now_s: float) -> str:
    """`ends mon 2026-11-23 06:00:00 UTC, in 7 h 00 min`."""
    if end_s is None:
        return "has no end: somebody must say resume"
    local = datetime.fromtimestamp(end_s).astimezone()
    day = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")[local.weekday()]
    left = format_duration(max(0.0, end_s - now_s))
    return f"ends {day} {local:%Y-%m-%d %H:%M:%S %Z}, in {left}"


def _sleepers(known: Foreseen) -> Iterator[str]:
    least, timed = (sum(one.get(key, 0) for one in known.values()) for key in ("least", "timed"))
    longest_s = max((one.get("longest_s", 0.0) for one in known.values()), default=0.0)
    if least:
        go, these = ("goes", "a `min`") if least == 1 else ("go", "`min` processes")
        yield f"{_pools(least)} with {these} {go} on: hibernate leaves those alone; drain ends them"
    if timed:
        names = "names" if timed == 1 else "name"
        yield (
            f"{_pools(timed)} {names} no queue and no socket: unless somebody wakes them by name"
            f" they sleep until their time, {format_duration(longest_s)} at most"
        )


def _pools(count: int) -> str:
    return f"{count:,} {'pool' if count == 1 else 'pools'}"
