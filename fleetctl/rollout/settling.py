"""How a host's work ends, and what that does to the run: budgets, stops. Pure."""

from __future__ import annotations

from typing import Literal

from fleetctl.base.outcome import Outcome
from fleetctl.playbook.operations import HostProbe
from fleetctl.rollout import budget, failing, pacing, returning
from fleetctl.rollout.desk import BatchWork, Desk
from fleetctl.rollout.hostrun import HostRun
from fleetctl.rollout.records import HostSettled, RollbackOrdered, StopOrdered
from fleetctl.transport.protocol import Release

StopReason = Literal[
    "budget", "gate", "floor", "window", "failure", "drain", "kill", "fence", "abort", "journal"
]
_RANK: dict[StopReason, int] = {
    "budget": 1,
    "gate": 1,
    "floor": 1,
    "window": 1,
    "failure": 1,
    "drain": 2,
    "abort": 2,
    "journal": 2,
    "kill": 3,
    "fence": 4,
}


def settle(
    desk: Desk, run: HostRun, outcome: Outcome, key: str = "", cause: str = "",
    *, halted: bool = False, unsent: str = "",
) -> None:  # fmt: skip
    """The host's work in this phase is over; an overspent budget stops the run at once.

    A host that is owed something did not end well, and its cause says what it is owed. `unsent`:
    why what it is owed could not be sent.
    """
    owes = returning.owed_words(run, unsent)
    if owes:
        outcome = Outcome.UNKNOWN if run.duties.unknown else outcome
        outcome = outcome if outcome.lost else Outcome.FAILED
        cause = f"{cause}; {owes}" if cause else owes
    mended, choice = run.mending is not None, failing.choice_of(desk, run)
    desk.record(HostSettled(run.phase, run.host, outcome, run.release, key, cause, halted, owes))
    desk.asking.pop(run.host, None)
    desk.silent.discard(run.host)
    desk.held.discard(run.host)
    desk.rested.discard(run.host)
    desk.unsent.pop(run.host, None)
    desk.shut_out.pop(run.host, None)
    for word in ("pause", "retry", "ask"):
        desk.drop_timer((word, run.phase, run.host))
    work = desk.work
    if work is not None:
        work.remove(run.host)
        for partner in reversed(work.held_by_pair.pop(run.host, [])):
            work.requeue(partner, pacing.tier_of(desk, partner))
    if _is_done_with(desk, run):
        desk.send(Release(run.host))
    if outcome.lost and not desk.state.check_only:
        phase = desk.state.phases[run.phase]
        cause = budget.overspent(desk.state, phase, run.batch)
        if cause:
            stop(desk, "budget", cause)
        elif choice == "stop" and not (halted or mended):
            stop(desk, "failure", f"{run.host} was lost, and phase {run.phase} stops at that")


def halt(desk: Desk, run: HostRun, *, unsent: str = "") -> None:
    """Leave a host where it is because the run stops; a resume goes on with it.

    Where nothing was done yet it is skipped. Where something was done its release or its work is
    not what was planned, so it is told as failed, with the step it stopped before.
    """
    stopped = desk.state.stop
    assert stopped is not None
    step = run.recipe.steps[run.next_step]
    cause = f"stopped before {step.title}: {stopped.cause}"
    outcome = Outcome.FAILED if run.begun_steps or run.lost_before else Outcome.SKIPPED
    settle(desk, run, outcome, step.key, cause, halted=True, unsent=unsent)


def stop(desk: Desk, reason: StopReason, cause: str, by: str = "") -> None:
    """Nothing new starts from here on; a stronger reason replaces a weaker one."""
    stopped = desk.state.stop
    if stopped is not None and _RANK[reason] <= _RANK[stopped.reason]:
        return
    desk.record(StopOrdered(reason, cause, by))
    desk.sweep = True
    work = desk.work
    if work is not None and _goes_back(desk, reason, work):
        desk.record(RollbackOrdered(work.phase.plan.name, work.number, cause))


def _goes_back(desk: Desk, reason: StopReason, work: BatchWork) -> bool:
    """Whether the batch at hand is rolled back, being why the run stops."""
    phase = work.phase.plan
    if phase.batch_failure != "rollback" or desk.state.check_only:
        return False
    lost = desk.state.accounts.lost_in_batch[phase.name, work.number] > 0
    return reason == "gate" or (reason in ("budget", "failure") and lost)


def _is_done_with(desk: Desk, run: HostRun) -> bool:
    """Whether the host's connection is to be given up: nothing of this run needs it any more.

    Those of the run's last batch end with the run, which is next: closing dozens just before would
    keep hosts busy that are to give the leases back.
    """
    phase = desk.state.phases[run.phase].plan
    if desk.last_phase[run.host] != desk.phase_at:
        return False
    if not phase.gates:
        is_last_phase = desk.phase_at == len(desk.plan.phases) - 1
        return not is_last_phase or run.batch < len(phase.batches) - 1
    return not any(isinstance(gate.probe, HostProbe) for gate in phase.gates)
