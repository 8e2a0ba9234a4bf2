"""One host's way through its phase: begin, go on, park, retry, undo, settle. Pure."""

from __future__ import annotations

from fleetctl.base.outcome import Outcome
from fleetctl.playbook.operations import Pause, Retry
from fleetctl.rollout import (
    asking,
    failing,
    items,
    limits,
    looking,
    manual,
    mending,
    pacing,
    returning,
    segments,
)
from fleetctl.rollout.desk import BatchWork, Desk
from fleetctl.rollout.hostrun import HostRun
from fleetctl.rollout.patience import chance, step_delay_s
from fleetctl.rollout.records import (
    HostBegan,
    QuestionAnswered,
    QuestionAsked,
    RetryPlanned,
    StepSettled,
)
from fleetctl.rollout.settling import halt, settle
from fleetctl.rollout.stages import Stage
from fleetctl.rollout.tables import WELL, HostState, StepState


def begin(desk: Desk, work: BatchWork, host: str) -> None:
    """Start the host, or record why it is left alone."""
    skip = pacing.reason_to_skip(desk, work, host)
    if skip is not None:
        desk.record(skip)
        return
    pacing.note_start(desk, work)
    run = desk.state.host_run(work.phase.plan.name, host)
    desk.record(HostBegan(run.phase, host, run.attempt + 1))
    take_up(desk, work, run)


def take_up(desk: Desk, work: BatchWork, run: HostRun) -> None:
    """Go on with a host in flight of which nothing is out: just begun, or found so on resume."""
    if desk.state.check_only:
        work.place(run, 0)
        if not run.recipe.reaches_hosts:
            settle(desk, run, Outcome.SKIPPED, "", "would ask a person")
            return
        looking.send_check(desk, run)
        return
    work.place(run, stage_at(run))
    if run.state is HostState.DOUBT:
        asking.ask(desk, run)
    else:
        proceed(desk, run)


def proceed(desk: Desk, run: HostRun) -> None:
    """The next thing for a host at a step boundary with nothing out."""
    while run.state is HostState.READY:
        if run.mending is not None:
            mending.go_on(desk, run)
            return
        if run.fault is not None:
            _go_back(desk, run)
            return
        done = run.next_step == len(run.steps)
        if run.recall and not _is_killed(desk):
            mending.recall(desk, run)
            return
        if done or desk.state.stop is not None:
            if not returning.send_back(desk, run):
                _finish(desk, run) if done else halt(desk, run)
            return
        if not _enter_stage(desk, run):
            return


def stage_at(run: HostRun) -> int:
    """The stage of the next step; one past the last when every step ended well."""
    stages = run.recipe.stage_of
    return stages[run.next_step] if run.next_step < len(stages) else len(run.recipe.stages)


def _enter_stage(desk: Desk, run: HostRun) -> bool:
    """Do what the host's next stage asks for; True when the host went past it at once."""
    work = desk.work
    assert work is not None
    number = stage_at(run)
    stage = run.recipe.stages[number]
    work.place(run, number)
    barrier = _barrier_before(run, number)
    if work.opened < barrier and work.entered.get(run.host) != number:
        work.parked.setdefault(number, {})[run.host] = run
        return False
    if stage.kind == "pause":
        operation = run.recipe.steps[stage.first].operation
        assert isinstance(operation, Pause)
        desk.set_timer(("pause", run.phase, run.host), operation.seconds)
        return False
    if stage.kind == "manual":
        return manual.enter(desk, work, run)
    if stage.kind == "once":
        return _enter_once(desk, work, run)
    if stage.kind == "items":
        return items.enter(desk, run, stage)
    _send(desk, run, stage)
    return False


def _send(desk: Desk, run: HostRun, stage: Stage) -> None:
    """Send the stage, or line up for what it uses."""
    if not limits.hold_up(desk, run, stage):
        segments.send_stage(desk, run, stage)


def _barrier_before(run: HostRun, number: int) -> int:
    """The last stage up to this one with a barrier; 0 when there is none.

    Who is taken up further on than the others holds at the barriers they have yet to come to.
    """
    stages = run.recipe.stages
    return next((n for n in range(number, 0, -1) if stages[n].barrier), 0)


def end_pause(desk: Desk, run: HostRun) -> None:
    """The pause before the host's next step is over."""
    if run.state is HostState.READY and run.next_step < len(run.steps):
        step = run.recipe.steps[run.next_step]
        if desk.state.stop is None:
            desk.record(StepSettled(run.phase, run.host, step.key, Outcome.OK))
        proceed(desk, run)


def _enter_once(desk: Desk, work: BatchWork, run: HostRun) -> bool:
    """Run the step when nobody does, pass it when somebody did, park while somebody does."""
    step = run.recipe.steps[run.next_step]
    place = desk.state.scope_of(run, run.next_step)
    election = desk.state.elections.get(place)
    if election is None or election.host == run.host:
        _send(desk, run, run.recipe.stages[stage_at(run)])
        return False
    if election.state in WELL:
        cause = f"runs once per {step.once}; ran on {election.host}"
        desk.record(StepSettled(run.phase, run.host, step.key, Outcome.SKIPPED, cause=cause))
        return True
    if is_lost(desk, place):
        how = "failed" if election.state is StepState.FAILED else "is not known to have ended"
        if returning.send_back(desk, run):
            return False
        cause = f"{step.title} runs once per {step.once} and {how} on {election.host}"
        settle(desk, run, Outcome.FAILED, step.key, cause)
        return False
    work.after_election.setdefault(place, []).append(run)
    return False


def is_lost(desk: Desk, place: tuple[str, str]) -> bool:
    """Whether a step that runs once has not ended well, and its host is not at it any more."""
    election = desk.state.elections[place]
    return election.state not in WELL and election.host not in desk.state.accounts.in_flight


def _go_back(desk: Desk, run: HostRun) -> None:
    """A step did not end well: try it again, undo what was done, or settle the host."""
    fault = run.fault
    assert fault is not None
    if _retry(desk, run):
        return
    killed = _is_killed(desk)
    choice = failing.choice_of(desk, run)
    if choice == "ask":
        failing.ask(desk, run)
        return
    if choice == "retry" and run.undone_with is None and not killed:
        failing.retry(desk, run)
        proceed(desk, run)
        return
    undo = (choice == "rollback" or bool(run.recall)) and not fault.restore
    undo = undo and not killed and fault.outcome is not Outcome.UNKNOWN and not run.undone_with
    if returning.send_back(desk, run, undo=undo):
        return
    if fault.restore:
        _end_not_put_back(desk, run)
        return
    outcome, cause = fault.outcome, fault.cause
    if run.undone_with:
        cause = f"{cause}; not undone: {run.undone_with}"
    if StepState.UNDO_UNKNOWN in run.steps:
        outcome = Outcome.UNKNOWN
    halted = killed and (outcome is Outcome.UNKNOWN or _retry_of(run, fault.key) is not None)
    settle(desk, run, outcome, fault.key, cause, halted=halted)


def _is_killed(desk: Desk) -> bool:
    return desk.state.stop is not None and desk.state.stop.reason == "kill"


def take_choice(desk: Desk, asked: QuestionAsked, answered: QuestionAnswered) -> None:
    """A person said what becomes of a host, or nobody did in time."""
    run = failing.find(desk, asked, answered)
    if run is not None:
        proceed(desk, run)


def _end_not_put_back(desk: Desk, run: HostRun) -> None:
    """Its steps went well as far as they went, and what was to put it back did not."""
    assert run.fault is not None
    if desk.state.stop is not None and run.next_step < len(run.steps):
        halt(desk, run)
    else:
        settle(desk, run, Outcome.FAILED, run.fault.key)


def _retry(desk: Desk, run: HostRun) -> bool:
    fault = run.fault
    assert fault is not None
    retry = _retry_of(run, fault.key)
    if (
        retry is None
        or fault.restore
        or fault.outcome is Outcome.UNKNOWN
        or desk.state.stop is not None
    ):
        return False
    if run.undone_with is not None:
        return False
    tries = run.tries_of(run.recipe.index_of[fault.key])
    made = tries.try_no - tries.forgiven
    if made >= retry.attempts:
        return False
    luck = chance(desk.state.seed, run.host, fault.key, tries.try_no)
    after_s = step_delay_s(retry, made, luck)
    desk.record(
        RetryPlanned(run.phase, run.host, after_s, "step", fault.key, tries.try_no + 1)
    )  # fmt: skip
    desk.set_timer(("retry", run.phase, run.host), after_s)
    return True


def _retry_of(run: HostRun, key: str) -> Retry | None:
    return run.recipe.steps[run.recipe.index_of[key]].retry


def _finish(desk: Desk, run: HostRun) -> None:
    """Every step ended well; well is only what was read back."""
    planned = desk.state.phases[run.phase].plan.release
    if planned and run.release != planned:
        read = f"it runs {run.release}" if run.release else "its live release was not read back"
        settle(desk, run, Outcome.FAILED, "", f"{read}, not {planned}" if run.release else read)
        return
    settle(desk, run, Outcome.CHANGED if run.changed else Outcome.OK)
