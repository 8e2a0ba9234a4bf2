"""Who goes on with a person's answer. Pure."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from fleetctl.rollout import gatekeeping, hosts, questions, ticking
from fleetctl.rollout.controls import Command
from fleetctl.rollout.desk import Desk
from fleetctl.rollout.records import QuestionAnswered, QuestionAsked

Taker = Callable[[Desk, QuestionAsked, QuestionAnswered], None]
TAKERS: Mapping[str, Taker] = {
    "gate": gatekeeping.take_choice,
    "manual": ticking.take_choice,
    "failure": hosts.take_choice,
}
"""What a question is about -> what its answer does; the answer is recorded already."""


def take(desk: Desk, command: Command) -> None:
    """A person answered; what answers no open question is ignored."""
    _hand_on(desk, questions.answer(desk, command))


def expire(desk: Desk, key: str) -> None:
    """Nobody answered in time."""
    _hand_on(desk, questions.expire(desk, key))


def _hand_on(desk: Desk, question: QuestionAsked | None) -> None:
    if question is not None:
        TAKERS[question.about](desk, question, desk.state.answered[question.key])
