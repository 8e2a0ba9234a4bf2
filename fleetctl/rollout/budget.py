"""How many hosts may be lost: asked before every single start, and after every loss. Pure."""

from __future__ import annotations

from fleetctl.plan.words import counted, noun_of
from fleetctl.rollout.state import PhaseRun, RunState


def overspent(state: RunState, phase: PhaseRun, batch: int) -> str:
    """Which budget is over, in words; empty while none is."""
    accounts = state.accounts
    name = phase.plan.name
    per_batch = phase.plan.budget.per_batch
    checks = [
        ("the run", accounts.lost_in_run, state.plan.budget.per_phase),
        (f"phase {name}", accounts.lost_in_phase[name], phase.plan.budget.per_phase),
    ]
    if per_batch is not None:
        where = f"batch {batch + 1} of phase {name}"
        checks.append((where, accounts.lost_in_batch[name, batch], per_batch))
    for where, lost, budget in checks:
        if lost > budget:
            hosts = "1 host" if lost == 1 else f"{lost} hosts"
            return f"{hosts} lost, the budget of {where} is {budget}"
    return items_overspent(state, phase)


def items_overspent(state: RunState, phase: PhaseRun) -> str:
    """As `overspent`, for the items of the phase's foreach steps."""
    lost, budget = state.accounts.lost_items[phase.plan.name], phase.plan.budget.items or 0
    if lost <= budget:
        return ""
    noun = noun_of(phase.plan)
    return f"{counted(lost, noun)} lost, the budget of phase {phase.plan.name} is {budget}"


def items_left(state: RunState, phase: PhaseRun) -> int:
    """How many more items of the phase may be lost."""
    return (phase.plan.budget.items or 0) - state.accounts.lost_items[phase.plan.name]


def at_risk(state: RunState, phase: PhaseRun, batch: int) -> bool:
    """Whether a budget would be over if every host now in doubt were lost."""
    accounts = state.accounts
    doubtful = len(accounts.doubtful)
    if not doubtful:
        return False
    name, budget = phase.plan.name, phase.plan.budget
    return (
        accounts.lost_in_run + doubtful > state.plan.budget.per_phase
        or accounts.lost_in_phase[name] + doubtful > budget.per_phase
        or (
            budget.per_batch is not None
            and accounts.lost_in_batch[name, batch] + doubtful > budget.per_batch
        )
    )
