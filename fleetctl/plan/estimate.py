"""How long a plan will take, from what its steps took on its hosts in earlier runs. Pure."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import NamedTuple

from fleetctl.base.durations import format_duration
from fleetctl.plan.history import History, names_of
from fleetctl.plan.model import Plan, PlanPhase, PlanStep
from fleetctl.playbook.operations import Approval, Manual, Pause

Names = Mapping[str, str]
"""Step key -> the name its times are kept under."""
Pace = Callable[[PlanStep, str, str], float]
"""Seconds of a step on a host of a tier; 0 for what was never timed, which is told apart."""
_NAMED_MAX = 3
_UNTIMED = (Pause, Manual)
"""Steps whose time is said, or is a person's."""


class Estimate(NamedTuple):
    """How long, and how sure that is."""

    seconds: float | None
    """Without waits for people and steps there is no history of; None: there is none of any."""
    basis: str
    """`from 4 earlier runs, 10 min to 15 min in them`, and what there is no history of."""


def estimate(plan: Plan, history: History) -> Estimate:
    """What earlier runs say."""
    names = names_of(plan)
    steps = {
        names[step.key]
        for phase in plan.phases
        for step in phase.steps
        if not isinstance(step.operation, _UNTIMED)
    }
    missing = _missing(plan, names, history)
    if steps and steps <= missing.keys():
        return Estimate(None, "no history yet")
    seconds = _plan_s(plan, _usual(names, history))
    runs = min((history.runs_of(name) for name in steps - missing.keys()), default=0)
    words = [f"from {runs} earlier runs" if runs > 1 else "from one earlier run"] * bool(runs)
    if runs > 1:
        low, high = (_plan_s(plan, _of_runs(names, history, pick)) for pick in (min, max))
        if high - low >= 1:
            words.append(f"{format_duration(low)} to {format_duration(high)} in them")
    if missing:
        words.append(f"without {_told(list(missing))}: no history yet")
    return Estimate(seconds, ", ".join(words))


def _missing(plan: Plan, names: Names, history: History) -> dict[str, None]:
    """Names of steps that were never timed on hosts of a tier they are for."""
    missing: dict[str, None] = {}
    for phase in plan.phases:
        tiers = {plan.hosts[name].tier for batch in phase.batches for name in batch}
        for step in phase.steps:
            name = names[step.key]
            known = (history.expected_s(name, tier) is not None for tier in tiers)
            if not isinstance(step.operation, _UNTIMED) and not all(known):
                missing[name] = None
    return missing


def _told(names: list[str]) -> str:
    more = len(names) - _NAMED_MAX
    told = ", ".join(f"`{name}`" for name in names[:_NAMED_MAX])
    return told + (f" and {more} more" if more > 0 else "")


def _usual(names: Names, history: History) -> Pace:
    """The host's own median where it is known, else its tier's."""

    def pace(step: PlanStep, tier: str, host: str) -> float:
        name = names[step.key]
        usual = history.usual(name, tier, host)
        return usual.seconds if usual else history.expected_s(name, tier) or 0.0

    return pace


def _of_runs(names: Names, history: History, pick: Callable[[Iterable[float]], float]) -> Pace:
    """The tier's quickest or slowest run."""

    def pace(step: PlanStep, tier: str, host: str) -> float:
        medians = history.medians_of_runs(names[step.key], tier)
        return pick(medians) if medians else 0.0

    return pace


def _plan_s(plan: Plan, pace: Pace) -> float:
    return sum((_phase_s(plan, phase, pace) for phase in plan.phases), 0.0)


def _phase_s(plan: Plan, phase: PlanPhase, pace: Pace) -> float:
    soaking_s = sum(
        gate.soak_s
        for gate in phase.gates
        if gate.when == "after" and not isinstance(gate.probe, Approval)
    )
    return sum(_batch_s(plan, phase, batch, pace) + soaking_s for batch in phase.batches)


def _host_s(phase: PlanPhase, tier: str, host: str, pace: Pace) -> float:
    return sum(
        step.operation.seconds if isinstance(step.operation, Pause) else pace(step, tier, host)
        for step in phase.steps
        if not isinstance(step.operation, Manual)
    )


def _batch_s(plan: Plan, phase: PlanPhase, batch: tuple[str, ...], pace: Pace) -> float:
    """`limit` hosts at a time, the slowest together, never started faster than the throttle."""
    hosts_s = [_host_s(phase, plan.hosts[host].tier, host, pace) for host in batch]
    tiers = {plan.hosts[host].tier for host in batch}
    limits = [guard.limit for guard in plan.guards if guard.tier in tiers]
    at_once = max(1, min([phase.limit, *limits] if len(tiers) == 1 else [phase.limit]))
    in_turn_s = max(
        sum(sorted(hosts_s, reverse=True)[::at_once]), _shared_s(plan, phase, batch, pace)
    )  # fmt: skip
    if not phase.throttle_per_min:
        return in_turn_s
    return max(in_turn_s, (len(batch) - 1) * 60 / phase.throttle_per_min + max(hosts_s))


def _shared_s(plan: Plan, phase: PlanPhase, batch: tuple[str, ...], pace: Pace) -> float:
    """What the batch takes at least, as its steps share named limits."""
    longest_s = 0.0
    for name, limit in (plan.limits or {}).items():
        taking = [(step, (step.uses or {}).get(name, 0)) for step in phase.steps]
        if limit.at_once:
            used_s = sum(
                weight * pace(step, plan.hosts[host].tier, host)
                for step, weight in taking if weight
                for host in batch
            )  # fmt: skip
            longest_s = max(longest_s, used_s / limit.at_once)
        else:
            starts = len(batch) * sum(weight for _, weight in taking)
            longest_s = max(longest_s, starts / limit.per_s)
    return longest_s
