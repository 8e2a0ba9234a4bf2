"""Who answers a rehearsed push's questions when nobody is to be asked."""

from __future__ import annotations

from collections.abc import Sequence
from fnmatch import fnmatchcase

from fleetctl.base.errors import UsageError
from fleetctl.base.names import did_you_mean
from fleetctl.plan.model import Plan
from fleetctl.playbook.operations import Approval, Manual
from fleetctl.rollout.controls import Controls
from fleetctl.rollout.observers import Recorded
from fleetctl.rollout.records import QuestionAsked
from fleetctl.transport.protocol import Said

BY = "rehearsal"
_ONWARDS = ("approve", "done", "continue", "retry")
"""What `--yes` says, the first of these that may be chosen."""
_ANSWERS: dict[type, tuple[str, ...]] = {
    Approval: ("approve", "refuse"),
    Manual: ("done", "skipped", "failed"),
}


class Answers:
    """`--yes` and `--answer NAME=CHOICE`: what is said to which question."""

    def __init__(self, words: Sequence[str], yes: bool) -> None:
        self._yes = yes
        self._rules: list[tuple[str, str]] = []
        for word in words:
            name, equals, choice = word.rpartition("=")
            if not (name and equals and choice):
                raise UsageError(f'--answer "{word}" is not of the form NAME=CHOICE')
            self._rules.append((name, choice))

    def check(self, plan: Plan) -> None:
        """Raises UsageError for a rule that names no question of the push, or no answer to it."""
        known = [name for key, title, _ in _questions(plan) for name in (key, title)]
        for name, choice in self._rules:
            if not any(_fits(name, each, each) for each in known):
                raise UsageError(f'nobody is asked "{name}" in this push', where="--answer",
                                 hint=did_you_mean(name, known))  # fmt: skip
            taken = [own for key, title, own in _questions(plan) if _fits(name, key, title)]
            words = sorted({word for own in taken for word in own})
            if choice not in words:
                hint = did_you_mean(choice, words) or f"known: {', '.join(words)}"
                what = f'"{choice}" answers no question "{name}"'
                raise UsageError(what, where="--answer", hint=hint)

    def leaves_open(self, plan: Plan) -> list[str]:
        """Titles of the gates somebody would have to answer at a terminal."""
        if self._yes:
            return []
        rules = [name for name, _ in self._rules]
        return [t for key, t in _asked(plan) if not any(_fits(name, key, t) for name in rules)]

    def choice(self, question: QuestionAsked) -> str | None:
        """What is answered; None: ask the person."""
        for name, choice in self._rules:
            if _fits(name, question.key, question.text) and choice in question.choices:
                return choice
        if not self._yes:
            return None
        fitting = [word for word in _ONWARDS if word in question.choices]
        return fitting[0] if fitting else question.default


def _asked(plan: Plan) -> list[tuple[str, str]]:
    """Key and words of everything a person is asked, gates and steps."""
    return [(key, title) for key, title, _ in _questions(plan)]


def _questions(plan: Plan) -> list[tuple[str, str, tuple[str, ...]]]:
    """The same with the answers each takes."""
    asked = [(gate.key, gate.title, gate.probe) for p in plan.phases for gate in p.gates]
    done = [(step.key, step.title, step.operation) for p in plan.phases for step in p.steps]
    both = (*asked, *done)
    return [
        (key, title, _ANSWERS[type(what)]) for key, title, what in both if type(what) in _ANSWERS
    ]


def _fits(name: str, key: str, text: str) -> bool:
    return name == key or fnmatchcase(text, name) or name.lower() in text.lower()


class Answering:
    """Watches for questions and answers them."""

    name = "the answers of a rehearsal"

    def __init__(self, answers: Answers, controls: Controls) -> None:
        self._answers = answers
        self._controls = controls

    def recorded(self, batch: Sequence[Recorded]) -> None:
        """Answer what is asked in these records."""
        for _, _, record in batch:
            if isinstance(record, QuestionAsked):
                choice = self._answers.choice(record)
                if choice is not None:
                    self._controls.answer(record.key, choice, BY)

    def said(self, said: Said) -> None:
        """Nothing to do."""

    def notice(self, text: str) -> None:
        """Nothing to do."""

    def trouble(self) -> str:
        """It shows nothing, so it misses nothing."""
        return ""
