"""Whether a plan still says what compiling it again would say: its inputs, then and now."""

from __future__ import annotations

from collections.abc import Mapping

from fleetctl.base.errors import Refused
from fleetctl.plan.model import Plan


def changed_inputs(plan: Plan, now: Mapping[str, str]) -> tuple[str, ...]:
    """Labels of the inputs that changed, went away or came, in order."""
    labels = sorted({*plan.inputs, *now})
    return tuple(label for label in labels if plan.inputs.get(label) != now.get(label))


def refuse_stale(plan: Plan, now: Mapping[str, str], where: str) -> None:
    """Raise Refused, naming what changed since the plan was made."""
    changed = changed_inputs(plan, now)
    if changed:
        raise Refused(
            "this plan is stale: what it was made from has changed",
            where=where,
            why="changed: " + ", ".join(changed),
            hint="make the plan again and look at it",
        )
