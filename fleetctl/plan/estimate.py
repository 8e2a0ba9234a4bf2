"""How long a plan will take, from what its steps took lately."""

from __future__ import annotations

import math
from collections.abc import Mapping

from fleetctl.plan.history import History
from fleetctl.plan.model import Plan, PlanPhase, PlanStep
from fleetctl.playbook.operations import Approval, Manual, Pause


def estimate_s(plan: Plan, history: History) -> float | None:
    """Seconds the plan will take without waits for people; None when a step was never timed."""
    total = 0.0
    for phase in plan.phases:
        phase_s = _phase_s(plan, phase, history)
        if phase_s is None:
            return None
        total += phase_s
    return total


def _phase_s(plan: Plan, phase: PlanPhase, history: History) -> float | None:
    by_tier: dict[str, float] = {}
    for tier in {plan.hosts[name].tier for batch in phase.batches for name in batch}:
        steps = [_step_s(step, tier, history) for step in phase.steps]
        if None in steps:
            return None
        by_tier[tier] = sum(seconds for seconds in steps if seconds is not None)
    soaking_s = sum(
        gate.soak_s
        for gate in phase.gates
        if gate.when == "after" and not isinstance(gate.probe, Approval)
    )
    return sum(_batch_s(plan, phase, batch, by_tier) + soaking_s for batch in phase.batches)


def _batch_s(
    plan: Plan, phase: PlanPhase, batch: tuple[str, ...], by_tier: Mapping[str, float]
) -> float:
    """The slowest tier sets the pace: `limit` hosts at a time, never faster than the throttle."""
    slowest = max(by_tier[plan.hosts[name].tier] for name in batch)
    limits = [guard.limit for guard in plan.guards if guard.tier in by_tier]
    at_once = max(1, min([phase.limit, *limits] if len(by_tier) == 1 else [phase.limit]))
    in_turn_s = math.ceil(len(batch) / at_once) * slowest
    if not phase.throttle_per_min:
        return in_turn_s
    return max(in_turn_s, (len(batch) - 1) * 60 / phase.throttle_per_min + slowest)


def _step_s(step: PlanStep, tier: str, history: History) -> float | None:
    if isinstance(step.operation, Pause):
        return step.operation.seconds
    if isinstance(step.operation, Manual):
        return 0.0
    return history.expected_s(step.title, tier)
