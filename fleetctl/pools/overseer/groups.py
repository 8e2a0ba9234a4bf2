"""Pools counted together, and how the count is told."""

from __future__ import annotations

from fleetctl.pools.overseer.pools import NEVER

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable
    from typing import Any

HOLDS_MOST = 5


class Group:
    """Pools counted together."""

    __slots__ = (
        *("asleep", "claimable", "errors", "holds", "instances", "kilobytes", "measured", "places"),
        *("pools", "processes", "since", "slots", "troubles", "uncertain", "uncounted", "wake"),
        "words",
    )

    def __init__(self) -> None:
        self.pools = 0
        self.instances = 0
        self.asleep = 0
        """Pools of one sleeping slot, which nothing else is to be said of."""
        self.words: dict[str, int] = {}
        self.slots: dict[str, int] = {}
        self.places = 0
        self.processes = 0
        self.measured = 0
        self.kilobytes = 0
        self.errors = 0
        self.claimable = 0
        self.since = NEVER
        """Since when there have been tasks nobody took."""
        self.uncounted = 0
        self.uncertain = 0
        self.wake = NEVER
        self.troubles: dict[tuple[str, str], list[Any]] = {}
        """Word and cause -> pools, when the first is tried again, and which that is."""
        self.holds: dict[tuple[str, str, str, str], list[Any]] = {}
        """Word, why, who and for which run -> pools, and when the first ends."""


def add(
    found: dict[Any, list[Any]], key: object, until: float, name: str = "", count: int = 1
) -> None:
    """`count` more of a sort; `name` is that of which the time comes first."""
    one = found.setdefault(key, [0, NEVER, ""])
    one[0] += count
    if until < one[1]:
        one[1], one[2] = until, name
    one[2] = one[2] or name


def together(groups: Iterable[Group]) -> Group:
    """Several groups as one."""
    whole = Group()
    for group in groups:
        for field in _SUMS:
            setattr(whole, field, getattr(whole, field) + getattr(group, field))
        whole.since, whole.wake = min(whole.since, group.since), min(whole.wake, group.wake)
        for mine, its in ((whole.words, group.words), (whole.slots, group.slots)):
            for word, number in its.items():
                mine[word] = mine.get(word, 0) + number
        _join(whole.troubles, group.troubles)
        _join(whole.holds, group.holds)
    return whole


def _join(mine: dict[Any, list[Any]], its: dict[Any, list[Any]]) -> None:
    for key, (number, until, name) in its.items():
        add(mine, key, until, name, number)


_TIMES = ("oldest_s", "next_wake_s")
"""Of these, none is not the same as zero."""
_SUMS = (
    *("pools", "instances", "places", "processes", "measured", "kilobytes", "errors"),
    *("claimable", "uncounted", "uncertain"),
)


def told(group: Group, now: float) -> dict[str, Any]:
    """A group as it is answered: what is zero or not there is left out."""
    whole = {
        **{name: getattr(group, name) for name in ("pools", "instances", "words", "slots")},
        **{name: getattr(group, name) for name in ("places", "processes", "claimable")},
        **{"errors_15m": group.errors, "uncounted": group.uncounted},
        **{"uncertain": group.uncertain, "measured": group.measured},
        "memory_mb": round(group.kilobytes / 1024, 1),
        "oldest_s": None if group.since == NEVER else round(now - group.since, 1),
        "next_wake_s": _left(group.wake, now),
        "troubles": [
            {
                **{"state": word, "cause": cause, "pools": number},
                **{"next_s": _left(until, now), "pool": name},
            }
            for (word, cause), (number, until, name) in group.troubles.items()
        ],
        "holds": _holds(group, now),
    }
    return {
        name: value for name, value in whole.items() if value or (name in _TIMES and value == 0)
    }


def _holds(group: Group, now: float) -> list[dict[str, Any]]:
    """Those of runs and the largest, and the rest of them as one."""
    found = sorted(group.holds.items(), key=lambda one: (not one[0][3], -one[1][0]))
    if len(found) > HOLDS_MOST:
        others = [one for _, one in found[HOLDS_MOST:]]
        whole = [sum(one[0] for one in others), min(one[1] for one in others), ""]
        found = [*found[:HOLDS_MOST], ((found[HOLDS_MOST][0][0], "other reasons", "", ""), whole)]
    return [
        {
            **{"state": word, "why": why, "by": by, **({"run": run} if run else {})},
            **{"pools": number, "left_s": _left(until, now)},
        }
        for (word, why, by, run), (number, until, _) in found
    ]


def _left(until: float, now: float) -> float | None:
    return None if until == NEVER else max(0.0, round(until - now, 1))
