"""What a person may tell a live run, from any thread."""

from __future__ import annotations

import queue
from typing import Literal

import msgspec

Word = Literal["drain", "kill", "abort", "approve", "refuse"]


class Command(msgspec.Struct, frozen=True):
    """One wish of a person.

    drain: nothing new starts, segments in flight end. kill: also stop what runs on the hosts.
    abort: as drain, asked from another terminal. approve, refuse: the answer to an approval gate.
    """

    word: Word
    by: str
    gate: str = ""


class Controls:
    """A mailbox the driver empties every turn. Thread-safe; safe in signal handlers."""

    def __init__(self) -> None:
        self._commands: queue.SimpleQueue[Command] = queue.SimpleQueue()

    def drain(self, by: str) -> None:
        """Nothing new starts; what is in flight ends its segment."""
        self._commands.put(Command("drain", by))

    def kill(self, by: str) -> None:
        """As drain, and the step running on each host is stopped with its process group."""
        self._commands.put(Command("kill", by))

    def answer(self, gate: str, yes: bool, by: str) -> None:
        """Answers the approval gate of that key (see the record GateAsked)."""
        self._commands.put(Command("approve" if yes else "refuse", by, gate))

    def take(self) -> list[Command]:
        """Every command not taken yet, oldest first."""
        taken: list[Command] = []
        while True:
            try:
                taken.append(self._commands.get_nowait())
            except queue.Empty:
                return taken
