"""Steps a person does: asked once for all hosts that come to them, or for each host. Pure."""

from __future__ import annotations

from fleetctl.base.outcome import Outcome
from fleetctl.plan.render import render_step
from fleetctl.playbook.operations import Approval, Manual
from fleetctl.rollout import questions
from fleetctl.rollout.desk import BatchWork, Desk
from fleetctl.rollout.hostrun import HostRun
from fleetctl.rollout.records import QuestionAnswered, QuestionAsked, StepSettled
from fleetctl.rollout.state import RunState

CHOICES = (questions.DONE, "skipped", "failed")
_ENDS = {questions.DONE: Outcome.OK, "skipped": Outcome.SKIPPED, "failed": Outcome.FAILED}


def enter(desk: Desk, work: BatchWork, run: HostRun) -> bool:
    """Ask the person, or hang on to whom is asked already; True when it was answered before."""
    key = key_of(desk.state, run, run.next_step)
    answered = answer_of(desk, key)
    if answered is not None:
        end(desk, run, answered)
        return True
    work.after_answer.setdefault(key, []).append(run)
    if key not in desk.state.asked:
        questions.ask(desk, _question(desk, run, key))
    return False


def answer_of(desk: Desk, key: str) -> QuestionAnswered | None:
    """The answer that holds, also one of an earlier leg; what failed is asked again."""
    answered = desk.state.answered.get(key)
    return None if answered is None or answered.choice == "failed" else answered


def end(desk: Desk, run: HostRun, answered: QuestionAnswered) -> None:
    """The host's step has the end the person told."""
    step = run.recipe.steps[run.next_step]
    cause = in_words(answered)
    desk.record(StepSettled(run.phase, run.host, step.key, _ENDS[answered.choice], cause=cause))


def in_words(answered: QuestionAnswered) -> str:
    """`done by ann@desk 42`, `skipped: nobody answered in time`."""
    by = f" by {answered.by}" if answered.by else ""
    return answered.choice + by + (f": {answered.why}" if answered.why else "")


def key_of(state: RunState, run: HostRun, index: int) -> str:
    """Names the question: the step, and the host, batch or shard it is asked for."""
    step = run.recipe.steps[index]
    key, scope = state.scope_of(run, index) if step.once else (step.key, run.host)
    return f"{key}/{scope}" if scope else key


def _question(desk: Desk, run: HostRun, key: str) -> QuestionAsked:
    step = run.recipe.steps[run.next_step]
    operation = render_step(desk.plan, desk.state.phases[run.phase].plan, step, run.host)
    assert isinstance(operation, Manual)
    host = "" if step.once else run.host
    return question_of(operation, key, ("manual", run.phase, run.batch, host), step.timeout_s)


def question_of(
    operation: Approval | Manual, key: str, place: tuple[str, str, int, str], within_s: float
) -> QuestionAsked:
    """The question that puts this to a person; `place`: who asks, phase, batch, host."""
    about, phase, batch, host = place
    if isinstance(operation, Approval):
        return QuestionAsked(
            key, about, phase, operation.question, ("approve", "refuse"), operation.default,  # type: ignore[arg-type]
            within_s, batch, host,
        )  # fmt: skip
    return QuestionAsked(
        key, about, phase, operation.text, CHOICES, operation.default, within_s, batch, host,  # type: ignore[arg-type]
        operation.boxes, operation.command, operation.who,
    )  # fmt: skip
