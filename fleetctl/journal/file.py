"""A journal's file: one connection, transactions that are durable, and damage told by its place."""

from __future__ import annotations

import sqlite3
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from fleetctl.journal import chain
from fleetctl.journal.errors import SALVAGE, JournalFull, JournalUnusable
from fleetctl.journal.schema import open_database

LOOKED_AT_MAX = 16 * 2**20
"""Bytes of a journal that is looked through before the first write; more would take too long."""


class JournalFile:
    """One SQLite file. Safe to share between threads; every write is one durable transaction."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._database = open_database(path)
        self._guard = threading.RLock()
        self._looked_at = False

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def close(self) -> None:
        """Idempotent; a transaction that was not committed never happened."""
        with self._guard:
            self._database.close()

    def only_look(self) -> None:
        """From here on nothing can be written by this connection."""
        with self._guard:
            self._database.execute("PRAGMA query_only=ON")

    def damaged(self, place: str, why: str) -> JournalUnusable:
        """The error for something that is not as it was written."""
        where = f"{self.path}: {place}" if place else str(self.path)
        return JournalUnusable("the journal is damaged", where=where, why=why, hint=SALVAGE)

    def _seal(self) -> None:
        """Called at the end of each transaction, within it."""

    def _committed(self) -> None:
        """Called when a transaction is durable."""

    def _rolled_back(self) -> None:
        """Called when a transaction never happened."""

    @contextmanager
    def _transaction(self, look: bool = True) -> Iterator[None]:
        """All or nothing, on disk when it ends; raises JournalFull when it could not be.

        `look`: the first one looks whether the file is whole; raises JournalUnusable.
        """
        with self._guard:
            if look and not self._looked_at:
                self._see_whole()
                self._looked_at = True
            try:
                self._database.execute("BEGIN IMMEDIATE")
                yield
                self._seal()
                self._database.execute("COMMIT")
            except (sqlite3.Error, UnicodeDecodeError) as error:
                self._roll_back()
                raise JournalFull(
                    "the journal could not be written",
                    where=str(self.path),
                    why=str(error),
                    hint="make room on its disk, then go on with `fleetctl runs resume`",
                ) from error
            except BaseException:
                self._roll_back()
                raise
            self._committed()

    def _see_whole(self) -> None:
        """Who is about to write looks at the file's structure first."""
        if self.path.stat().st_size <= LOOKED_AT_MAX:
            ((found,),) = self._rows("PRAGMA quick_check(1)", ())
            if found != "ok":
                raise self.damaged("", str(found))

    def _roll_back(self) -> None:
        self._rolled_back()
        if self._database.in_transaction:
            self._database.execute("ROLLBACK")

    def _rows(self, query: str, values: Sequence[object]) -> list[tuple[Any, ...]]:
        with self._guard:
            try:
                return self._database.execute(query, tuple(values)).fetchall()
            except (sqlite3.Error, UnicodeDecodeError) as error:
                raise JournalUnusable(
                    "the journal cannot be read",
                    where=str(self.path),
                    why=str(error),
                    hint=f"see what is wrong with `fleetctl runs verify`; {SALVAGE}",
                ) from error

    def _see_sealed(self, place: str, crc: object, *values: object) -> None:
        if not chain.is_sealed(crc, *values):
            raise self.damaged(place, "its checksum is wrong")
