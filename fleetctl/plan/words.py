"""A plan's numbers in words: what losing hosts does, what may be touched at once, how long."""

from __future__ import annotations

from collections.abc import Iterator

from fleetctl.base.durations import format_duration
from fleetctl.plan.model import Budget, Gate, Plan, PlanPhase, TierGuard

APPROVAL_PATIENCE_S = 3600.0


def budget_words(budget: Budget, size: int, scope: str) -> str:
    """`1 lost host: goes on; 2: stops`, for `size` hosts of `scope` (the run, a phase)."""
    return f"{scope}: {_lost_words(budget.per_phase, size)}" + (
        f"; in one batch, {_lost_words(budget.per_batch, size)}"
        if budget.per_batch is not None
        else ""
    )


def _lost_words(allowed: int, size: int) -> str:
    if allowed <= 0:
        return "1 lost host: stops"
    if allowed >= size:
        return "never stops for lost hosts"
    hosts = "host" if allowed == 1 else "hosts"
    return f"{allowed} lost {hosts}: goes on; {allowed + 1}: stops"


def pace_words(phase: PlanPhase) -> str:
    """How many hosts are worked on at once, and how fast they are started."""
    words = f"at most {phase.limit} in flight"
    if phase.throttle_per_min:
        words += f", {phase.throttle_per_min:g} starts a minute"
    if phase.on_failure == "undo":
        words += ", a lost host is undone"
    return words


def guard_words(guard: TierGuard) -> str:
    """`tier db (16 hosts): at most 4 in flight, 12 stay up`."""
    words = f"tier {guard.tier} ({_hosts(guard.size)}): at most {guard.limit} in flight"
    if guard.floor:
        words += f", {guard.floor} stay up (counting hosts already down)"
    return words


def gate_words(gate: Gate) -> str:
    """The gate with its patience and its soak."""
    words = gate.title
    if gate.timeout_s < APPROVAL_PATIENCE_S:
        words += f", within {format_duration(gate.timeout_s)}"
    if gate.soak_s and "for " not in gate.title:
        words += f", then holding {format_duration(gate.soak_s)}"
    return words


def estimate_words(plan: Plan) -> str:
    """`about 12 min 30 s`, or why that is not known."""
    if plan.estimate_s is None:
        return "unknown: first push"
    return f"about {format_duration(plan.estimate_s)}, from earlier runs"


def release_words(plan: Plan) -> Iterator[str]:
    """One line a tier: `db: 2026-11-15-aa -> 2026-11-22-bb, 3 hosts have it already`."""
    for tier, release in plan.releases.items():
        names = [host.name for host in plan.hosts.values() if host.tier == tier]
        before = sorted({plan.live.get(name, "?") for name in names} - {release})
        there = sum(plan.live.get(name) == release for name in names)
        came_from = ", ".join(before) or release
        words = f"{tier}: {came_from} -> {release}"
        yield words + (f" ({_hosts(there)} there already)" if there else "")


def _hosts(count: int) -> str:
    return "1 host" if count == 1 else f"{count} hosts"
