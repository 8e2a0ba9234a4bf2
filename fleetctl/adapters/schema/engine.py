"""What a kind of database must be able to do; `mariadb` and `sqlite` do it."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from contextlib import AbstractContextManager
from typing import Any, Protocol

from .facts import Broken, Instance, Migration, Standing


class Session(Protocol):
    """One instance's database, held by a lock that ends with the process that has it."""

    def ended(self) -> set[int]:
        """The numbers of the migrations that ended; raises Trouble when that is not known."""

    def broken(self) -> Broken | None:
        """The migration that was begun and did not end."""

    def apply(self, migration: Migration) -> int:
        """Apply one migration and record it; returns its statements. Raises Trouble, recorded."""

    def mark(self, migrations: Sequence[Migration], number: int) -> None:
        """A person's word: the database is as after `number`, and nothing is broken."""


class Engine(Protocol):
    """The databases of one shard."""

    def survey(
        self, instances: Sequence[Instance], migrations: Sequence[Migration]
    ) -> dict[str, Standing]:
        """How far each has got, read as cheaply as can be; changes nothing."""

    def open(self, instance: Instance) -> AbstractContextManager[Session]:
        """Lock the instance's database; raises Trouble when another upgrader has it."""

    def ask(self, query: str, only: str | None) -> Iterable[Sequence[Any]]:
        """The list of instances by a query of the author's."""

    def close(self) -> None:
        """Let go of what was opened."""
