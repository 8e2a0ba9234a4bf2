"""What many overseers answered, added up and said in one line."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable, Mapping
from typing import Any

from fleetctl.base.errors import ExitCode
from fleetctl.base.outcome import Outcome
from fleetctl.cli.folding import answers_of
from fleetctl.cli.output import emit, tell, write
from fleetctl.cli.picture import hosts_word
from fleetctl.cli.progress import RunView
from fleetctl.cli.recap import brief, exit_code, recap

ASLEEP = ("hibernating", "empty")
# Words of an answer, in the order they are told, and how.
_PHRASES = (
    ("asleep", "{} {pools} asleep"),
    ("running", "{} running"),
    ("up", "{} restarted"),
    ("starting", "{} starting"),
    ("busy", "{} busy"),
    ("ending", "{} ending"),
    ("stopping", "{} stopping"),
    ("restarting", "{} restarting"),
    ("held", "{} held by a run"),
    ("paused", "{} paused"),
    ("draining", "{} draining"),
    ("drained", "{} drained"),
    ("backoff", "{} in backoff"),
    ("failed", "{} failed"),
    ("held_back", "{} held back by others"),
    ("added", "{} added"),
    ("changed", "{} changed"),
    ("removed", "{} removed"),
    ("same", "{} as before"),
)
WORDS = tuple(word for word, _ in _PHRASES)
BUSY_AFTER = {"hibernate": ": sleep when done", "drain": ": they end when their task is done"}
"""Verb -> what becomes of those that are busy."""
_NONE = {"release": "nothing to start: what was held slept before"}
_AFTER = {"release": {"up": "running", "down": "asleep"}}
"""Verb -> what a word of an answer means then: what was held runs again, or sleeps on."""


def added_up(answers: Iterable[Mapping[str, Any]], verb: str = "") -> Counter[str]:
    """Word -> how many pools; what sleeps on purpose is one word."""
    total: Counter[str] = Counter()
    means = _AFTER.get(verb.partition(" ")[0], {})
    for answer in answers:
        for word, count in answer.items():
            if isinstance(count, int):
                total["asleep" if word in ASLEEP else means.get(word, word)] += count
    return total


def _busy_after(verb: str, busy: int, lasting: int) -> str:
    """What becomes of them; those that a pool is to have at least go on."""
    if verb == "hibernate" and lasting:
        return f": {busy - lasting:,} sleep when done" if busy > lasting else ""
    return BUSY_AFTER.get(verb, "")


def sum_line(hosts: int, total: Mapping[str, int], verb: str = "") -> str:
    """`16 hosts, 6,188 pools asleep, 3 busy: sleep when done`."""
    told = []
    for word, phrase in _PHRASES:
        count = total.get(word, 0)
        if count:
            noun = "pool" if count == 1 else "pools"
            told.append(phrase.format(f"{count:,}", pools=noun))
            if word == "busy":
                told[-1] += _busy_after(verb, count, total.get("lasting", 0))
    return ", ".join(
        (hosts_word(hosts), *(told or [_NONE.get(verb.partition(" ")[0], "no pools")]))
    )


def answer_in(text: str) -> dict[str, Any] | None:
    """The answer of an overseer in what a step printed: its one line of JSON."""
    for line in text.splitlines():
        if line.startswith("{"):
            try:
                told = json.loads(line)
            except ValueError:
                continue
            return told if isinstance(told, dict) else None
    return None


class Telling:
    """Tells a run of `verb` from its journal: a line for people, a row a host for programs."""

    def __init__(self, verb: str) -> None:
        self.verb = verb

    def __call__(self, view: RunView, output: str) -> ExitCode:
        """Tell it; the run's exit code."""
        said = answers_of(view)
        known = {one.host: answer_in(one.text) for one in said}
        answers = [answer for answer in known.values() if answer is not None]
        if output == "table":
            line = sum_line(len(answers), added_up(answers, self.verb), self.verb)
            unchanged = bool(said) and all(one.outcome is Outcome.OK for one in said)
            write(f"{line}; nothing to do" if unchanged else line)
        elif output != "jsonl":
            rows = [_row(one.host, str(one.outcome), known[one.host], self.verb) for one in said]
            words = [word for word in WORDS if any(word in row for row in rows)]
            emit(rows, ("host", "outcome", "pools", *words), output)
        code = exit_code(view)
        tell("\n".join(brief(view) if code is ExitCode.OK else recap(view)))
        return code


def _row(host: str, outcome: str, answer: Mapping[str, Any] | None, verb: str) -> dict[str, Any]:
    """A host that told nothing has no numbers: they are not known."""
    known = added_up([answer], verb) if answer is not None else {}
    return {"host": host, "outcome": outcome, **known}
