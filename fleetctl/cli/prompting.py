"""A question as the terminal puts it, and what a typed line means as its answer. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Set
from typing import NamedTuple

from fleetctl.base.durations import format_duration
from fleetctl.cli.output import printable
from fleetctl.rollout.questions import BOX, DONE
from fleetctl.rollout.records import QuestionAsked

_TYPED = {"approve": ("yes",), "refuse": ("no",), "skipped": ("skip", "skipped")}
"""Choices that are typed as another word."""
_WITH_WHY = frozenset({"skipped", "failed"})
"""Choices that say why."""


class Typed(NamedTuple):
    """What a line means: a choice (or a box), what is added to it, or why it is no answer."""

    choice: str = ""
    why: str = ""
    trouble: str = ""


class Prompt:
    """One question."""

    def __init__(self, question: QuestionAsked, about: str = "") -> None:
        """`about`: the hosts it is for, as in `web001: `."""
        self._question = question
        self._about = about
        self._choices = {
            word: choice for choice in question.choices for word in _TYPED.get(choice, (choice,))
        }

    def lines(self, ticked: Set[int], elsewhere: str) -> Iterator[str]:
        """What is asked, how it is answered, and what happens when nobody does."""
        question = self._question
        who = f"  [for {printable(question.who)}]" if question.who else ""
        first, *more = printable(question.text).splitlines()
        yield f"{self._heading()}  {self._about}{first}{who}"
        yield from more
        yield from (f"    {line}" for line in printable(question.command).splitlines())
        for number, box in enumerate(question.boxes, 1):
            yield f"  [{'x' if number in ticked else ' '}] {number} {printable(box)}"
        default = _TYPED.get(question.default, (question.default,))[-1]
        yield f"without an answer in {format_duration(question.within_s)}: {default}"
        yield f"(or elsewhere: {elsewhere})"

    @property
    def choices(self) -> str:
        """`yes or no`, `retry, rollback or stop`."""
        words = ["a box's number"] if self._question.boxes else []
        for choice in self._question.choices:
            words.append(_TYPED.get(choice, (choice,))[0] + (" WHY" if choice in _WITH_WHY else ""))
        *most, last = words
        return f"{', '.join(most)} or {last}" if most else last

    def read(self, typed: str, ticked: Set[int]) -> Typed:
        """What the line means."""
        word, _, rest = typed.partition(" ")
        boxes = range(1, len(self._question.boxes) + 1)
        if word.isdigit() and int(word) in boxes:
            return Typed(f"{BOX}{int(word)}")
        choice = self._choices.get(word.lower())
        if choice is None:
            return Typed(trouble=f"please type {self.choices}")
        open_ = [str(box) for box in boxes if box not in ticked]
        if choice == DONE and open_:
            return Typed(trouble=f"not ticked yet: {', '.join(open_)}")
        if choice in _WITH_WHY and not rest.strip():
            return Typed(trouble=f"say why: {word} WHY")
        return Typed(choice, rest.strip())

    def _heading(self) -> str:
        choices = self._question.choices
        if "approve" in choices:
            return "APPROVAL"
        return "TO DO BY HAND" if DONE in choices else "QUESTION"
