"""Everything a run's state holds, comparable: live and replayed states must be the same."""

from __future__ import annotations

from fleetctl.rollout.state import RunState


def fingerprint(state: RunState) -> object:
    """Equal for equal states."""
    runs = [
        (
            run.phase, run.host, run.state, tuple(run.steps), run.next_step, tuple(run.open_steps),
            run.outcome, run.fault, dict(run.tries), run.attempt, run.release, run.halted,
            run.changed, run.undone_with, run.retrying, run.mending, run.way,
            dict(run.duties.states), dict(run.duties.tries), sorted(run.duties.doubted),
        )
        for run in sorted(state.host_runs(), key=lambda run: (run.phase, run.host))
    ]  # fmt: skip
    accounts = state.accounts
    groups = [
        (phase.state, tuple(phase.batches), tuple(phase.unsettled), dict(phase.gates))
        for phase in state.phases.values()
    ]
    sums = (
        +accounts.outcomes, accounts.lost_in_run, +accounts.lost_in_phase, +accounts.lost_hosts,
        accounts.halted, sorted(accounts.in_flight), sorted(accounts.doubtful), accounts.found_down,
        +accounts.used,
        {tier: (g.in_flight, sorted(g.out)) for tier, g in accounts.guards.items()},
    )  # fmt: skip
    return (
        runs, groups, sums, dict(state.elections), state.leg, state.stop, state.fence,
        dict(state.asked), dict(state.answered), dict(state.boxes),
    )  # fmt: skip
