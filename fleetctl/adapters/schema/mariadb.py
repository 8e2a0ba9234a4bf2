"""MariaDB and MySQL: a shard is one server, each instance has a database of its own on it.

A statement that changes a table commits by itself, so a file that fails in the middle stays half
done. Therefore each statement is noted before it is sent; who comes later is told where it broke.
The lock is the server's, held by the connection the statements go through: it lasts exactly as
long as one of them may still be at work, also when this program is killed.
"""

from __future__ import annotations

import hashlib
import importlib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
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

TABLE_SQL = (
    "CREATE TABLE IF NOT EXISTS %s (number INT UNSIGNED NOT NULL PRIMARY KEY, "
    "file VARCHAR(255) NOT NULL, sha256 CHAR(64) NOT NULL, began DATETIME NOT NULL, "
    "ended DATETIME NULL, statement INT UNSIGNED NOT NULL DEFAULT 0, text TEXT NOT NULL, "
    "failure TEXT NOT NULL) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4"
)
_BROKEN_SQL = (
    "SELECT number, file, statement, failure, text FROM %s "
    "WHERE ended IS NULL ORDER BY number LIMIT 1"
)
_AT_ONCE = 1000
"""Instances a survey asks about in one statement."""
_KEPT_CHARACTERS = 2000
LOCK_PATIENCE_S = 30
TABLE_PATIENCE_S = 30
"""How long a statement may stand in line for a table; all who come after it stand behind it."""
_IN_LINE = 1205
"""The server's number for having stood in line too long."""
_SERVER_KEYS = {
    "host": "host",
    "user": "user",
    "socket": "unix_socket",
    "defaults_file": "read_default_file",
}
"""Our words for the driver's. A password stands in the defaults file alone: what a program is
started with can be read by everybody on its host."""


class MariaDb:
    """One server, reached with one connection that is opened when it is needed."""

    def __init__(self, settings: Mapping[str, str]) -> None:
        named = _SERVER_KEYS.items()
        self._server: dict[str, Any] = {to: settings[key] for key, to in named if key in settings}
        if "port" in settings:
            self._server["port"] = int(settings["port"])
        self._driver = _library("pymysql")
        self._connection: Any = None

    def survey(
        self, instances: Sequence[Instance], migrations: Sequence[Migration]
    ) -> dict[str, Standing]:
        """Two statements for a shard: which databases keep an account, and what it says."""
        numbers = [one.number for one in migrations]
        kept = self._databases_with_account()
        found: dict[str, Standing] = {}
        known = [one for one in instances if one.database in kept]
        for at in range(0, len(known), _AT_ONCE):
            found |= self._read(known[at : at + _AT_ONCE], numbers)
        others = [one for one in instances if one.database not in kept]
        return found | (self._look_at(others) if others else {})

    def _databases_with_account(self) -> set[str]:
        sql = "SELECT table_schema FROM information_schema.tables WHERE table_name = %s"
        return {str(row[0]) for row in self._rows(sql, (TABLE,))}

    def _read(self, instances: Sequence[Instance], numbers: Sequence[int]) -> dict[str, Standing]:
        """One union over the accounts; only what is not current comes back with details."""
        first, last = numbers[0], numbers[-1]
        parts = [
            f"SELECT {at}, MAX(IF(ended IS NULL, 0, number)), "
            f"SUM(ended IS NOT NULL AND number BETWEEN {first} AND {last}), "
            f"SUM(ended IS NULL) FROM {_quoted(one.database)}.{TABLE}"
            for at, one in enumerate(instances)
        ]
        found: dict[str, Standing] = {}
        try:
            rows = self._rows(" UNION ALL ".join(parts))
        except Trouble as trouble:
            if len(instances) == 1:
                return {instances[0].name: Standing(0, 0, unknown=str(trouble))}
            # One account that cannot be read spoils the union: the others are still told.
            for one in instances:
                found |= self._read([one], numbers)
            return found
        for at, version, done, broken in rows:
            one = instances[at]
            what = self._broken_of(one.database) if broken else None
            found[one.name] = Standing(int(version or 0), int(done or 0), what)
        return found

    def _look_at(self, instances: Sequence[Instance]) -> dict[str, Standing]:
        """Instances without an account: new and empty, in use already, or not there."""
        there = {str(row[0]) for row in self._rows("SHOW DATABASES")}
        used_sql = (
            "SELECT DISTINCT table_schema FROM information_schema.tables WHERE table_schema IN %s"
        )
        names = tuple(one.database for one in instances)
        used = {str(row[0]) for row in self._rows(used_sql, (names,))}
        why = dict.fromkeys(used, UNMARKED) | dict.fromkeys(set(names) - there, MISSING)
        return {one.name: Standing(0, 0, unknown=why.get(one.database, "")) for one in instances}

    def _broken_of(self, database: str) -> Broken | None:
        for row in self._rows(_BROKEN_SQL % f"{_quoted(database)}.{TABLE}"):
            return _broken(row)
        return None

    @contextmanager
    def open(self, instance: Instance) -> Iterator[MariaDbSession]:
        """Use the database and take its lock; raises Trouble."""
        database = instance.database
        if not self._rows("SHOW DATABASES WHERE `Database` = %s", (database,)):
            raise Trouble(f"there is no database {database}")
        lock = _lock_name(database)
        got = self._rows(
            "SELECT GET_LOCK(%s, %s), IS_USED_LOCK(%s)", (lock, LOCK_PATIENCE_S, lock)
        )[0]
        if got[0] != 1:
            raise Trouble(f"another upgrader is at {database} (connection {got[1]} of the server)")
        connection = self._connect()
        self._rows("SET SESSION lock_wait_timeout = %s", (TABLE_PATIENCE_S,))
        try:
            yield MariaDbSession(connection, self._driver, database)
        except self._driver.MySQLError as error:
            raise Trouble(
                f"{database}: {_words(error)}; the next try tells how far it got"
            ) from None
        finally:
            self.close()  # which gives the lock back

    def close(self) -> None:
        """End the connection."""
        connection, self._connection = self._connection, None
        if connection is not None:
            with suppress(self._driver.MySQLError):
                connection.close()

    def ask(self, query: str, only: str | None) -> Iterable[Sequence[Any]]:
        """Name, database and state of all instances, or of one."""
        sql = f"SELECT listed.* FROM ({query.rstrip().rstrip(';')}) listed"
        named = ("name", "database", "state")
        if only:
            sql = sql.replace("%", "%%") + " WHERE listed.name = %s"
        rows, columns = self._table(sql, only)
        if "name" not in columns:
            raise Trouble(f"the query for instances has no column called name but {columns}")
        places = [columns.index(name) if name in columns else None for name in named]
        return [[None if at is None else row[at] for at in places] for row in rows]

    def _table(self, sql: str, only: str | None) -> tuple[list[Sequence[Any]], list[str]]:
        with self._connect().cursor() as cursor:
            try:
                cursor.execute(sql, (only,) if only else None)
            except self._driver.MySQLError as error:
                raise Trouble(f"the query for instances failed: {_words(error)}") from None
            return list(cursor.fetchall()), [
                str(column[0]).lower() for column in cursor.description
            ]

    def _rows(self, sql: str, values: Sequence[Any] = ()) -> list[Sequence[Any]]:
        with self._connect().cursor() as cursor:
            try:
                cursor.execute(sql, values or None)
            except self._driver.MySQLError as error:
                raise Trouble(f"the server refused to tell: {_words(error)}") from None
            return list(cursor.fetchall())

    def _connect(self) -> Any:
        if self._connection is None:
            try:
                self._connection = self._driver.connect(
                    **self._server, autocommit=True, charset="utf8mb4", connect_timeout=10
                )
            except (self._driver.MySQLError, OSError) as error:
                raise Trouble(f"cannot reach the database server: {_words(error)}") from None
        return self._connection


class MariaDbSession:
    """One database under its lock."""

    def __init__(self, connection: Any, driver: Any, database: str) -> None:
        self._connection = connection
        self._driver = driver
        self._database = database
        self._account = f"{_quoted(database)}.{TABLE}"

    def ended(self) -> set[int]:
        """The numbers that ended. An empty database is at 0; one in use must have an account."""
        tables = {str(row[0]) for row in self._do(f"SHOW TABLES FROM {_quoted(self._database)}")}
        if TABLE not in tables:
            if tables:
                raise Trouble(f"{self._database}: {UNMARKED}; {SAY_WHERE}")
            self._do(TABLE_SQL % self._account)
        sql = f"SELECT number FROM {self._account} WHERE ended IS NOT NULL"
        return {int(row[0]) for row in self._do(sql)}

    def broken(self) -> Broken | None:
        """What was begun and did not end."""
        for row in self._do(_BROKEN_SQL % self._account):
            return _broken(row)
        return None

    def apply(self, migration: Migration) -> int:
        """Statement after statement, each noted before it is sent."""
        statements = split(migration.text)
        self._connection.select_db(self._database)
        self._do(
            f"INSERT INTO {self._account} (number, file, sha256, began, text, failure) "
            "VALUES (%s, %s, %s, UTC_TIMESTAMP(), '', '')",
            (migration.number, migration.file, migration.sha256),
        )
        for at, statement in enumerate(statements, 1):
            self._do(
                f"UPDATE {self._account} SET statement = %s, text = %s WHERE number = %s",
                (at, statement[:_KEPT_CHARACTERS], migration.number),
            )
            try:
                self._do(statement)
            except self._driver.MySQLError as error:
                if at == 1 and error.args[:1] == (_IN_LINE,):
                    self._forget(migration, error)
                self._fail(migration, at, statement, _words(error))
        self._do(
            f"UPDATE {self._account} SET ended = UTC_TIMESTAMP(), text = '' WHERE number = %s",
            (migration.number,),
        )
        return len(statements)

    def mark(self, migrations: Sequence[Migration], number: int) -> None:
        """Write the account anew up to `number`, in one transaction."""
        self._do(TABLE_SQL % self._account)
        self._do("START TRANSACTION")
        self._do(f"DELETE FROM {self._account} WHERE number > %s OR ended IS NULL", (number,))
        for one in migrations:
            if one.number <= number:
                self._do(
                    f"INSERT IGNORE INTO {self._account} "
                    "(number, file, sha256, began, ended, text, failure) "
                    "VALUES (%s, %s, %s, UTC_TIMESTAMP(), UTC_TIMESTAMP(), '', '')",
                    (one.number, one.file, one.sha256),
                )
        self._do("COMMIT")

    def _forget(self, migration: Migration, error: Exception) -> NoReturn:
        """Nothing was done, so there is nothing to mend: a later try begins anew."""
        self._do(f"DELETE FROM {self._account} WHERE number = %s", (migration.number,))
        raise Trouble(f"{migration.file}: {_words(error)}; a table is in use, nothing was changed")

    def _fail(self, migration: Migration, at: int, statement: str, why: str) -> NoReturn:
        sql = f"UPDATE {self._account} SET failure = %s WHERE number = %s"
        with suppress(self._driver.MySQLError):  # gone: then it counts as cut off
            self._do("ROLLBACK")
            self._do(sql, (why[:_KEPT_CHARACTERS], migration.number))
        raise Trouble(f"{migration.file} failed at statement {at}: {why}\n  {_short(statement)}")

    def _do(self, sql: str, values: Sequence[Any] | None = None) -> list[Sequence[Any]]:
        with self._connection.cursor() as cursor:
            cursor.execute(sql, values)
            return list(cursor.fetchall())


def split(text: str) -> list[str]:
    """The statements of a file; bodies of triggers and procedures stay whole."""
    sqlparse = _library("sqlparse")
    parts = (sqlparse.format(part, strip_comments=False).strip() for part in sqlparse.split(text))
    return [part for part in parts if sqlparse.format(part, strip_comments=True).strip(" \n\t;")]


def _library(name: str) -> Any:
    try:
        return importlib.import_module(name)
    except ImportError:
        raise Trouble(
            f"the library {name} was not packed: the fleetctl that pushes lacks it; "
            "install it there: pip install 'fleetctl[mariadb]'"
        ) from None


def _lock_name(database: str) -> str:
    """Of the server, at most 64 characters; the same for every upgrader."""
    return "fleetctl:" + hashlib.sha256(database.encode()).hexdigest()[:40]


def _quoted(name: str) -> str:
    if not name or "%" in name or len(name) > 64:
        raise Trouble(f"{name!r} cannot be a database")
    return "`" + name.replace("`", "``") + "`"


def _broken(row: Sequence[Any]) -> Broken:
    return Broken(int(row[0]), str(row[1]), int(row[2]), str(row[3]), str(row[4]))


def _words(error: Exception) -> str:
    """`1060 Duplicate column name 'colour'`."""
    return " ".join(str(part) for part in error.args if part)


def _short(statement: str) -> str:
    line = " ".join(statement.split())
    return line if len(line) <= 200 else line[:197] + "..."
