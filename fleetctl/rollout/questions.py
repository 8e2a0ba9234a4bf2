"""Asking a person: named choices, a deadline, and what is taken when nobody answers. Pure.

Any number of questions may be open at once, each under a key of its own. An order to stop withdraws
them all; who asked asks again after a resume.
"""

from __future__ import annotations

from fleetctl.rollout.controls import Command
from fleetctl.rollout.desk import Desk
from fleetctl.rollout.records import QuestionAnswered, QuestionAsked

TIMER = "question"
_OLD_WORDS = {"approve": "approve", "refuse": "refuse"}


def ask(desk: Desk, question: QuestionAsked) -> None:
    """Put the question; its answer comes back through `answers.TAKERS`."""
    assert question.default in question.choices
    desk.record(question)
    desk.set_timer((TIMER, question.key), question.within_s)


def answer(desk: Desk, command: Command) -> QuestionAsked | None:
    """A person chose; the question that is answered by it, None when no open one is meant.

    Without a name the only one open with such a choice is meant.
    """
    choice = command.choice or _OLD_WORDS.get(command.word, "")
    asked = desk.state.asked
    keys = [command.gate] if command.gate else list(asked)
    meant = [key for key in keys if key in asked and choice in asked[key].choices]
    if len(meant) != 1:
        return None
    question = asked[meant[0]]
    desk.drop_timer((TIMER, question.key))
    desk.record(QuestionAnswered(question.key, choice, command.by or "somebody", command.why))
    return question


def expire(desk: Desk, key: str) -> QuestionAsked | None:
    """Time is up: the default is taken; None when the question is not open any more."""
    question = desk.state.asked.get(key)
    if question is not None:
        desk.record(QuestionAnswered(key, question.default, "", "nobody answered in time"))
    return question
