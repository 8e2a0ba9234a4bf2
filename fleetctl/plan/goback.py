"""The way back: a playbook's phases that deploy, last first, with the steps that serve both ways.

Pure. A phase deploys one release, so one whose hosts ran different ones before becomes several.
"""

from __future__ import annotations

import itertools
from collections.abc import Collection, Iterator, Mapping, Sequence

import msgspec
from msgspec.structs import replace

from fleetctl.inventory.expression import Either, Expression, Named
from fleetctl.plan.model import Plan
from fleetctl.playbook.kinds import step_kinds
from fleetctl.playbook.model import Gate, Phase, Playbook, Step
from fleetctl.playbook.steps.deploy import Deploy, Requires

_SERVES_BOTH_WAYS = frozenset({"deploy", "pools", "stop", "start", "restart", "wait"})
_NAME_MAX = 40


class WayBack(msgspec.Struct, frozen=True):
    """A playbook that goes back, and what it does not take back."""

    playbook: Playbook
    hosts: frozenset[str]
    """Hosts its phases work on."""
    steps: tuple[str, ...] = ()
    """Steps of its phases that are left out, with their phase."""
    phases: tuple[str, ...] = ()
    """Phases that deploy nothing, and so are left out."""
    approvals: tuple[str, ...] = ()
    """Phases whose question to a person is left out: it asks about going on."""


def way_back(
    book: Playbook, picked: Mapping[str, Collection[str]], targets: Mapping[str, str], title: str
) -> WayBack:
    """The way back to `targets` (host -> release) through the phases of `book`.

    `picked`: phase -> the hosts its selector means, in inventory order.
    """
    deploying = [phase for phase in book.phases if _deploys(phase)]
    taken = {phase.name for phase in book.phases}
    pieces: dict[str, list[Phase]] = {}
    for phase in reversed(deploying):
        groups = _groups([name for name in picked[phase.name] if name in targets], targets)
        if groups:
            pieces[phase.name] = list(_pieces(_going_back(phase), groups, taken))
    hosts = {name for phase in deploying for name in picked[phase.name] if name in targets}
    kept = [phase for phase in deploying if phase.name in pieces]
    phases = tuple(_with_needs(book, pieces))
    return WayBack(
        replace(book, title=title, phases=phases, selection="free"),
        frozenset(hosts),
        tuple(f"{words_of(s)} ({p.name})" for p in kept for s in p.steps if not _stays(s, p)),
        tuple(phase.name for phase in book.phases if not _deploys(phase)),
        tuple(phase.name for phase in kept if any(g.kind == "approval" for g in phase.gates)),
    )


def exact_of(
    plan_tiers: Mapping[str, str], targets: Mapping[str, str]
) -> tuple[dict[str, str], dict[str, str]]:
    """Tier -> the release most of its hosts go to, and host -> release where that is another.

    `plan_tiers`: host -> its tier.
    """
    counts: dict[str, dict[str, int]] = {}
    for host, release in targets.items():
        of_tier = counts.setdefault(plan_tiers[host], {})
        of_tier[release] = of_tier.get(release, 0) + 1
    tiers = {tier: max(found, key=lambda one: found[one]) for tier, found in counts.items()}
    exact = {
        host: release for host, release in targets.items() if tiers[plan_tiers[host]] != release
    }
    return tiers, exact


def switches_of(plan: Plan) -> frozenset[str]:
    """Keys of the steps that make another release live."""
    return frozenset(
        step.key for phase in plan.phases for step in phase.steps if step.undo_reads_release
    )


def words_of(step: Step) -> str:
    """A step as its author calls it, else its kind and the beginning of what it runs."""
    if step.options.name:
        return step.options.name
    value = " ".join(step.value) if isinstance(step.value, tuple) else step.value
    text = f"{step.kind} {value}" if isinstance(value, str) else step.kind
    line = text.partition("\n")[0]
    return line if len(line) <= _NAME_MAX else line[: _NAME_MAX - 3] + "..."


def _deploys(phase: Phase) -> bool:
    return phase.hosts is not None and any(
        step_kinds()[step.kind].needs_release and not step.options.once for step in phase.steps
    )


def _stays(step: Step, phase: Phase) -> bool:
    """Whether a step is as right on the way back as on the way there."""
    options = step.options
    if options.once or options.foreach is not None:
        return False
    if step.kind in _SERVES_BOTH_WAYS or options.restore:
        return True
    ends = {one.options.restored_by for one in phase.steps if one.options.restore}
    return bool(options.name) and options.name in ends


def _going_back(phase: Phase) -> Phase:
    steps = [_on_any_schema(step) for step in phase.steps if _stays(step, phase)]
    names = {step.options.name for step in steps}
    return replace(
        phase,
        steps=tuple(_with_end(step, names) for step in steps),
        gates=tuple(gate for gate in phase.gates if _asks_hosts(gate)),
        budget=replace(phase.budget, items=None),
    )


def _asks_hosts(gate: Gate) -> bool:
    return gate.kind != "approval"


def _on_any_schema(step: Step) -> Step:
    """Schemas only grow, so the earlier release finds what it needs."""
    if isinstance(step.value, Deploy):
        return replace(step, value=replace(step.value, requires=Requires()))
    return step


def _with_end(step: Step, names: Collection[str]) -> Step:
    """A step whose `restored_by` was left out is put back in the end."""
    if not step.options.restored_by or step.options.restored_by in names:
        return step
    return replace(step, options=replace(step.options, restored_by=""))


def _groups(names: Sequence[str], targets: Mapping[str, str]) -> list[list[str]]:
    """The hosts by the release they go to."""
    groups: dict[str, list[str]] = {}
    for name in names:
        groups.setdefault(targets[name], []).append(name)
    return list(groups.values())


def _pieces(
    phase: Phase, groups: Sequence[Sequence[str]], taken: Collection[str]
) -> Iterator[Phase]:
    others = (f"{phase.name}-{number}" for number in itertools.count(2))
    names = itertools.chain((phase.name,), (name for name in others if name not in taken))
    for group, name in zip(groups, names, strict=False):
        yield replace(phase, text=replace(phase.text, name=name), hosts=_named(group))


def _named(hosts: Sequence[str]) -> Expression:
    return Either(tuple(Named(name) for name in hosts)) if len(hosts) > 1 else Named(hosts[0])


def _with_needs(book: Playbook, pieces: Mapping[str, Sequence[Phase]]) -> Iterator[Phase]:
    """What needed a phase on the way there comes before it on the way back."""
    before = _all_needs(book)
    for name in pieces:
        needing = [other for other in pieces if name in before[other]]
        # Only the nearest are named: they come after the others themselves.
        near = [one for one in needing if not before[one].intersection(needing)]
        needs = tuple(pieces[one][-1].name for one in near)
        for piece in pieces[name]:
            yield replace(piece, needs=needs)
            needs = (piece.name,)


def _all_needs(book: Playbook) -> dict[str, frozenset[str]]:
    """Phase -> every phase it comes after, by its needs and theirs."""
    found: dict[str, frozenset[str]] = {}
    for phase in book.phases:  # what one needs stands above it
        found[phase.name] = frozenset(phase.needs).union(*(found[need] for need in phase.needs))
    return found
