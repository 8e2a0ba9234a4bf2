"""What becomes of a host whose step did not end well: the phase says, or a person does. Pure."""

from __future__ import annotations

from fleetctl.base.outcome import Outcome
from fleetctl.rollout import questions
from fleetctl.rollout.desk import Desk
from fleetctl.rollout.hostrun import HostRun
from fleetctl.rollout.records import QuestionAnswered, QuestionAsked, RetryPlanned

CHOICES = ("retry", "rollback", "continue", "stop")


def choice_of(desk: Desk, run: HostRun) -> str:
    """rollback, continue, stop or retry; `ask` while a person has not said."""
    policy = desk.state.phases[run.phase].plan.policy
    fault = run.fault
    if policy != "ask" or fault is None:
        return policy if policy != "ask" else "continue"
    if fault.restore or run.undone_with or _too_late(desk):
        return "continue"
    answered = desk.state.answered.get(_key_of(run))
    return answered.choice if answered is not None else "ask"


def ask(desk: Desk, run: HostRun) -> None:
    """Put it to a person, once; the host is left in flight meanwhile, and counts as lost."""
    key, fault, phase = _key_of(run), run.fault, desk.state.phases[run.phase].plan
    assert fault is not None
    if key in desk.state.asked:
        return
    unknown = fault.outcome is Outcome.UNKNOWN
    choices = tuple(c for c in CHOICES if not unknown or c not in ("retry", "rollback"))
    default = phase.ask_default if phase.ask_default in choices else "stop"
    step = run.recipe.steps[run.recipe.index_of[fault.key]]
    text = f"{run.host} {fault.outcome} at {step.title}: {fault.cause}"
    questions.ask(
        desk,
        QuestionAsked(
            key, "failure", run.phase, text, choices, default, phase.ask_within_s, run.batch,
            run.host,
        ),
    )  # fmt: skip


def retry(desk: Desk, run: HostRun) -> None:
    """A person wants the step tried once more."""
    fault = run.fault
    assert fault is not None
    tries = run.tries_of(run.recipe.index_of[fault.key])
    desk.record(RetryPlanned(run.phase, run.host, 0.0, "step", fault.key, tries.try_no + 1))


def find(desk: Desk, asked: QuestionAsked, answered: QuestionAnswered) -> HostRun | None:
    """The host the answer is about, when it still hangs on it."""
    run = desk.state.host_run(asked.phase, asked.host)
    return run if run.in_flight and run.fault is not None and _key_of(run) == asked.key else None


def _too_late(desk: Desk) -> bool:
    """Whether the run stops: then it is left as it is, and a resume says what comes next."""
    return desk.state.stop is not None


def _key_of(run: HostRun) -> str:
    assert run.fault is not None
    tries = run.tries_of(run.recipe.index_of[run.fault.key])
    return f"{run.fault.key}/{run.host}/{tries.try_no}"
