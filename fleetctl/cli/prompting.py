"""A question as the terminal puts it, and what a typed line means as its answer. Pure."""

from __future__ import annotations

from fleetctl.base.durations import format_duration
from fleetctl.cli.output import printable
from fleetctl.rollout.records import QuestionAsked

_YES_NO = {"approve": "yes", "refuse": "no"}
"""Choices that are typed as another word."""


class Prompt:
    """One question."""

    def __init__(self, question: QuestionAsked) -> None:
        self._question = question
        self._typed = {_YES_NO.get(choice, choice): choice for choice in question.choices}

    @property
    def heading(self) -> str:
        """What is asked, and what happens when nobody answers."""
        question = self._question
        word = "APPROVAL" if question.about == "gate" else "QUESTION"
        about = f" ({question.host})" if question.host else ""
        left = format_duration(question.within_s)
        default = _YES_NO.get(question.default, question.default)
        return f"{word}{about}  {printable(question.text)}\nwithout an answer in {left}: {default}"

    @property
    def choices(self) -> str:
        """`yes or no`, `retry, rollback or stop`."""
        *most, last = self._typed
        return f"{', '.join(most)} or {last}" if most else last

    def read(self, typed: str) -> tuple[str, str] | None:
        """The choice and what is added to it (`stop not today`); None: it is no answer."""
        word, _, rest = typed.partition(" ")
        choice = self._typed.get(word.lower())
        return None if choice is None else (choice, rest.strip())
