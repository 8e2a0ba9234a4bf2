"""What overseers tell in a tally, typed, and the sum of many."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, Literal

import msgspec


class Trouble(msgspec.Struct, frozen=True):
    """Pools that rest after errors, of one word and cause."""

    state: str
    """BACKOFF or FAILED."""
    cause: str
    pools: int
    next_s: float | None = None
    """Seconds until the first of them is tried again."""
    pool: str = ""
    """Which that is; empty: an older overseer does not tell."""
    host: str = ""
    """Where it is kept."""


class Hold(msgspec.Struct, frozen=True):
    """Pools that somebody paused or drained, or that a run holds, with one reason."""

    state: str
    """PAUSED, DRAINING, DRAINED or HELD."""
    why: str
    by: str
    pools: int
    left_s: float | None = None
    """Seconds until the first of them is resumed; None: when somebody does it."""
    run: str = ""
    """Whose hold it is; empty: a person's, who said so to the overseer."""
    standing: Literal["", "live", "over", "unknown"] = ""
    """What is known of that run; empty: nobody asked."""


class Group(msgspec.Struct, frozen=True, omit_defaults=True):
    """Pools counted together: of one kind, instance, host or tier."""

    pools: int = 0
    instances: int = 0
    words: dict[str, int] = {}
    """Pool's word -> pools; they add up to `pools`."""
    slots: dict[str, int] = {}
    """State (see `words.LOOKS`) -> slots; a pool without any counts as one, paused or empty."""
    places: int = 0
    """Processes there may be at once."""
    processes: int = 0
    errors_15m: int = 0
    claimable: int = 0
    """Tasks nobody has taken yet, of the pools whose tasks are counted."""
    oldest_s: float | None = None
    """For how long the worst of them has had some; None: there are none, or nobody counts."""
    uncounted: int = 0
    """Pools whose tasks nobody counts."""
    uncertain: int = 0
    """Pools whose tasks should be counted, and the source fails."""
    next_wake_s: float | None = None
    """Seconds until the first sleeper's time comes; work may wake it sooner."""
    memory_mb: float = 0.0
    """Resident memory of the measured processes; shared pages count in each."""
    measured: int = 0
    """Processes whose memory was measured."""
    troubles: tuple[Trouble, ...] = ()
    holds: tuple[Hold, ...] = ()


class Tally(msgspec.Struct, frozen=True):
    """One overseer's answer."""

    at: float
    """When it was told, by the host's clock."""
    by: str
    """kind or instance."""
    kinds: tuple[str, ...]
    """Every kind the overseer keeps, whatever was asked for."""
    groups: dict[str, Group]
    rest: Group
    """What was left out of `groups` for length."""
    left_out: int
    """So many groups are in `rest`."""
    overseer: dict[str, float]
    """Its own figures and the host's: instances, memory_total_mb, fullness_percent, ..."""
    version: str = ""
    """Of the program; empty: it does not tell."""


def tally_of(answer: Mapping[str, Any], host: str) -> Tally:
    """The answer of a host's overseer to `tally`; raises ValueError for what is none."""
    tally = msgspec.convert(answer, Tally)
    groups = {name: _placed(group, host) for name, group in tally.groups.items()}
    return msgspec.structs.replace(tally, groups=groups, rest=_placed(tally.rest, host))


def _placed(group: Group, host: str) -> Group:
    if not group.troubles:
        return group
    troubles = tuple(msgspec.structs.replace(one, host=host) for one in group.troubles)
    return msgspec.structs.replace(group, troubles=troubles)


def total(groups: Iterable[Group]) -> Group:
    """Many groups as one. Instances are added: groups that share some make it too many."""
    told = list(groups)
    return Group(
        **{name: sum(getattr(group, name) for group in told) for name in _ADDED},
        memory_mb=round(sum(group.memory_mb for group in told), 1),
        words=_added(group.words for group in told),
        slots=_added(group.slots for group in told),
        oldest_s=_extreme(max, (group.oldest_s for group in told)),
        next_wake_s=_extreme(min, (group.next_wake_s for group in told)),
        troubles=_troubles(told),
        holds=_holds(told),
    )


_ADDED = (
    *("pools", "instances", "places", "processes", "errors_15m", "claimable"),
    *("uncounted", "uncertain", "measured"),
)


def _added(counts: Iterable[Mapping[str, int]]) -> dict[str, int]:
    found: dict[str, int] = {}
    for one in counts:
        for word, number in one.items():
            found[word] = found.get(word, 0) + number
    return found


def _extreme(choose: Any, times: Iterable[float | None]) -> float | None:
    known = [time for time in times if time is not None]
    return choose(known) if known else None


def _troubles(groups: Iterable[Group]) -> tuple[Trouble, ...]:
    """Added by word and cause; the most pools first."""
    found: dict[tuple[str, str], list[Trouble]] = {}
    for group in groups:
        for one in group.troubles:
            found.setdefault((one.state, one.cause), []).append(one)
    merged = []
    for ones in found.values():
        first = min(ones, key=lambda one: (one.next_s is None, one.next_s or 0.0))
        merged.append(msgspec.structs.replace(first, pools=sum(one.pools for one in ones)))
    return tuple(sorted(merged, key=lambda one: (one.state != "FAILED", -one.pools, one.cause)))


def _holds(groups: Iterable[Group]) -> tuple[Hold, ...]:
    """Added by word, reason, person and run; the most pools first."""
    found: dict[tuple[str, str, str, str], list[Hold]] = {}
    for group in groups:
        for one in group.holds:
            found.setdefault((one.state, one.why, one.by, one.run), []).append(one)
    merged = [
        msgspec.structs.replace(
            ones[0],
            pools=sum(one.pools for one in ones),
            left_s=_extreme(min, (one.left_s for one in ones)),
        )
        for ones in found.values()
    ]
    return tuple(sorted(merged, key=lambda one: (-one.pools, one.why)))
