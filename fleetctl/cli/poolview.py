"""What the overseers of a fleet told, as rows and as a picture for people: pure.

A host that told nothing is a row of its own, or is named in the row of its tier; nothing of it is
ever added up.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import msgspec

from fleetctl.base.errors import ExitCode
from fleetctl.base.outcome import Outcome, exit_code_of
from fleetctl.cli.overseers import Silent
from fleetctl.pools.tallies import Group, Tally, total
from fleetctl.pools.words import LOOKS, WRONG, faults_of

BY = ("kind", "host", "instance", "tier")
Answers = Mapping[str, Tally | Silent]

STATES = tuple(word for word in LOOKS if word not in ("running", "unknown"))
COLUMNS = (
    *(
        "hosts",
        "instances",
        "pools",
        *STATES,
        "unknown_hosts",
        "failing_hosts",
        "errors_15m",
        "claimable",
    ),
    *("oldest_s", "uncounted", "uncertain", "next_wake_s", "processes", "memory_mb", "measured"),
    *("places", "instances_per_host", "fullness_percent", "fullest_percent", "words", "troubles"),
    *("holds", "silent"),
)
"""Of a row, after what it is about; null where it is not known or has no meaning."""


class Row(msgspec.Struct, frozen=True):
    """One line of a status."""

    name: str
    """A kind, host, instance or tier; empty: hosts that told nothing, or what is only counted."""
    group: Group = Group()
    hosts: tuple[str, ...] = ()
    """Hosts that told of it."""
    instances_per_host: float | None = None
    fullness: tuple[float, float] | None = None
    """Percent of the memory of its hosts that may be used: the mean, and the fullest."""
    silent: Mapping[str, Silent] = {}
    """Hosts that told nothing and belong to this row."""
    failing: Mapping[str, tuple[str, ...]] = {}
    """Hosts whose overseer is in trouble itself, and what is wrong with it."""
    rest: int = 0
    """So many further instances are counted together here."""


class Scope(msgspec.Struct, frozen=True):
    """What a status is about."""

    by: str
    tiers: Mapping[str, str]
    """Host -> its tier, of all that were asked."""
    kinds: tuple[str, ...] = ()
    """Patterns; empty: all kinds."""
    whole: bool = False
    """Also instances that sleep as they should, one by one."""


def rows_of(answers: Answers, scope: Scope) -> list[Row]:
    """The lines of a status, those that told nothing last."""
    told = {host: answer for host, answer in answers.items() if isinstance(answer, Tally)}
    silent = {host: answer for host, answer in answers.items() if isinstance(answer, Silent)}
    if scope.by == "tier":
        return _tier_rows(told, silent, scope)
    if scope.by == "host":
        rows = [_of_hosts(host, {host: tally}, scope) for host, tally in told.items()]
        return rows + [Row(host, silent={host: answer}) for host, answer in silent.items()]
    rows = _instance_rows(told, scope) if scope.by == "instance" else _kind_rows(told, scope)
    return rows + ([Row("", silent=silent)] if silent else [])


def _kind_rows(told: Mapping[str, Tally], scope: Scope) -> list[Row]:
    rows = []
    for kind in sorted({kind for tally in told.values() for kind in tally.groups}):
        if not _chosen(kind, scope):
            continue
        its = {host: tally for host, tally in told.items() if kind in tally.groups}
        group = total(tally.groups[kind] for tally in its.values())
        rows.append(_row(kind, group, its, group.instances))
    return rows


def _tier_rows(told: Mapping[str, Tally], silent: Mapping[str, Silent], scope: Scope) -> list[Row]:
    rows = []
    for tier in dict.fromkeys(scope.tiers.values()):
        its = {host: tally for host, tally in told.items() if scope.tiers[host] == tier}
        lost = {host: one for host, one in silent.items() if scope.tiers[host] == tier}
        row = _of_hosts(tier, its, scope)
        rows.append(msgspec.structs.replace(row, silent=lost))
    return rows


def _of_hosts(name: str, told: Mapping[str, Tally], scope: Scope) -> Row:
    """All that some hosts keep. An instance has pools of several kinds there."""
    group = total(
        group
        for tally in told.values()
        for kind, group in tally.groups.items()
        if _chosen(kind, scope)
    )
    instances = round(sum(tally.overseer.get("instances", 0.0) for tally in told.values()))
    return _row(name, msgspec.structs.replace(group, instances=instances), told, instances)


def _instance_rows(told: Mapping[str, Tally], scope: Scope) -> list[Row]:
    found: dict[str, dict[str, Group]] = {}
    for host, tally in told.items():
        for name, group in tally.groups.items():
            found.setdefault(name, {})[host] = group
    rows, asleep = [], []
    for name, groups in sorted(found.items()):
        whole = msgspec.structs.replace(total(groups.values()), instances=1)
        if scope.whole or not _sleeps_well(whole):
            rows.append(Row(name, whole, tuple(groups)))
        else:
            asleep.append(whole)
    rest = [*asleep, *(tally.rest for tally in told.values())]
    count = len(asleep) + sum(tally.left_out for tally in told.values())
    rows.sort(key=lambda row: (not row.group.troubles, row.name))
    if count or failing(told):
        rows.append(Row("", total(rest), tuple(told), failing=failing(told), rest=count))
    return rows


def _sleeps_well(group: Group) -> bool:
    """Nothing is to be said of it but that it sleeps."""
    return set(group.words) <= {"HIBERNATING"} and not group.errors_15m and not group.claimable


def _row(name: str, group: Group, its: Mapping[str, Tally], instances: int) -> Row:
    full = [
        t.overseer["fullness_percent"] for t in its.values() if "fullness_percent" in t.overseer
    ]
    return Row(
        name,
        group,
        tuple(its),
        instances_per_host=round(instances / len(its), 1) if its else None,
        fullness=(round(sum(full) / len(full), 1), max(full)) if full else None,
        failing=failing(its),
    )


def failing(told: Mapping[str, Tally]) -> dict[str, tuple[str, ...]]:
    """Hosts whose overseer says that it is in trouble itself, and with what."""
    found = {host: faults_of(tally.overseer) for host, tally in told.items()}
    return {host: faults for host, faults in found.items() if faults}


def _chosen(kind: str, scope: Scope) -> bool:
    return not scope.kinds or fits(kind, scope.kinds)


def fits(kind: str, patterns: Sequence[str]) -> bool:
    """Whether a kind is one of some words; * and ? may stand for more."""
    from fnmatch import fnmatchcase

    return any(fnmatchcase(kind, pattern) for pattern in patterns)


def as_data(row: Row, by: str) -> dict[str, Any]:
    """A row for programs."""
    silent = {host: f"{one.state}: {one.detail}" for host, one in row.silent.items()}
    data: dict[str, Any] = {by: row.name or None, "silent": silent, "unknown_hosts": len(silent)}
    if not row.hosts:
        return data | {"hosts": 0}
    group = msgspec.structs.asdict(row.group)
    group["troubles"] = [msgspec.structs.asdict(one) for one in row.group.troubles]
    group["holds"] = [msgspec.structs.asdict(one) for one in row.group.holds]
    mean, most = row.fullness or (None, None)
    return {
        **data,
        **{state: row.group.slots.get(state, 0) for state in STATES},
        **group,
        "hosts": len(row.hosts),
        "failing_hosts": list(row.failing),
        "instances_per_host": row.instances_per_host,
        "fullness_percent": mean,
        "fullest_percent": most,
    }


def verdict(rows: Sequence[Row]) -> ExitCode:
    """0: all told, all well; 1: something is wrong; 3: unknown; 4: only unreachable hosts."""
    return exit_code_of(_outcomes(rows))


def _outcomes(rows: Iterable[Row]) -> Iterable[Outcome]:
    for row in rows:
        wrong = row.failing or any(word.upper() in row.group.words for word in WRONG)
        held = {hold.standing for hold in row.group.holds}
        yield Outcome.FAILED if wrong or "over" in held else Outcome.OK
        yield Outcome.UNKNOWN if "unknown" in held else Outcome.OK
        yield from (one.outcome for one in row.silent.values())
