"""Steps that put their host back as it was: what goes with that, and which step ends it."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

from fleetctl.base.names import did_you_mean
from fleetctl.plan.model import PlanStep
from fleetctl.playbook.model import Mistakes, Step
from fleetctl.playbook.operations import Exec

Made = tuple[Step, Sequence[PlanStep]]
"""A step as it was written, and what was made of it."""


def with_restores(made: Sequence[Made], mistakes: Mistakes) -> tuple[PlanStep, ...]:
    """All steps in order; where one names the step that restores, that one's key is put in."""
    found: list[PlanStep] = []
    for place, (step, planned) in enumerate(made):
        if any(_restores(each) for each in planned):
            _check_company(step, mistakes)
        elif step.options.restored_by and planned:
            mistakes.add(
                "restored_by without restore",
                step.written.at("restored_by"),
                hint="say in `restore` what puts the host back when that step does not",
            )
        by = _key_of(step, made[place + 1 :], mistakes) if step.options.restored_by else ""
        found += [
            msgspec.structs.replace(each, restored_by=by) if by and _restores(each) else each
            for each in planned
        ]
    return tuple(found)


def _restores(step: PlanStep) -> bool:
    return isinstance(step.operation, Exec) and bool(step.operation.restore)


def _check_company(step: Step, mistakes: Mistakes) -> None:
    if step.options.undo:
        hint = "say restore alone: it runs when the step is undone, too"
        mistakes.add("a step has undo or restore, not both", step.written.at("undo"), hint=hint)
    if step.options.once:
        hint = "the others hang on what it did; let each host do it, or put it in a gate"
        mistakes.add("a step that runs once has no restore", step.written.at("once"), hint=hint)


def _key_of(step: Step, after: Sequence[Made], mistakes: Mistakes) -> str:
    """The key of the last part of the step that is named."""
    wanted = step.options.restored_by
    names = {each.options.name: planned for each, planned in after if each.options.name}
    planned = names.get(wanted)
    if planned is None:
        hint = did_you_mean(wanted, names) if names else "give the later step a `name`"
        mistakes.add(
            f'no later step of the phase is named "{wanted}"',
            step.written.at("restored_by"),
            hint=hint,
        )
        return ""
    if not planned:
        return ""
    place = step.written.at("restored_by")
    if planned[-1].once:
        hint = "name a step that every host does"
        mistakes.add(f'"{wanted}" runs once, so it puts no other host back', place, hint=hint)
    if _restores(planned[-1]):
        mistakes.add(f'"{wanted}" is put back itself, so it ends nothing', place)
    return planned[-1].key
