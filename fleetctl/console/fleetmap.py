"""The fleet by tier: what each host was last read to run, and whether that is what is pinned. Pure.

A host that was never read back is unknown, never fine; so is one a run may have changed since.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import NamedTuple

from fleetctl.base.durations import format_duration
from fleetctl.base.hostrange import fold
from fleetctl.console.hush import release_name
from fleetctl.inventory.model import Fleet
from fleetctl.journal.rows import LiveRelease

GLYPHS = {"as pinned": "✓", "DRIFT": "≠", "no pin": "·", "UNKNOWN": "?"}
"""The states of a host, the worst first in `ORDER`."""
ORDER = ("DRIFT", "UNKNOWN", "no pin", "as pinned")
CELLS_MAX = 400
"""Hosts of a tier that are drawn one by one; larger tiers are told folded only."""


class HostCell(NamedTuple):
    """One host."""

    host: str
    state: str
    release: str
    """Empty: never read back."""
    told: str
    at_work: bool


class Group(NamedTuple):
    """Hosts of a tier that run the same."""

    state: str
    release: str
    hosts: str
    size: int
    age: str
    """Since the one read back longest ago."""

    @property
    def glyph(self) -> str:
        return GLYPHS[self.state]


class Known(NamedTuple):
    """What the journal knows of hosts."""

    live: Mapping[str, LiveRelease]
    """By host: the release last read back."""
    doubtful: frozenset[str] = frozenset()
    """Hosts that may have been changed since."""
    at_work: frozenset[str] = frozenset()
    """Hosts a run is at now."""

    def release_of(self, host: str) -> str:
        """What the host runs; empty when that is not known."""
        read = self.live.get(host)
        return release_name(read.release) if read is not None and host not in self.doubtful else ""


class TierRow(NamedTuple):
    """One tier."""

    tier: str
    pin: str
    size: int
    groups: tuple[Group, ...]
    cells: tuple[HostCell, ...]

    @property
    def state(self) -> str:
        """The worst of its hosts'."""
        return min((group.state for group in self.groups), key=ORDER.index, default="UNKNOWN")

    @property
    def glyph(self) -> str:
        return GLYPHS[self.state]


def fleet_map(
    fleet: Fleet,
    known: Known,
    pins: Mapping[str, str],
    now_s: float,
) -> list[TierRow]:
    """A row a tier, in the order of the inventory."""
    return [
        _tier_row(name, tier.hosts, known, pins.get(name, ""), now_s)
        for name, tier in fleet.tiers.items()
    ]


def counts(rows: list[TierRow]) -> list[tuple[str, str, int]]:
    """Glyph, state, hosts in it; the worst first, none left out that has hosts."""
    found = dict.fromkeys(ORDER, 0)
    for row in rows:
        for group in row.groups:
            found[group.state] += group.size
    return [(GLYPHS[state], state, count) for state, count in found.items() if count]


def _tier_row(name: str, hosts: tuple[str, ...], known: Known, pin: str, now_s: float) -> TierRow:
    shown = hosts if len(hosts) <= CELLS_MAX else ()
    cells = tuple(_cell(host, known, pin, now_s) for host in shown)
    return TierRow(name, pin, len(hosts), tuple(_groups(hosts, known, pin, now_s)), cells)


def _groups(hosts: tuple[str, ...], known: Known, pin: str, now_s: float) -> Iterator[Group]:
    found: dict[tuple[str, str], list[str]] = {}
    for host in hosts:
        release = known.release_of(host)
        found.setdefault((_state(release, pin), release), []).append(host)
    for (state, release), names in sorted(found.items(), key=lambda one: ORDER.index(one[0][0])):
        read = [known.live[name].read_s for name in names] if release else []
        age = format_duration(max(0.0, now_s - min(read))) if read else ""
        yield Group(state, release, fold(names), len(names), age)


def _cell(host: str, known: Known, pin: str, now_s: float) -> HostCell:
    release, at_work = known.release_of(host), host in known.at_work
    state = _state(release, pin)
    if release:
        age = format_duration(max(0.0, now_s - known.live[host].read_s))
        told = f"{host}: {state}, {release} read back {age} ago"
    elif host in known.live:
        told = f"{host}: UNKNOWN, it may have been changed since it was read back"
    else:
        told = f"{host}: UNKNOWN, never read back"
    return HostCell(host, state, release, told, at_work)


def _state(release: str, pin: str) -> str:
    if not release:
        return "UNKNOWN"
    if not pin:
        return "no pin"
    return "as pinned" if release == pin else "DRIFT"
