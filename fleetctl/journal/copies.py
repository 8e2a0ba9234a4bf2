"""Copies of a journal: a backup while it is written to, and what is whole of a damaged one.

A copy appears under its name when it is complete and on disk, never before.
"""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

from fleetctl.base.errors import Refused, UsageError
from fleetctl.journal import chain
from fleetctl.journal.chain import Head
from fleetctl.journal.errors import JournalFull, JournalUnusable
from fleetctl.journal.examine import Report, examine, open_to_read
from fleetctl.journal.runrows import OPENED, fault
from fleetctl.journal.schema import FORMAT, format_of, prepare, upgraded_copy


def back_up(path: Path, file: Path, *, overwrite: bool = False) -> Report:
    """Copy the journal at `path` to `file` and look whether the copy is whole; its report.

    A controller may write meanwhile: the copy is the journal as it was at one moment. Raises
    Refused, JournalFull, JournalUnusable; then `file` is as it was.
    """
    _refuse_missing(path)
    with _placed(file, overwrite) as temporary:
        with closing(open_to_read(path)) as source, closing(sqlite3.connect(temporary)) as copy:
            # In one go: it reads one state of the log, which hinders no writer. In several, each
            # write between two of them would have it begin anew.
            source.backup(copy)
            copy.execute("PRAGMA journal_mode=DELETE")
        report = examine(temporary)
        if report.damages:
            raise JournalUnusable(
                "the journal is damaged, so it was not backed up",
                where=str(path),
                why=report.damages[0].text,
                hint="keep what is whole with `fleetctl runs verify --salvage FILE`",
            )
    return report


def salvage(path: Path, file: Path, *, overwrite: bool = False) -> Report:
    """Write what is whole of the journal at `path` to `file`; its report. `path` stays as it is.

    A run is kept up to the record before its first bad one, and notes that it lost the rest.
    """
    _refuse_missing(path)
    with _placed(file, overwrite) as temporary:
        with closing(sqlite3.connect(temporary, isolation_level=None)) as copy:
            prepare(copy, temporary)
            copy.execute("BEGIN IMMEDIATE")
            with closing(_source(path)) as source:
                _Salvage(source, copy).go()
            copy.execute("COMMIT")
            copy.execute("PRAGMA journal_mode=DELETE")
        report = examine(temporary)
        assert not report.damages, report.damages
    return report


def _refuse_missing(path: Path) -> None:
    if not path.exists():
        raise UsageError("there is no journal", where=str(path), hint="name it with --journal")


def _source(path: Path) -> sqlite3.Connection:
    source = open_to_read(path)
    source.text_factory = lambda data: data.decode("utf-8", "replace")
    try:
        if 1 <= format_of(source) < FORMAT:
            copy = upgraded_copy(source)
            source.close()
            return copy
    except sqlite3.Error as error:
        source.close()
        raise JournalUnusable(
            "nothing of it can be read", where=str(path), why=str(error), hint="restore a backup"
        ) from error
    return source


@contextmanager
def _placed(file: Path, overwrite: bool) -> Iterator[Path]:
    """A temporary file beside `file` that takes its name when all went well."""
    temporary = file.with_name(f".{file.name}.{os.getpid()}.tmp")
    try:
        if file.exists() and not overwrite:
            raise _exists(file)
        file.parent.mkdir(parents=True, exist_ok=True)
        os.close(os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600))
        yield temporary
        _name(temporary, file, overwrite)
    except (OSError, sqlite3.Error) as error:
        raise JournalFull(
            "the copy could not be written",
            where=str(file),
            why=str(error),
            hint="name a file on another disk",
        ) from error
    finally:
        for ending in ("", "-wal", "-shm", "-journal"):
            temporary.with_name(temporary.name + ending).unlink(missing_ok=True)


def _name(temporary: Path, file: Path, overwrite: bool) -> None:
    with temporary.open("rb") as written:
        os.fsync(written.fileno())
    if overwrite:
        temporary.replace(file)
        for ending in ("-wal", "-shm"):  # of the file that was there
            file.with_name(file.name + ending).unlink(missing_ok=True)
    else:
        try:
            file.hardlink_to(temporary)  # unlike a rename it fails when somebody was faster
        except FileExistsError as error:
            raise _exists(file) from error
    folder = os.open(file.parent, os.O_RDONLY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)


def _exists(file: Path) -> Refused:
    return Refused(
        "there is a file already", where=str(file), hint="add --overwrite, or another name"
    )


class _Salvage:
    """Moves what is as it was written from one database to another."""

    def __init__(self, source: sqlite3.Connection, copy: sqlite3.Connection) -> None:
        self._source = source
        self._copy = copy
        self._whole = True
        """The run before this one was kept whole."""

    def go(self) -> None:
        """Runs with their records, then the tables beside them."""
        for (number,) in self._read("SELECT number FROM runs ORDER BY number"):
            try:
                self._whole = self._keep_run(number)
            except (sqlite3.IntegrityError, sqlite3.InterfaceError):  # values no journal writes
                self._whole = False
        for table, columns, sealed in _BESIDE:
            self._keep_table(table, columns, sealed)
        for last, crc in self._read("SELECT last, crc FROM fence"):
            if chain.is_sealed(crc, "fence", last):
                self._copy.execute("UPDATE fence SET last = ?, crc = ?", (last, crc))

    def _read(self, query: str, *values: object) -> Iterator[tuple[Any, ...]]:
        """Rows until the file cannot be read any further."""
        try:
            yield from self._source.execute(query, values)
        except sqlite3.Error:
            return

    def _keep_run(self, number: int) -> bool:
        """Whether the run could be kept whole."""
        columns = f"{OPENED}, exit_code, ended_s, plan, before, plan_sha, opening"
        rows = list(self._read(f"SELECT {columns} FROM runs WHERE number = ?", number))  # noqa: S608
        if not rows:
            return False
        values, (exit_code, ended_s, plan, before, plan_sha, opened) = rows[0][:8], rows[0][8:]
        if not chain.is_opening(opened, number, values, before, plan_sha):
            return False
        if not chain.is_plan(plan_sha, plan):
            return False
        records, link = self._whole_records(number, values, opened, plan)
        heads = list(self._read("SELECT seq, chain, note, crc FROM heads WHERE run = ?", number))
        head = _sealed_head(values[0], heads, exit_code, ended_s)
        whole = _is_whole(head, len(records), link) or (opened is None and not heads)
        if not whole:
            exit_code = ended_s = None
        self._copy.execute(
            f"INSERT INTO runs (number, {columns}) VALUES ({', '.join('?' * 15)})",  # noqa: S608
            (number, *values, exit_code, ended_s, plan, before, plan_sha, opened),
        )
        self._copy.executemany(
            "INSERT INTO records (run, seq, wall_s, crc, body, chain) VALUES (?, ?, ?, ?, ?, ?)",
            [(number, *record) for record in records],
        )
        note = self._note(head, whole, len(records))
        if link is None and not whole:
            link = chain.seed_of_old(values, plan, [record[3] for record in records])
        if link is not None:
            self._write_head(number, values[0], Head(len(records), link, note, exit_code, ended_s))
        return whole

    def _note(self, head: Head | None, whole: bool, kept: int) -> str:
        if whole:
            known = head.note if head else ""
            return known or ("" if self._whole else "the run before it lost records")
        of = f"{head.seq}" if head else "an unknown number"
        return f"{kept} of {of} records were whole when it was salvaged"

    def _write_head(self, number: int, run: str, head: Head) -> None:
        self._copy.execute(
            "INSERT INTO heads (run, seq, chain, note, crc) VALUES (?, ?, ?, ?, ?)",
            (number, head.seq, head.chain, head.note, chain.head_seal(run, head)),
        )

    def _whole_records(
        self, number: int, values: tuple[Any, ...], opened: bytes | None, plan: Any
    ) -> tuple[list[tuple[Any, ...]], bytes | None]:
        """The records before the first bad one, and the chain at the last."""
        kept: list[tuple[Any, ...]] = []
        link = opened
        query = "SELECT seq, wall_s, crc, body, chain FROM records WHERE run = ? ORDER BY seq"
        for record in self._read(query, number):
            if link is None and record[4] is not None:
                link = chain.seed_of_old(values, plan, [one[3] for one in kept])
            if fault(values[0], len(kept) + 1, link, record):
                break
            kept.append(record)
            link = record[4]
        return kept, link

    def _keep_table(self, table: str, columns: str, sealed: Callable[..., tuple[Any, ...]]) -> None:
        names = dict(self._copy.execute("SELECT number, id FROM runs").fetchall())
        marks = ", ".join("?" * (columns.count(",") + 2))
        for row in self._read(f"SELECT {columns}, crc FROM {table}"):  # noqa: S608
            if chain.is_sealed(row[-1], *sealed(row, names)):
                self._copy.execute(
                    f"INSERT OR IGNORE INTO {table} ({columns}, crc) VALUES ({marks})",  # noqa: S608
                    row,
                )


_BESIDE: tuple[tuple[str, str, Callable[..., tuple[Any, ...]]], ...] = (
    ("live", "fleet, host, release, read_s, run", lambda row, names: row[:-1]),
    ("durations", "title, tier, host, run, seconds", lambda row, names: row[:-1]),
    ("orders", "number, run, word, by, detail", lambda row, names: (names.get(row[1]), *row[2:-1])),
)


def _sealed_head(
    run: str, heads: list[tuple[Any, ...]], exit_code: Any, ended_s: Any
) -> Head | None:
    for seq, sum_, note, crc in heads:
        if chain.is_sealed(crc, run, seq, sum_, note, exit_code, ended_s):
            return Head(seq, sum_, note, exit_code, ended_s)
    return None


def _is_whole(head: Head | None, records: int, link: bytes | None) -> bool:
    return head is not None and head.seq == records and head.chain == link
