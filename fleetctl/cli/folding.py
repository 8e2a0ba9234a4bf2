"""What many hosts said, once per different answer: `db[001-015] (15)` and then the text."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import NamedTuple

from fleetctl.base.hostrange import fold
from fleetctl.base.outcome import Outcome
from fleetctl.base.plaintext import printable
from fleetctl.cli.progress import RunView

RULE_WIDTH = 15  # as clush draws it


class Said(NamedTuple):
    """One host's answer."""

    host: str
    outcome: Outcome
    exit_status: int | None
    text: str
    """Standard output, then standard error."""
    cause: str = ""


def answers_of(view: RunView) -> list[Said]:
    """The answer of every host that has one, in the order of the plan."""
    answers = []
    for name in view.outcomes():
        for (_, host), one in view.hosts.items():
            if host == name and one.settled is not None:
                step = next(iter(one.steps.values()), None)
                text = (step.stdout + step.stderr).decode("utf-8", "replace") if step else ""
                status = step.exit_status if step else None
                end = one.settled
                answers.append(Said(name, end.outcome, status, text, end.cause))
    return answers


def fold_answers(answers: Iterable[Said]) -> list[str]:
    """Lines for people: equal answers once under their hosts; the largest group first."""
    groups: dict[tuple[str, str], list[str]] = {}
    for said in answers:
        groups.setdefault((_trouble(said), said.text.rstrip("\n")), []).append(said.host)
    ordered = sorted(groups.items(), key=lambda item: (-len(item[1]), item[1][0]))
    return [line for (trouble, text), hosts in ordered for line in _group(hosts, trouble, text)]


def _trouble(said: Said) -> str:
    if not said.outcome.lost:
        return ""
    if said.outcome is Outcome.FAILED and said.exit_status is not None:
        return f"exit {said.exit_status}"
    return f"{said.outcome}: {said.cause}" if said.cause else str(said.outcome)


def _group(hosts: Sequence[str], trouble: str, text: str) -> list[str]:
    head = f"{fold(hosts)} ({len(hosts)})" + (f": {trouble}" if trouble else "")
    rule = "-" * RULE_WIDTH
    return [rule, head, rule, *(printable(line) for line in text.splitlines())]
