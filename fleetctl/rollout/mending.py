"""Putting back what an earlier leg of the run left behind, before anything else begins. Pure."""

from __future__ import annotations

from fleetctl.base.outcome import Outcome
from fleetctl.rollout import asking, pacing, returning
from fleetctl.rollout.desk import Desk
from fleetctl.rollout.hostrun import HostRun
from fleetctl.rollout.records import HostReopened, RestoreBegan
from fleetctl.rollout.settling import settle
from fleetctl.rollout.tables import HostState, StepState

_NOT_KNOWN = frozenset({StepState.UNKNOWN, StepState.UNDO_UNKNOWN})


def begin(desk: Desk) -> None:
    """Take up every host that is owed something, those included whose mending was cut short."""
    if desk.state.check_only:
        return
    found = [run for run in desk.state.accounts.in_flight.values() if run.mending is not None]
    for phase, host in desk.state.owing:
        if host not in desk.state.accounts.in_flight:
            desk.record(RestoreBegan(phase, host))
            found.append(desk.state.host_run(phase, host))
    desk.mending = bool(found)
    for run in found:
        if run.state is HostState.DOUBT:
            asking.ask(desk, run)
        else:
            go_on(desk, run)


def goes_on(desk: Desk) -> bool:
    """Whether a host is still being put back."""
    return any(run.mending is not None for run in desk.state.accounts.in_flight.values())


def go_on(desk: Desk, run: HostRun) -> None:
    """The next thing for a host at a step boundary with nothing out."""
    assert run.mending is not None
    if returning.send_back(desk, run):
        return
    if run.mending.goes_on and not run.owed:
        desk.record(HostReopened(run.phase, run.host))
        work = desk.work
        if work is not None and (work.phase.plan.name, work.number) == (run.phase, run.batch):
            work.requeue(run.host, pacing.tier_of(desk, run.host))
    else:
        settle_again(desk, run, Outcome.FAILED, "")


def settle_again(desk: Desk, run: HostRun, outcome: Outcome, unsent: str) -> None:
    """Settle the host as it was before, with what it is owed now."""
    assert run.mending is not None
    before = run.mending.settled
    known = not any(state in _NOT_KNOWN for state in run.steps)
    if before.outcome is not Outcome.UNKNOWN or not known:
        outcome = before.outcome
    cause = before.cause.removesuffix(before.owes).removesuffix("; ")
    settle(desk, run, outcome, before.key, cause, halted=before.halted, unsent=unsent)
