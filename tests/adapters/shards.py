"""Shards to upgrade: instances of one kind of database, a folder of migrations, the words."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Sequence
from contextlib import closing
from pathlib import Path
from typing import Any, Protocol

import pytest

from bench.mariadb import Server
from fleetctl.adapters.schema.main import run

FIRST = {
    1: "001_create.sql",
    2: "002_colour.sql",
    3: "003_index.sql",
}
TEXTS = {
    1: "-- the beginning;\nCREATE TABLE things (id INTEGER PRIMARY KEY, name VARCHAR(20));\n"
    "INSERT INTO things VALUES (1, 'a; b'), (2, 'it''s');\n",
    2: "ALTER TABLE things ADD COLUMN colour VARCHAR(20);\nUPDATE things SET colour = 'red';\n",
    3: "CREATE INDEX by_name ON things (name);\n",
}


class Shard(Protocol):
    """What the tests need of a shard of either kind."""

    migrations: Path
    words: list[str]
    kind: str

    def add(self, name: str, state: str = "active") -> None:
        """An instance with a new empty database."""

    def rows(self, name: str, sql: str) -> list[Sequence[Any]]:
        """Run SQL in an instance's database."""


class SqliteShard:
    """Files in a folder, listed in a file."""

    kind = "sqlite"

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.migrations = folder / "migrations"
        self._list = folder / "instances"
        self._list.touch()
        self.words = [
            "kind=sqlite", f"migrations={self.migrations}", f"file={self._list}",
            f"database={folder}/{{name}}.db",
        ]  # fmt: skip

    def add(self, name: str, state: str = "active") -> None:
        (self.folder / f"{name}.db").touch()
        with self._list.open("a") as listed:
            listed.write(f"{name} {self.folder}/{name}.db {state}\n")

    def rows(self, name: str, sql: str) -> list[Sequence[Any]]:
        with closing(sqlite3.connect(self.folder / f"{name}.db", isolation_level=None)) as file:
            return list(file.execute(sql))


class MariaDbShard:
    """Databases of one server, listed by a query."""

    kind = "mariadb"

    def __init__(self, folder: Path, server: Server) -> None:
        self.server = server
        self.migrations = folder / "migrations"
        # The server is shared: what other tests left has other names.
        self.own = f"t{abs(hash(str(folder))) % 10**9}"
        server.do(
            f"CREATE DATABASE {self.own}",
            f"CREATE TABLE {self.own}.instances (name VARCHAR(64), state VARCHAR(16))",
        )
        self.words = [
            "kind=mariadb", f"migrations={self.migrations}", f"socket={server.socket}", "user=root",
            f"query=SELECT name, state FROM {self.own}.instances WHERE name LIKE '%'",
            f"database={self.own}_{{name}}",
        ]  # fmt: skip

    def add(self, name: str, state: str = "active") -> None:
        self.server.do(
            f"CREATE DATABASE `{self.own}_{name}`",
            f"INSERT INTO {self.own}.instances VALUES ('{name}', '{state}')",
        )

    def rows(self, name: str, sql: str) -> list[Sequence[Any]]:
        return self.server.do(f"USE `{self.own}_{name}`", sql)


class Said:
    """Runs the program's words in this process and keeps what it said."""

    def __init__(self, shard: Shard, capsys: pytest.CaptureFixture[str]) -> None:
        self.shard = shard
        self._capsys = capsys
        self.out = self.err = ""

    def __call__(self, *words: str) -> int:
        code = run([*self.shard.words, *words])
        self.out, self.err = self._capsys.readouterr()
        return code

    def pending(self) -> list[str]:
        assert self("pending") == 0, self.err
        return self.out.split()

    def status(self) -> dict[str, Any]:
        assert self("status") == 0, self.err
        told: dict[str, Any] = json.loads(self.out)
        return told


def write_migrations(shard: Shard, upto: int = 3) -> None:
    """The first `upto` migrations of a small application."""
    shard.migrations.mkdir(exist_ok=True)
    for number in range(1, upto + 1):
        (shard.migrations / FIRST[number]).write_text(TEXTS[number])
