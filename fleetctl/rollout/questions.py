"""Asking a person: named choices, a deadline, and what is taken when nobody answers. Pure.

Any number of questions may be open at once, each under a key of its own. An order to stop withdraws
them all; who asked asks again after a resume.
"""

from __future__ import annotations

from fleetctl.rollout.controls import Command
from fleetctl.rollout.desk import Desk
from fleetctl.rollout.records import BoxTicked, QuestionAnswered, QuestionAsked

TIMER = "question"
BOX = "box "
"""What comes before a box's number, where a box is ticked instead of a choice taken."""
DONE = "done"
_OLD_WORDS = {"approve": "approve", "refuse": "refuse"}


def ask(desk: Desk, question: QuestionAsked) -> None:
    """Put the question; its answer comes back through `answers.TAKERS`."""
    assert question.default in question.choices
    desk.record(question)
    desk.set_timer((TIMER, question.key), question.within_s)


def answer(desk: Desk, command: Command) -> QuestionAsked | None:
    """A person chose; the question that is answered by it, None when no open one is meant.

    Without a name the only one open with such a choice is meant. Ticking a box answers nothing yet,
    and `done` is no answer while a box is not ticked.
    """
    choice = command.choice or _OLD_WORDS.get(command.word, "")
    if choice.startswith(BOX):
        _tick(desk, command, choice.removeprefix(BOX))
        return None
    asked = desk.state.asked
    keys = [command.gate] if command.gate else list(asked)
    meant = [key for key in keys if key in asked and choice in asked[key].choices]
    if len(meant) != 1:
        return None
    question = asked[meant[0]]
    if choice == DONE and open_boxes(desk, question):
        return None
    desk.drop_timer((TIMER, question.key))
    desk.record(QuestionAnswered(question.key, choice, command.by or "somebody", command.why))
    return question


def open_boxes(desk: Desk, question: QuestionAsked) -> list[int]:
    """Numbers of the question's boxes that are not ticked yet."""
    ticked = desk.state.boxes.get(question.key, set())
    return [box for box in range(1, len(question.boxes) + 1) if box not in ticked]


def _tick(desk: Desk, command: Command, number: str) -> None:
    question = desk.state.asked.get(command.gate)
    if question is not None and number.isdigit() and int(number) in open_boxes(desk, question):
        desk.record(BoxTicked(question.key, int(number), command.by or "somebody"))


def expire(desk: Desk, key: str) -> QuestionAsked | None:
    """Time is up: the default is taken; None when the question is not open any more."""
    question = desk.state.asked.get(key)
    if question is not None:
        desk.record(QuestionAnswered(key, question.default, "", "nobody answered in time"))
    return question
