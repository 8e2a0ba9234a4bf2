"""What a person may tell a live run, from any thread."""

from __future__ import annotations

import queue
from collections.abc import Callable
from typing import Literal

import msgspec

Word = Literal[
    "drain", "kill", "abort", "leave", "halt", "lost", "close", "answer", "approve", "refuse"
]


class Command(msgspec.Struct, frozen=True):
    """One wish of a person, or of the program itself.

    drain: nothing new starts, segments in flight end. kill: also stop what runs on the hosts.
    abort: as drain, asked from another terminal. leave: the controller goes at once; it is only
    noted. halt: as drain, as the journal's disk is full. lost: somebody else has the lease.
    close: as drain, as the window is over.
    answer: to a question a person is asked. approve, refuse: short for that choice.
    """

    word: Word
    by: str
    gate: str = ""
    """The key of the question that is answered; empty: the only one that has such a choice."""
    means: str = ""
    """The signal, or the command given elsewhere."""
    choice: str = ""
    why: str = ""
    """What a person adds to an answer."""


class Answer(msgspec.Struct, frozen=True):
    """An answer given in another terminal, as the journal's orders carry it (JSON)."""

    key: str
    choice: str
    why: str = ""


def write_answer(key: str, choice: str, why: str = "") -> str:
    """The detail of an order `answer`."""
    return msgspec.json.encode(Answer(key, choice, why)).decode()


def read_answer(by: str, detail: str, means: str = "") -> Command:
    """The command of an order `answer`; one that cannot be read answers nothing."""
    try:
        found = msgspec.json.decode(detail, type=Answer)
    except msgspec.MsgspecError:
        found = Answer("", "")
    return Command("answer", by, found.key, means, found.choice, found.why)


class Controls:
    """A mailbox for a run. Thread-safe and never blocks, so signal handlers may use it."""

    def __init__(self) -> None:
        self._kept: queue.SimpleQueue[Command] = queue.SimpleQueue()
        self._listener: Callable[[Command], None] = self._kept.put

    def drain(self, by: str, means: str = "") -> None:
        """Nothing new starts; what is in flight ends its segment."""
        self._listener(Command("drain", by, means=means))

    def kill(self, by: str, means: str = "") -> None:
        """As drain, and the step running on each host is stopped with its process group."""
        self._listener(Command("kill", by, means=means))

    def leave(self, by: str, means: str = "") -> None:
        """The controller is about to go at once; the journal takes note of it."""
        self._listener(Command("leave", by, means=means))

    def answer(self, key: str, choice: str, by: str, why: str = "") -> None:
        """Answers the question of that key (see the record QuestionAsked)."""
        self._listener(Command("answer", by, key, choice=choice, why=why))

    def listen(self, listener: Callable[[Command], None]) -> None:
        """Give every command, those given already first, to `listener`; for the driver."""
        self._listener = listener
        for command in self.take():
            listener(command)

    def take(self) -> list[Command]:
        """Every command given while nobody listened, oldest first."""
        taken: list[Command] = []
        while True:
            try:
                taken.append(self._kept.get_nowait())
            except queue.Empty:
                return taken
