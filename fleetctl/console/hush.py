"""Records without what hosts, daemons and libraries said: counts and outcome words stay. Pure.

A page may be seen by more people than the journal. So texts of others are taken out before
anything is made of a record, not left out of pages one by one. Different errors stay apart: each
gets a letter.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator
from typing import Any, ClassVar

from msgspec.structs import replace

from fleetctl.base.plaintext import last_lines_of
from fleetctl.report.causes import LAST_LINES
from fleetctl.report.reading import Entry, Unfamiliar
from fleetctl.rollout import records as r

RELEASE = re.compile(r"[A-Za-z0-9][A-Za-z0-9._+-]{0,99}", re.ASCII)
"""What can name a release; what a host said instead when it was asked for one is not told."""
NO_RELEASE = "something that names no release"
OURS = frozenset({"budget", "floor", "window", "drain", "kill", "abort"})
"""Stops whose cause is in words of ours, or of the person who ordered it."""
_Key = tuple[str, str]


class Hush:
    """Hushes the records of one run, in order."""

    def __init__(self) -> None:
        self._letters: dict[str, str] = {}
        self._words: dict[_Key, dict[str, str]] = {}
        """Phase and host -> step -> what it ended with, hushed."""
        self._lost: dict[_Key, str] = {}
        """Phase and host -> how its connection was lost last."""

    def entries(self, entries: Iterable[Entry]) -> Iterator[Entry]:
        """The same entries, without texts of others."""
        for entry in entries:
            yield entry._replace(record=self.record(entry.record))

    def record(self, record: r.Record | Unfamiliar) -> r.Record | Unfamiliar:
        """The record without texts of others; one of an unknown kind keeps only its name."""
        if isinstance(record, Unfamiliar):
            return Unfamiliar(record.tag, {})
        hush = self._OF.get(type(record))
        return record if hush is None else hush(self, record)

    def _step(self, record: r.StepSettled) -> r.StepSettled:
        words = ""
        if record.outcome.lost:
            said = last_lines_of(record.stderr, record.stdout, LAST_LINES)
            words = self._error(record.host, record.exit_status, "\n".join((record.cause, *said)))
            self._words.setdefault((record.phase, record.host), {})[record.key] = words
        return replace(record, stdout=b"", stderr=b"", cause=words)

    def _item(self, record: r.ItemSettled) -> r.ItemSettled:
        said = record.cause.replace(record.item, "{item}")
        words = self._error(record.host, record.exit_status, said) if record.outcome.lost else ""
        return replace(record, said=b"", cause=words)

    def _host(self, record: r.HostSettled) -> r.HostSettled:
        place = (record.phase, record.host)
        owes = "something it stopped is not put back" if record.owes else ""
        words = "stopped before its end" if record.halted else ""
        if record.outcome.lost:
            known = self._words.get(place, {}).get(record.key) or self._lost.get(place)
            words = known or self._error(record.host, None, record.cause)
        cause = "; ".join(filter(None, (words, owes)))
        return replace(record, cause=cause, owes=owes, release=release_name(record.release))

    def _order_lost(self, record: r.OrderLost) -> r.OrderLost:
        self._lost[record.phase, record.host] = f"{record.what} ({record.cause})"
        return replace(record, detail="")

    def _gate(self, record: r.GateSettled) -> r.GateSettled:
        return record if record.by else replace(record, cause="")

    def _asked(self, record: r.QuestionAsked) -> r.QuestionAsked:
        if record.about != "failure":
            return record  # the author's words
        return replace(record, text=f"{record.host} was lost. What now?", command="")

    def _stop(self, record: r.StopOrdered) -> r.StopOrdered:
        return record if record.reason in OURS else replace(record, cause=record.reason)

    def _back(self, record: r.RollbackOrdered) -> r.RollbackOrdered:
        return replace(record, cause="")

    def _view(self, record: r.ViewDropped) -> r.ViewDropped:
        return replace(record, cause="")

    def _ended(self, record: r.RunEnded) -> r.RunEnded:
        return replace(record, cause="")

    def _error(self, host: str, exit_status: int | None, said: str) -> str:
        """`exit 1, error A`: the same letter for who said the same, but for names and numbers."""
        same = re.sub(r"\d+", "#", said.replace(host, "{host}"))
        letter = self._letters.setdefault(same, _letter(len(self._letters)))
        return f"exit {exit_status}, error {letter}" if exit_status else f"error {letter}"

    _OF: ClassVar[dict[type, Callable[[Hush, Any], Any]]] = {
        r.StepSettled: _step,
        r.ItemSettled: _item,
        r.HostSettled: _host,
        r.OrderLost: _order_lost,
        r.GateSettled: _gate,
        r.QuestionAsked: _asked,
        r.StopOrdered: _stop,
        r.RollbackOrdered: _back,
        r.ViewDropped: _view,
        r.RunEnded: _ended,
    }


def release_name(text: str) -> str:
    """The release a host said it runs, if that can be one."""
    return text if not text or RELEASE.fullmatch(text) else NO_RELEASE


def _letter(number: int) -> str:
    """A, B, ... Z, AA, AB, ..."""
    letter = chr(ord("A") + number % 26)
    return letter if number < 26 else _letter(number // 26 - 1) + letter
