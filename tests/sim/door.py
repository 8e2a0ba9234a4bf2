"""The journal's door to its disk, with faults: a real SQLite file whose commits can go wrong."""

from __future__ import annotations

import random
import shutil
import sqlite3
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

from fleetctl.journal.store import Journal
from tests.sim.case import Death

_SECTOR = 512
_FRAME_SECTORS = 10
"""What a frame of the log touches at most, wherever it begins."""


class Crash(BaseException):
    """The controller's process is killed here; nothing in it may catch this."""


class FaultyJournal(Journal):
    """The journal as it is, over a connection whose commits ask the door first."""

    def __init__(self, path: Path, door: Door) -> None:
        super().__init__(path)
        self._door = door
        real = self._database
        real.execute("PRAGMA cache_size=-8000")
        self._database = _Connection(real, door)  # type: ignore[assignment]

    def end(self, *, crashed: bool, alone: bool) -> None:
        """The process is gone. Crashed and nobody else there: its files stay as it left them."""
        self.close()
        if crashed and alone:
            self._door.restore()


class _Connection:
    """Hands everything on to the real connection, commits through the door."""

    def __init__(self, real: sqlite3.Connection, door: Door) -> None:
        self._real = real
        self._door = door

    def execute(self, query: str, *values: Any) -> sqlite3.Cursor:
        if query == "COMMIT":
            self._door.commit(self._real)
            return self._real.cursor()
        return self._real.execute(query, *values)

    def commit(self) -> None:
        self._door.commit(self._real)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._real, name)


class Door:
    """What becomes of the commits of one controller."""

    def __init__(
        self, path: Path, chance: random.Random, faults: Counter[str], death: Death | None = None,
        dawdle: Callable[[], None] = lambda: None,
    ) -> None:  # fmt: skip
        self.commits = 0
        self._wal = path.with_name(path.name + "-wal")
        self._path = path
        self._chance = chance
        self._faults = faults
        self._death = death
        self._dawdle = dawdle
        self._left: dict[Path, bytes] = {}
        """File -> what was in it when the process died."""

    def commit(self, real: sqlite3.Connection) -> None:
        """Commit, or not, and die or not; `dawdle` says how slow the disk is."""
        self.commits += 1
        self._dawdle()
        if self._death is None or self.commits != self._death.at:
            real.execute("COMMIT")
            return
        how = self._death.how
        self._faults[f"journal: {how}"] += 1
        if how == "disk full":
            raise sqlite3.OperationalError("database or disk is full")
        if how == "fsync fails":
            real.execute("ROLLBACK")
            raise sqlite3.OperationalError("disk I/O error")
        before = self._read()
        if how != "before":
            real.execute("COMMIT")
        if how == "fsync fails, kept":
            raise sqlite3.OperationalError("disk I/O error")
        self._left = self._read()
        if how == "torn" and before[self._path] == self._left[self._path]:
            self._left[self._wal] = self._tear(before[self._wal], self._left[self._wal])
        raise Crash

    def restore(self) -> None:
        """Put the files back as they were when the process died."""
        for path in (self._wal, self._path.with_name(self._path.name + "-shm")):
            path.unlink(missing_ok=True)
        for path, content in self._left.items():
            path.write_bytes(content)

    def _read(self) -> dict[Path, bytes]:
        return {path: path.read_bytes() for path in (self._path, self._wal)}

    def _tear(self, before: bytes, after: bytes) -> bytes:
        """The write got as far as one of its sectors, and not to its last frame."""
        old = before.ljust(len(after), b"\0")
        changed = [
            at for at in range(0, len(after), _SECTOR)
            if old[at : at + _SECTOR] != after[at : at + _SECTOR]
        ]  # fmt: skip
        got_to = self._chance.randint(0, max(0, len(changed) - _FRAME_SECTORS))
        torn = bytearray(after)
        for at in changed[got_to:]:
            torn[at : at + _SECTOR] = old[at : at + _SECTOR]
        if len(before) < len(after) and got_to < len(changed):
            del torn[max(len(before), changed[got_to]) :]
        return bytes(torn)


def lay_out(template: Path, path: Path) -> None:
    """An empty journal at `path`, copied from one that is made once."""
    if not template.exists():
        Journal(template).close()
    shutil.copyfile(template, path)
