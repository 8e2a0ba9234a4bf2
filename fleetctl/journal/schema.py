"""The journal's tables and its format version; opening a file as a journal."""

from __future__ import annotations

import sqlite3
from pathlib import Path

from fleetctl.journal.errors import JournalUnusable

FORMAT = 1
APPLICATION_ID = 0x666C6A31

TABLES = """
CREATE TABLE runs (
    number INTEGER PRIMARY KEY,
    id TEXT NOT NULL UNIQUE,
    fleet TEXT NOT NULL,
    title TEXT NOT NULL,
    digest TEXT NOT NULL,
    by TEXT NOT NULL,
    opened_s REAL NOT NULL,
    words TEXT NOT NULL,
    hosts INTEGER NOT NULL,
    plan BLOB NOT NULL,
    exit_code INTEGER,
    ended_s REAL
);
CREATE TABLE records (
    run INTEGER NOT NULL REFERENCES runs (number),
    seq INTEGER NOT NULL,
    wall_s REAL NOT NULL,
    crc INTEGER NOT NULL,
    body BLOB NOT NULL,
    PRIMARY KEY (run, seq)
) WITHOUT ROWID;
CREATE TABLE live (
    fleet TEXT NOT NULL,
    host TEXT NOT NULL,
    release TEXT NOT NULL,
    read_s REAL NOT NULL,
    run TEXT NOT NULL,
    PRIMARY KEY (fleet, host)
) WITHOUT ROWID;
CREATE TABLE durations (
    title TEXT NOT NULL,
    tier TEXT NOT NULL,
    host TEXT NOT NULL,
    run INTEGER NOT NULL,
    seconds REAL NOT NULL,
    PRIMARY KEY (title, tier, host, run)
) WITHOUT ROWID;
CREATE TABLE orders (
    number INTEGER PRIMARY KEY,
    run INTEGER NOT NULL REFERENCES runs (number),
    word TEXT NOT NULL,
    by TEXT NOT NULL,
    detail TEXT NOT NULL
);
CREATE INDEX orders_of_run ON orders (run, number);
CREATE TABLE fence (last INTEGER NOT NULL);
INSERT INTO fence VALUES (0);
"""


def open_database(path: Path) -> sqlite3.Connection:
    """A connection to the journal at `path`, created when missing; raises JournalUnusable."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        database = sqlite3.connect(
            path, isolation_level=None, timeout=10.0, check_same_thread=False
        )
        _prepare(database, path)
    except (sqlite3.Error, OSError) as error:
        raise JournalUnusable(
            "the journal cannot be used",
            where=str(path),
            why=str(error),
            hint="move the file away or name another one with --journal",
        ) from error
    return database


def _prepare(database: sqlite3.Connection, path: Path) -> None:
    database.execute("PRAGMA busy_timeout=10000")
    database.execute("PRAGMA journal_mode=WAL")
    database.execute("PRAGMA synchronous=FULL")
    if _format_of(database) == 0:
        _create(database)
    found = _format_of(database)
    if found > FORMAT:
        raise JournalUnusable(
            f"this journal has format {found}, this fleetctl knows up to {FORMAT}",
            where=str(path),
            hint="use the newer fleetctl that wrote it, or name another file with --journal",
        )
    if database.execute("PRAGMA application_id").fetchone()[0] != APPLICATION_ID:
        raise JournalUnusable(
            "this is a database of another program",
            where=str(path),
            hint="name another file with --journal",
        )


def _format_of(database: sqlite3.Connection) -> int:
    return int(database.execute("PRAGMA user_version").fetchone()[0])


def _create(database: sqlite3.Connection) -> None:
    """Make the tables in one transaction; another process may have won the race meanwhile."""
    database.execute("BEGIN IMMEDIATE")
    try:
        empty = not database.execute("SELECT count(*) FROM sqlite_master").fetchone()[0]
        if _format_of(database) == 0 and empty:
            for statement in TABLES.strip().split(";\n"):
                database.execute(statement)
            database.execute(f"PRAGMA application_id={APPLICATION_ID}")
            database.execute(f"PRAGMA user_version={FORMAT}")
        database.execute("COMMIT")
    except BaseException:
        database.execute("ROLLBACK")
        raise
