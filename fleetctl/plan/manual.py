"""What people do in a plan: phases without hosts, and which hosts nobody reaches."""

from __future__ import annotations

from collections.abc import Sequence

from fleetctl.plan.drafts import Making, make_steps
from fleetctl.plan.model import Budget, Gate, PlanPhase, PlanStep
from fleetctl.plan.names import check_names_without_hosts, same_everywhere
from fleetctl.plan.request import PlanRequest
from fleetctl.playbook.kinds import KindContext
from fleetctl.playbook.model import Mistakes, Phase
from fleetctl.playbook.operations import Manual


def make_hostless(
    request: PlanRequest,
    each: tuple[int, Phase, list[str]],
    needs: tuple[str, ...],
    run_size: int,
    mistakes: Mistakes,
) -> PlanPhase | None:
    """A phase all of whose steps a person does: each is asked like a gate before the phase."""
    number, phase, _ = each
    before = len(mistakes.errors)
    check_names_without_hosts(phase, request, mistakes)
    context = KindContext(request.playbook.folder, None, request.measure)
    known = same_everywhere(phase, (), request)
    steps = make_steps(Making(phase, number, context, 0.0, known, mistakes))
    if len(mistakes.errors) > before:
        return None
    gates = tuple(_gate(step) for step in steps)
    return PlanPhase(phase.name, needs, (), (), gates, Budget(), limit=1)


def _gate(step: PlanStep) -> Gate:
    assert isinstance(step.operation, Manual)
    return Gate(step.key, step.title, step.operation, "before", step.timeout_s)


def reached_of(phases: Sequence[PlanPhase]) -> set[str]:
    """Hosts something is sent to: all but those of phases a person does alone."""
    return {
        name
        for phase in phases
        if not (phase.steps and all(isinstance(step.operation, Manual) for step in phase.steps))
        for batch in phase.batches
        for name in batch
    }
