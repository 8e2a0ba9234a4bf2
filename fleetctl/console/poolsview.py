"""What overseers told last, as lines of a page: by kind, by host, by instance. Pure.

Who is silent, or told too long ago, is unknown: named, and in no sum.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import NamedTuple

from fleetctl.base.durations import format_duration
from fleetctl.base.hostrange import fold
from fleetctl.pools.cache import HostPools, Remembered
from fleetctl.pools.tallies import Group, Hold, Tally, total
from fleetctl.pools.words import HOST_LOOKS, LOOKS, WRONG, Look, faults_of
from fleetctl.report.page import clock_text

STALE_S = 900.0
"""What was told before that is no word about now, when nobody asks again and again."""
RANK = {"FAILED": 0, "BACKOFF": 1}

Standing = Callable[[str], str]
"""Of a run that holds pools: live, over, or nothing, where that cannot be known here."""
_STANDINGS = {
    "live": ", which is at work",
    "over": ", which is over: fleetctl runs resume {run}, or fleetctl pools release {run}",
}


def _unasked(run: str) -> str:
    return ""


class Share(NamedTuple):
    """Slots of a line in one state, and its part of the bar."""

    word: str
    look: Look
    size: int
    x: float
    width: float
    """Of 100."""


class Line(NamedTuple):
    """One kind, host, or instance."""

    name: str
    hosts: int
    shares: tuple[Share, ...]
    group: Group
    troubles: tuple[str, ...]
    holds: tuple[str, ...]
    tasks: str
    next_wake_s: float | None
    """Unix time."""
    density: str
    """Instances a host keeps, and how full its memory is."""
    wrong: bool
    told_s: float = 0.0
    faults: tuple[str, ...] = ()
    """Of a host: what is wrong with its overseer itself."""


class Unknown(NamedTuple):
    """Hosts nothing is known of now, for one reason."""

    look: Look
    why: str
    hosts: str
    size: int
    told: str
    """When they told last."""


class Told(NamedTuple):
    """Hosts, parted into those whose word holds and those that are unknown."""

    known: dict[str, HostPools]
    unknown: tuple[Unknown, ...]
    oldest_s: float | None
    """Unix time of the oldest word that holds; None: there is none."""
    past: bool
    """Everything was told too long ago: `known` is how it was then."""


def part(
    remembered: Remembered, keepers: Iterable[str], now_s: float, stale_s: float = STALE_S
) -> Told:
    """`keepers`: hosts that keep pools, by the inventory; one never asked is unknown, too."""
    known: dict[str, HostPools] = {}
    old: dict[str, HostPools] = {}
    reasons: dict[tuple[str, str], list[str]] = {}
    for host in keepers:
        one = remembered.hosts.get(host)
        if one is not None and not one.silent and now_s - one.told_s <= stale_s:
            known[host] = one
            continue
        if one is not None and not one.silent:
            old[host] = one
        state = "unknown" if one is None or not one.silent else one.silent
        reasons.setdefault((state, _why(one)), []).append(host)
    unknown = tuple(
        Unknown(HOST_LOOKS.get(state, HOST_LOOKS["unknown"]), why, fold(hosts), len(hosts),
                _told_words(remembered, hosts, now_s))
        for (state, why), hosts in sorted(reasons.items())
    )  # fmt: skip
    past = not known and bool(old)
    shown = old if past else known
    oldest_s = min((one.told_s for one in shown.values()), default=None)
    return Told(shown, unknown, oldest_s, past)


def kind_lines(told: Told, standing: Standing = _unasked) -> list[Line]:
    """A line a kind, the worst first."""
    kinds: dict[str, dict[str, Group]] = {}
    for host, one in told.known.items():
        for kind, group in one.groups.items():
            kinds.setdefault(kind, {})[host] = group
    return _ordered(
        _line(
            kind,
            total(groups.values()),
            {host: told.known[host] for host in groups},
            standing=standing,
        )
        for kind, groups in kinds.items()
    )


def host_lines(told: Told, standing: Standing = _unasked) -> list[Line]:
    """A line a host, the worst first."""
    lines = []
    for host, one in told.known.items():
        instances = round(one.overseer.get("instances", 0))
        line = _line(host, total(one.groups.values()), {host: one}, instances, standing=standing)
        faults = faults_of(one.overseer)
        lines.append(line._replace(faults=faults, wrong=line.wrong or bool(faults)))
    return _ordered(lines)


def overseers_in_trouble(told: Told) -> tuple[str, ...]:
    """What is wrong with overseers themselves, and where; a fault is no kind's or instance's."""
    faults: dict[str, list[str]] = {}
    for host, one in told.known.items():
        for fault in faults_of(one.overseer):
            faults.setdefault(fault, []).append(host)
    return tuple(f"{fault} on {fold(hosts)}" for fault, hosts in faults.items())


class Instances:
    """Instances of many hosts in the order of a page: those with troubles first, then by name."""

    def __init__(self, tallies: Mapping[str, Tally], told_s: float) -> None:
        """`told_s`: Unix time of the tallies."""
        self._told_s = told_s
        self._groups: dict[str, dict[str, Group]] = {}
        """Instance -> host -> what it keeps there."""
        for host, tally in tallies.items():
            for name, group in tally.groups.items():
                self._groups.setdefault(name, {})[host] = group
        self._order = sorted(self._groups, key=lambda name: (self._rank(name), name))
        self.left_out = sum(tally.left_out for tally in tallies.values())
        """Instances that were only counted."""

    def named(self, wanted: str, hosts: Iterable[str]) -> list[str]:
        """Names of instances of these hosts that have that text in them, in order."""
        chosen = frozenset(hosts)
        return [
            name for name in self._order
            if wanted in name and not chosen.isdisjoint(self._groups[name])
        ]  # fmt: skip

    def line(self, name: str, hosts: Iterable[str], standing: Standing = _unasked) -> Line:
        """One instance on these hosts."""
        chosen = frozenset(hosts)
        groups = [group for host, group in self._groups[name].items() if host in chosen]
        own = groups[0] if len(groups) == 1 else total(groups)
        return _line(name, own, {}, told_s=self._told_s, hosts=len(groups), standing=standing)

    def _rank(self, name: str) -> int:
        words = (one.state for group in self._groups[name].values() for one in group.troubles)
        return min((RANK.get(word, 2) for word in words), default=3)


def _line(
    name: str, group: Group, its: Mapping[str, HostPools], instances: int | None = None, *,
    told_s: float | None = None, hosts: int = 0, standing: Standing = _unasked,
) -> Line:  # fmt: skip
    at_s = told_s if told_s is not None else min((one.told_s for one in its.values()), default=0.0)
    wake = group.next_wake_s
    shares = tuple(_shares(group.slots))
    over = [one for one in group.holds if _standing(one, standing) == "over"]
    troubles = (
        *(f"{one.state} {one.cause}: {_pools(one.pools)}{_at(at_s, one.next_s, 'next')}"
          for one in group.troubles),
        *(_hold_words(one, at_s, standing) for one in over),
    )  # fmt: skip
    return Line(
        name, len(its) or hosts, shares, group,
        troubles, tuple(_hold_words(one, at_s, standing) for one in group.holds
                        if _standing(one, standing) != "over"),
        _tasks(group), None if wake is None else at_s + wake,
        _density(its, group.instances if instances is None else instances),
        any(share.word in WRONG for share in shares) or bool(troubles),
        at_s,
    )  # fmt: skip


def _standing(hold: Hold, standing: Standing) -> str:
    return (standing(hold.run) or hold.standing) if hold.run else ""


def _hold_words(hold: Hold, at_s: float, standing: Standing) -> str:
    """Who keeps pools down, why and for how long; of a run, whether it will let go."""
    if hold.run:
        known = _STANDINGS.get(_standing(hold, standing), ", of which nothing is known here")
        return f"{hold.state} by run {hold.run}: {_pools(hold.pools)}{known.format(run=hold.run)}"
    by, until = hold.by or "nobody named", _at(at_s, hold.left_s, "until")
    return f"{hold.state} by {by}: {_pools(hold.pools)}, {hold.why}{until}"


def _shares(slots: Mapping[str, int]) -> Iterator[Share]:
    """States in the order of every listing; one we do not know is unknown, not left out."""
    found: dict[str, int] = {}
    for word, count in slots.items():
        known = word if word in LOOKS else "unknown"
        found[known] = found.get(known, 0) + count
    of, x = sum(found.values()), 0.0
    for word, look in LOOKS.items():
        count = found.get(word, 0)
        if count:
            width = 100.0 * count / of
            yield Share(word, look, count, round(x, 2), round(width, 2))
            x += width


def _tasks(group: Group) -> str:
    """How many nobody has taken, and for how long the oldest; what nobody counts is no zero."""
    words = []
    if group.pools > group.uncounted + group.uncertain:
        oldest = f", oldest {format_duration(group.oldest_s)}" if group.oldest_s else ""
        words.append(f"{group.claimable}{oldest}")
    if group.uncertain:
        words.append(f"? unknown of {_pools(group.uncertain)}")
    if not words:
        return "not counted"
    return "; ".join(words)


def _density(its: Mapping[str, HostPools], instances: int) -> str:
    if not its:
        return ""
    full = [one.overseer["fullness_percent"] for one in its.values()
            if "fullness_percent" in one.overseer]  # fmt: skip
    words = f"{instances / len(its):.0f} a host" if len(its) > 1 else str(instances)
    if full:
        words += f", {max(full):.0f}% full"
    return words


def _pools(count: int) -> str:
    return f"{count} pool" + ("" if count == 1 else "s")


def _at(told_s: float, left_s: float | None, word: str) -> str:
    return "" if left_s is None else f", {word} {clock_text(told_s + left_s)}"


def _why(one: HostPools | None) -> str:
    if one is None:
        return "never asked"
    return one.silent if one.silent else "told too long ago"


def _told_words(remembered: Remembered, hosts: Iterable[str], now_s: float) -> str:
    told = [remembered.hosts[host].told_s for host in hosts if host in remembered.hosts]
    told = [at_s for at_s in told if at_s]
    if not told:
        return "never told anything"
    return f"told last {format_duration(max(0.0, now_s - max(told)))} ago"


def _ordered(lines: Iterable[Line]) -> list[Line]:
    return sorted(lines, key=lambda line: (not line.wrong, line.name))
