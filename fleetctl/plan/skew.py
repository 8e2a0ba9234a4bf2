"""Code and schemas: a release that needs a schema comes after the phase that brings it.

Numbers of migrations grow, and a schema must serve the release before it as well (expand first,
contract a release later), so an instance that is further on than a release needs is no trouble.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from msgspec import UNSET, UnsetType

from fleetctl.base.errors import Location
from fleetctl.plan.model import Plan, PlanPhase, SchemaGuard
from fleetctl.playbook.kinds import RELEASE, Artifact, SchemaNumber, SchemaWords, step_kinds
from fleetctl.playbook.model import Mistakes, Phase, Step

_NEWEST = 0
_NOT_HERE = "which this plan does not bring: see `fleetctl schema status`"


def guard_of(
    phase: Phase, artifact: Artifact | None, mistakes: Mistakes
) -> SchemaGuard | UnsetType:
    """What the phase says of schemas, with the release's number put in; mistakes are noted."""
    needs, upgrades, to = 0, False, _NEWEST
    for step, words in _said(phase):
        # That no release is pinned is told already.
        if words.needs == RELEASE and artifact is not None and not artifact.schema:
            mistakes.add(
                f"{artifact.release} does not say which schema it needs",
                _place(step),
                hint="fleetctl releases add ... --schema NUMBER, or write the number here",
            )
        needs = max(needs, _number(words.needs, artifact))
        if words.upgrades:
            upgrades, to = True, _number(words.to, artifact)
    return SchemaGuard(needs, upgrades, to) if needs or upgrades else UNSET


def check_order(
    phases: Sequence[Phase], made: Sequence[PlanPhase | None], mistakes: Mistakes
) -> None:
    """Note every planned phase whose release no phase before it brings the schema for.

    Phases that are left out of this plan count as well: they were run before, or will be.
    """
    planned = {phase.name: phase for phase in made if phase is not None}
    by_name = {phase.name: phase for phase in phases}
    for phase in phases:
        plan = planned.get(phase.name)
        guard = plan.schema if plan is not None else UNSET
        if guard is UNSET or not guard.needs or (guard.upgrades and brings(guard, guard.needs)):
            continue
        assert plan is not None
        before = _before(phase, by_name)
        bringing = [one for one in phases if _upgrades_to(one, guard.needs, planned)]
        if not any(one.name in before for one in bringing):
            _tell(phase, plan, bringing, list(phases), mistakes)


def schema_words(plan: Plan, phase: PlanPhase) -> str:
    """What a person should know of the phase and schemas before saying yes; may be empty."""
    guard = phase.schema
    if guard is UNSET:
        return ""
    if guard.upgrades:
        return f"brings every instance to {guard.to or 'the newest migration'}"
    bringing = [
        one.name
        for one in plan.phases
        if one.schema is not UNSET and one.schema.upgrades and brings(one.schema, guard.needs)
    ]
    by = f"brought by {bringing[0]}" if bringing else _NOT_HERE
    return f"{phase.release} needs {guard.needs}, {by}"


def _tell(
    phase: Phase, plan: PlanPhase, bringing: list[Phase], phases: list[Phase], mistakes: Mistakes
) -> None:
    assert plan.schema is not UNSET
    step = next(step for step, words in _said(phase) if words.needs is not None)
    why = hint = ""
    if not bringing:
        most = max((one for one in phases if _upgrades(one)), key=_written_to, default=None)
        why = (
            "no phase upgrades schemas"
            if most is None
            else f"phase {most.name} brings them to {_written_to(most)}"
        )
        hint = "a `schema-upgrade` step in a phase before it does; see docs/schema.md"
    elif phases.index(bringing[0]) > phases.index(phase):
        why = f"phase {bringing[0].name} does, and comes later"
        hint = f"move phase {bringing[0].name} up"
    else:
        why = f"phase {bringing[0].name} does, but this one would start even if that one failed"
        hint = f"add {bringing[0].name} to its needs"
    what = f"phase {phase.name} deploys {plan.release}, which needs schema {plan.schema.needs}"
    mistakes.add(
        f"{what}, but no phase it needs upgrades to that", _place(step), why=why, hint=hint
    )


def _said(phase: Phase) -> list[tuple[Step, SchemaWords]]:
    kinds = step_kinds()
    found = []
    for step in phase.steps:
        words = kinds[step.kind].schema
        if words is not None:
            found.append((step, words(step.value)))
    return found


def _place(step: Step) -> Location:
    return step.written.at(step.kind, "requires", "schema")


def _number(word: SchemaNumber | None, artifact: Artifact | None) -> int:
    if word == RELEASE:
        return artifact.schema if artifact else 0
    return word or 0


def _upgrades(phase: Phase) -> bool:
    return any(words.upgrades for _, words in _said(phase))


def _upgrades_to(phase: Phase, needed: int, planned: Mapping[str, PlanPhase]) -> bool:
    """Whether it brings what is needed; of a phase not planned, as far as its text says."""
    made = planned.get(phase.name)
    if made is not None and made.schema is not UNSET:
        return made.schema.upgrades and brings(made.schema, needed)
    tos = [words.to for _, words in _said(phase) if words.upgrades]
    return any(to is None or to == RELEASE or to >= needed for to in tos)


def brings(guard: SchemaGuard, needed: int) -> bool:
    """Whether a phase that upgrades brings instances as far as is needed."""
    return guard.to == _NEWEST or guard.to >= needed


def _written_to(phase: Phase) -> int:
    return max(
        (words.to for _, words in _said(phase) if isinstance(words.to, int)), default=_NEWEST
    )


def _before(phase: Phase, by_name: Mapping[str, Phase]) -> set[str]:
    """Every phase it needs, and what those need in turn."""
    found: set[str] = set()
    pending = list(phase.needs)
    while pending:
        name = pending.pop()
        if name not in found and name in by_name:
            found.add(name)
            pending += by_name[name].needs
    return found
