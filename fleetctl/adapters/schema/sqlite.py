"""SQLite: each instance is a file. A migration is one transaction: it happens whole or not at all.

The transaction is the lock, and SQLite gives it back when the program that had it is gone.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable, Iterator, Sequence
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any, NoReturn

from .facts import (
    MISSING,
    SAY_WHERE,
    TABLE,
    UNMARKED,
    Broken,
    Instance,
    Migration,
    Standing,
    Trouble,
)

LOCK_PATIENCE_S = 30.0
_READ_PATIENCE_S = 1.0
_KEPT_CHARACTERS = 2000
_NOW = "strftime('%Y-%m-%d %H:%M:%S')"
_TABLE_SQL = (
    f"CREATE TABLE IF NOT EXISTS {TABLE} (number INTEGER NOT NULL PRIMARY KEY, "
    "file TEXT NOT NULL, sha256 TEXT NOT NULL, began TEXT NOT NULL, ended TEXT, "
    "statement INTEGER NOT NULL DEFAULT 0, text TEXT NOT NULL DEFAULT '', "
    "failure TEXT NOT NULL DEFAULT '')"
)


class Sqlite:
    """The files of one host."""

    def survey(
        self, instances: Sequence[Instance], migrations: Sequence[Migration]
    ) -> dict[str, Standing]:
        """Opens each file and reads one row; there is no server to ask once for all."""
        numbers = [one.number for one in migrations]
        return {one.name: _standing(one, numbers[0], numbers[-1]) for one in instances}

    @contextmanager
    def open(self, instance: Instance) -> Iterator[SqliteSession]:
        """The file, with its write lock; raises Trouble."""
        path = Path(instance.database).expanduser()
        if not path.exists():
            raise Trouble(f"there is no database {path}")
        try:
            with closing(_connect(path, "rw")) as connection:
                connection.execute("BEGIN IMMEDIATE")
                yield SqliteSession(connection, path)
                if connection.in_transaction:
                    connection.execute("COMMIT")
        except sqlite3.OperationalError as error:
            if "locked" in str(error):
                raise Trouble(f"another program is writing to {path}") from None
            raise Trouble(f"cannot write to {path}: {error}") from None

    def ask(self, query: str, only: str | None) -> Iterable[Sequence[Any]]:
        """A list by query needs a server."""
        raise Trouble("instances of SQLite are listed by a file or a command, not by a query")

    def close(self) -> None:
        """Each file is closed when it was read."""


class SqliteSession:
    """One file, in a transaction that each applied migration ends and begins anew."""

    def __init__(self, connection: sqlite3.Connection, path: Path) -> None:
        self._connection = connection
        self._path = path

    def ended(self) -> set[int]:
        """The numbers that ended. An empty file is at 0; one in use must have an account."""
        tables = _tables(self._connection)
        if TABLE not in tables and tables:
            raise Trouble(f"{self._path}: {UNMARKED}; {SAY_WHERE}")
        self._connection.execute(_TABLE_SQL)
        rows = self._connection.execute(f"SELECT number FROM {TABLE} WHERE ended IS NOT NULL")
        return {int(row[0]) for row in rows}

    def broken(self) -> Broken | None:
        """What was begun and did not end."""
        return _broken(self._connection)

    def apply(self, migration: Migration) -> int:
        """The whole file and its record in the transaction that is open already."""
        statements = split(migration.text)
        for at, statement in enumerate(statements, 1):
            try:
                self._connection.execute(statement)
            except (sqlite3.Error, sqlite3.Warning) as error:
                self._fail(migration, at, statement, str(error))
            if not self._connection.in_transaction:
                why = "it ends the transaction the file runs in; take it out"
                self._connection.execute("BEGIN IMMEDIATE")
                self._fail(migration, at, statement, why)
        self._connection.execute(
            f"INSERT INTO {TABLE} (number, file, sha256, began, ended) "
            f"VALUES (?, ?, ?, {_NOW}, {_NOW})",
            (migration.number, migration.file, migration.sha256),
        )
        self._next_transaction()
        return len(statements)

    def mark(self, migrations: Sequence[Migration], number: int) -> None:
        """Write the account anew up to `number`."""
        self._connection.execute(_TABLE_SQL)
        sql = f"DELETE FROM {TABLE} WHERE number > ? OR ended IS NULL"
        self._connection.execute(sql, (number,))
        self._connection.executemany(
            f"INSERT OR IGNORE INTO {TABLE} (number, file, sha256, began, ended) "
            f"VALUES (?, ?, ?, {_NOW}, {_NOW})",
            [(one.number, one.file, one.sha256) for one in migrations if one.number <= number],
        )
        self._next_transaction()

    def _fail(self, migration: Migration, at: int, statement: str, why: str) -> NoReturn:
        """Take the file back, and say in the account that and where it failed."""
        if self._connection.in_transaction:
            self._connection.execute("ROLLBACK")
        self._connection.execute("BEGIN IMMEDIATE")
        self._connection.execute(_TABLE_SQL)
        self._connection.execute(
            f"INSERT INTO {TABLE} (number, file, sha256, began, statement, text, failure) "
            f"VALUES (?, ?, ?, {_NOW}, ?, ?, ?)",
            (migration.number, migration.file, migration.sha256, at,
             statement[:_KEPT_CHARACTERS], why[:_KEPT_CHARACTERS]),
        )  # fmt: skip
        self._connection.execute("COMMIT")
        short = " ".join(statement.split())[:200]
        raise Trouble(f"{migration.file} failed at statement {at}: {why}\n  {short}")

    def _next_transaction(self) -> None:
        self._connection.execute("COMMIT")
        self._connection.execute("BEGIN IMMEDIATE")


def split(text: str) -> list[str]:
    """The statements of a file, as SQLite itself sees where one is complete."""
    statements: list[str] = []
    part = ""
    for piece in text.split(";"):
        part += piece + ";"
        if sqlite3.complete_statement(part):
            statements.append(part.strip())
            part = ""
    rest = part.removesuffix(";").strip()
    return [one for one in [*statements, rest] if _says_something(one)]


def _says_something(statement: str) -> bool:
    """Whether there is more than comments; SQLite takes an empty statement without a word."""
    with closing(sqlite3.connect(":memory:")) as nowhere:
        try:
            nowhere.execute("EXPLAIN " + statement)
        except sqlite3.Error as error:
            return "incomplete input" not in str(error) and 'near ";"' not in str(error)
    return True


def _standing(one: Instance, first: int, last: int) -> Standing:
    path = Path(one.database).expanduser()
    if not path.exists():
        return Standing(0, 0, unknown=MISSING)
    try:
        with closing(_connect(path, "ro")) as connection:
            tables = _tables(connection)
            if TABLE not in tables:
                return Standing(0, 0, unknown=UNMARKED if tables else "")
            sql = (
                f"SELECT max(number), sum(number BETWEEN {first} AND {last}) "
                f"FROM {TABLE} WHERE ended IS NOT NULL"
            )
            version, done = connection.execute(sql).fetchone()
            return Standing(version or 0, done or 0, _broken(connection))
    except sqlite3.Error as error:
        return Standing(0, 0, unknown=f"cannot read {path}: {error}")


def _broken(connection: sqlite3.Connection) -> Broken | None:
    sql = (
        f"SELECT number, file, statement, failure, text FROM {TABLE} "
        "WHERE ended IS NULL ORDER BY number LIMIT 1"
    )
    row = connection.execute(sql).fetchone()
    return None if row is None else Broken(*row)


def _tables(connection: sqlite3.Connection) -> set[str]:
    rows = connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'")
    return {str(row[0]) for row in rows}


def _connect(path: Path, mode: str) -> sqlite3.Connection:
    return sqlite3.connect(
        f"{path.absolute().as_uri()}?mode={mode}",
        uri=True,
        timeout=LOCK_PATIENCE_S if mode == "rw" else _READ_PATIENCE_S,
        isolation_level=None,
    )
