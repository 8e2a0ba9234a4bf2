"""What the program talks about: migrations, instances, and how far an instance has got."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

TABLE = "fleetctl_schema"
"""One row a migration, in the instance's own database: what is moved or restored says itself how
far it had got."""


UNMARKED = "its database is in use and has no account of migrations"
MISSING = "it has no database"
SAY_WHERE = "look at it, then say where it is: fleetctl schema mark"


class Trouble(Exception):
    """Something a person must look at; its text says what, why and what to do."""


class Migration(NamedTuple):
    """One numbered file of SQL."""

    number: int
    file: str
    text: str
    sha256: str


class Instance(NamedTuple):
    """One customer's copy of the application, as the list of instances has it."""

    name: str
    database: str
    """MariaDB: its database. SQLite: the path of its file."""
    state: str = "active"

    @property
    def active(self) -> bool:
        """Suspended and destroyed instances cost nothing; they are upgraded when they come back."""
        return self.state == "active"


class Broken(NamedTuple):
    """A migration that was begun and did not end."""

    number: int
    file: str
    statement: int
    """From 1; 0: none was begun."""
    failure: str
    """Empty: it was cut off, nobody knows how far the statement got."""
    text: str

    def words(self) -> str:
        if self.failure:
            return f"{self.file} failed before, at statement {self.statement}: {self.failure}"
        at = f" at statement {self.statement}" if self.statement else ""
        return f"{self.file} was begun before and cut off{at}; nobody knows how far it got"


class Standing(NamedTuple):
    """How far an instance has got."""

    version: int
    """The highest number that ended; 0: none."""
    done: int
    """How many of the migrations asked about have ended."""
    broken: Broken | None = None
    unknown: str = ""
    """Why nobody knows how far it has got; empty: it is known."""

    def word(self, wanted: int) -> str:
        """`current`, `pending`, `failed`, or `unknown`; `wanted`: how many there are."""
        if self.broken is not None:
            return "failed"
        if self.unknown:
            return "unknown"
        return "current" if self.done >= wanted else "pending"


def pending_of(migrations: Sequence[Migration], ended: set[int]) -> list[Migration]:
    """Those that have not ended, in the order they are to be applied."""
    return [one for one in migrations if one.number not in ended]
