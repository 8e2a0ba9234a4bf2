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
    """Take up hosts that are owed something, as many as may be in flight.

    What is stopped already is started again at once; what runs is rolled back no faster than it
    was pushed.
    """
    stopped = desk.state.stop
    if desk.state.check_only or (stopped is not None and stopped.reason == "fence"):
        return
    for phase, host in list(desk.state.owing):
        run = desk.state.host_run(phase, host)
        if not run.recall or _may_go_back(desk, run):
            desk.mending = True
            desk.record(RestoreBegan(phase, host))
            take_up(desk, run)


def _may_go_back(desk: Desk, run: HostRun) -> bool:
    """Whether the host may be rolled back now: nobody else is, or the limits have room."""
    flying = desk.state.accounts.in_flight
    if _is_killed(desk):
        return False
    if not flying:
        return True
    room = len(flying) < desk.state.phases[run.phase].plan.limit
    return room and pacing.guard_allows(desk, run.host)


def take_up(desk: Desk, run: HostRun) -> None:
    """Go on with a host that is being put back, of which nothing is out."""
    desk.mending = True
    if run.state is HostState.DOUBT:
        asking.ask(desk, run)
    else:
        go_on(desk, run)


def goes_on(desk: Desk) -> bool:
    """Whether a host is still to be put back."""
    flying = desk.state.accounts.in_flight.values()
    return bool(desk.state.owing) or any(run.mending is not None for run in flying)


def go_on(desk: Desk, run: HostRun) -> None:
    """The next thing for a host at a step boundary with nothing out."""
    assert run.mending is not None
    undo = bool(run.recall) and not run.undone_with and not _is_killed(desk)
    if returning.send_back(desk, run, undo=undo):
        return
    if run.recall:
        recall_ended(desk, run)
    elif run.mending.goes_on and not run.owed:
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


def recall(desk: Desk, run: HostRun) -> None:
    """Roll a host in flight back with its batch, however far it is."""
    if not returning.send_back(desk, run, undo=not run.undone_with):
        recall_ended(desk, run)


def recall_ended(desk: Desk, run: HostRun) -> None:
    """All that can be undone is: the host did not end well, and a resume begins it anew."""
    cause = f"rolled back with its batch: {run.recall}"
    if run.undone_with:
        cause = f"not rolled back with its batch: {run.undone_with}"
    elif run.undone_with is None and run.begun_steps:
        cause = f"nothing of it can be undone, though its batch is rolled back: {run.recall}"
    unknown = StepState.UNDO_UNKNOWN in run.steps or StepState.UNKNOWN in run.steps
    outcome = Outcome.UNKNOWN if unknown else Outcome.FAILED
    halted = not run.undone_with and not unknown
    settle(desk, run, outcome, "", cause, halted=halted)


def _is_killed(desk: Desk) -> bool:
    return desk.state.stop is not None and desk.state.stop.reason == "kill"
