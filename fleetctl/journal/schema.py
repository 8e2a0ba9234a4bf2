"""The journal's tables and its format version; opening a file as a journal."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path

from fleetctl.journal.errors import SALVAGE, JournalUnusable
from fleetctl.journal.lock import RunLock, locks_folder
from fleetctl.journal.wal import BadFrame, scan

SMALLEST_PAGE = 512
"""Bytes of SQLite's smallest page: no database is shorter."""
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
"""Format 1."""
UPGRADES = (
    """
ALTER TABLE runs ADD COLUMN before BLOB;
ALTER TABLE runs ADD COLUMN plan_sha BLOB;
ALTER TABLE runs ADD COLUMN opening BLOB;
ALTER TABLE records ADD COLUMN chain BLOB;
ALTER TABLE live ADD COLUMN crc INTEGER;
ALTER TABLE durations ADD COLUMN crc INTEGER;
ALTER TABLE orders ADD COLUMN crc INTEGER;
ALTER TABLE fence ADD COLUMN crc INTEGER;
CREATE TABLE heads (
    run INTEGER PRIMARY KEY REFERENCES runs (number),
    seq INTEGER NOT NULL,
    chain BLOB NOT NULL,
    note TEXT NOT NULL,
    crc INTEGER NOT NULL
);
""",
)
"""What leads from format n + 1 to n + 2; a new journal goes all the way, so all look alike."""
FORMAT = 1 + len(UPGRADES)


def open_database(path: Path) -> sqlite3.Connection:
    """A connection to the journal at `path`, created when missing; raises JournalUnusable."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        refuse_torn_file(path)
        refuse_torn_log(path)
        database = sqlite3.connect(
            path, isolation_level=None, timeout=10.0, check_same_thread=False
        )
        try:
            prepare(database, path)
        except BaseException:
            database.close()
            raise
    except (sqlite3.Error, UnicodeDecodeError, OSError) as error:
        raise JournalUnusable(
            "the journal cannot be used",
            where=str(path),
            why=str(error),
            hint=f"see `fleetctl runs verify`; {SALVAGE}",
        ) from error
    return database


def refuse_torn_file(path: Path) -> None:
    """Raises JournalUnusable for a stump that SQLite would take for a new file."""
    size = path.stat().st_size if path.exists() else 0
    if 0 < size < SMALLEST_PAGE:
        raise JournalUnusable(
            "the journal is damaged",
            where=f"{path}: offset {size}",
            why=f"the file ends after {size} bytes",
            hint="restore a backup, or name another file with --journal",
        )


def refuse_torn_log(path: Path) -> None:
    """Raises JournalUnusable when SQLite would leave committed records out without a word."""
    if is_driven(path):
        return  # it was looked at when that controller opened it; now it changes under our eyes
    log = log_of(path)
    bad = scan(log)
    if bad is None or bad.torn or any(scan(log) is None for _ in range(3)):
        return
    raise JournalUnusable(
        "the journal is damaged",
        where=_place(log, bad),
        why="its checksum is wrong, and committed records come after it",
        hint=SALVAGE,
    )


def torn_write(path: Path) -> str:
    """Where the last write before a crash was cut short, before it is opened; else empty.

    Nobody was told of that write; a byte that changed in it since would look the same.
    """
    bad = None if is_driven(path) else scan(log_of(path))
    return "" if bad is None or not bad.torn else _place(log_of(path), bad)


def _place(log: Path, bad: BadFrame) -> str:
    return f"{log}: frame {bad.frame}, offset {bad.offset}"


def log_of(path: Path) -> Path:
    """Where SQLite writes ahead."""
    return path.with_name(path.name + "-wal")


def is_driven(path: Path) -> bool:
    """Whether a live controller writes into the journal at `path` right now."""
    folder = locks_folder(path)
    names = [lock.stem for lock in folder.glob("*.lock")] if folder.is_dir() else []
    return any(RunLock(folder, name).holder() for name in names)


def prepare(database: sqlite3.Connection, path: Path) -> None:
    """Make it a journal of the newest format, or raise JournalUnusable."""
    database.execute("PRAGMA busy_timeout=10000")
    database.execute("PRAGMA journal_mode=WAL")
    database.execute("PRAGMA synchronous=FULL")
    found = format_of(database)
    if found > FORMAT:
        raise JournalUnusable(
            f"this journal has format {found}, this fleetctl knows up to {FORMAT}",
            where=str(path),
            hint="use the newer fleetctl that wrote it, or name another file with --journal",
        )
    if found < FORMAT:
        _upgrade(database)
    if format_of(database) != FORMAT or not _is_ours(database):
        raise JournalUnusable(
            "this is a database of another program",
            where=str(path),
            hint="name another file with --journal",
        )


def format_of(database: sqlite3.Connection) -> int:
    """The format the file says it has; 0: none."""
    return int(database.execute("PRAGMA user_version").fetchone()[0])


def schema_of(database: sqlite3.Connection) -> list[tuple[str, ...]]:
    """What the file says its tables are."""
    query = "SELECT type, name, tbl_name, sql FROM sqlite_master ORDER BY name"
    return database.execute(query).fetchall()


def expected_schema(number: int) -> list[tuple[str, ...]]:
    """The tables of a journal of that format."""
    with closing(sqlite3.connect(":memory:")) as database:
        for script in (TABLES, *UPGRADES)[:number]:
            _run(database, script)
        return schema_of(database)


def upgraded_copy(database: sqlite3.Connection) -> sqlite3.Connection:
    """The journal in memory, of the newest format."""
    copy = sqlite3.connect(":memory:", isolation_level=None)
    database.backup(copy)
    _upgrade(copy)
    return copy


def _upgrade(database: sqlite3.Connection) -> None:
    """Bring it to the newest format in one transaction; another process may have done so."""
    database.execute("BEGIN IMMEDIATE")
    try:
        found = format_of(database)
        empty = not database.execute("SELECT count(*) FROM sqlite_master").fetchone()[0]
        if found == 0 and empty:
            _run(database, TABLES)
            database.execute(f"PRAGMA application_id={APPLICATION_ID}")
            found = 1
        if 1 <= found < FORMAT and _is_ours(database):
            for script in UPGRADES[found - 1 :]:
                _run(database, script)
            database.execute(f"PRAGMA user_version={FORMAT}")
        database.execute("COMMIT")
    except BaseException:
        database.execute("ROLLBACK")
        raise


def _is_ours(database: sqlite3.Connection) -> bool:
    return bool(database.execute("PRAGMA application_id").fetchone()[0] == APPLICATION_ID)


def _run(database: sqlite3.Connection, script: str) -> None:
    for statement in script.strip().split(";\n"):
        database.execute(statement)
