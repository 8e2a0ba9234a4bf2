"""The journal: runs, their records, and what earlier runs teach about hosts.

A record is durable when `append` returns. One process writes a run (see `lock`); any number of
others may read and give orders meanwhile.
"""

from __future__ import annotations

import sqlite3
import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from types import TracebackType
from typing import Any

import msgspec

from fleetctl.base.errors import UsageError
from fleetctl.base.names import did_you_mean
from fleetctl.journal.errors import JournalFull, JournalUnusable
from fleetctl.journal.lock import RunLock
from fleetctl.journal.rows import (
    LiveRelease,
    OperatorOrder,
    RunRow,
    StepTime,
    StoredRecord,
    checksum,
)
from fleetctl.journal.schema import open_database
from fleetctl.plan.model import Plan

RUNS_PER_DURATION = 10
"""How many runs are kept of each step's duration on a host."""
_RUN_COLUMNS = "id, fleet, title, digest, by, opened_s, words, hosts, exit_code, ended_s"


class Journal:
    """One SQLite file. Safe to share between threads; every write is one durable transaction."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._database = open_database(path)
        self._guard = threading.RLock()
        self._numbers: dict[str, int] = {}

    def __enter__(self) -> Journal:
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

    # ---- writing

    def create_run(self, row: RunRow, plan: Plan, bodies: Sequence[bytes]) -> None:
        """Make the run with its plan and its first records durable."""
        words = msgspec.json.encode(row.words).decode()
        values = (row.id, row.fleet, row.title, row.digest, row.by, row.opened_s, words, row.hosts)
        with self._transaction():
            self._database.execute(
                "INSERT INTO runs (id, fleet, title, digest, by, opened_s, words, hosts, plan)"
                " VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)",
                (*values, msgspec.msgpack.encode(plan)),
            )
            self._insert_records(row.id, 1, row.opened_s, bodies)

    def append(
        self,
        run: str,
        first_seq: int,
        wall_s: float,
        bodies: Sequence[bytes],
        *,
        live: Mapping[str, str] | None = None,
        times: Sequence[StepTime] = (),
        ended: int | None = None,
    ) -> None:
        """Make records durable, together with what they say about hosts; raises JournalFull.

        `first_seq` must follow the run's last record. `live`: host -> release read back. `times`:
        for estimates. `ended`: the run's exit code.
        """
        with self._transaction():
            self._insert_records(run, first_seq, wall_s, bodies)
            if live:
                self._insert_live(run, wall_s, live)
            if times:
                self._insert_times(run, times)
            if ended is not None:
                self._set_end(run, ended, wall_s)

    def reopen(self, run: str, first_seq: int, wall_s: float, bodies: Sequence[bytes]) -> None:
        """As `append`, for a run that is taken up again: it has no exit code any more."""
        with self._transaction():
            self._insert_records(run, first_seq, wall_s, bodies)
            self._set_end(run, None, None)

    def take_fence(self, wall_s: float) -> int:
        """A number greater than every one given before, here or (by its clock) elsewhere."""
        with self._transaction():
            last = int(self._database.execute("SELECT last FROM fence").fetchone()[0])
            number = max(last + 1, int(wall_s * 1000))
            self._database.execute("UPDATE fence SET last = ?", (number,))
        return number

    def give_order(self, run: str, word: str, by: str, detail: str = "") -> None:
        """Ask something of the run's live controller; it reads orders within about a second."""
        with self._transaction():
            self._database.execute(
                "INSERT INTO orders (run, word, by, detail) VALUES (?, ?, ?, ?)",
                (self._number(run), word, by, detail),
            )

    # ---- reading

    def records(self, run: str, after: int = 0) -> Iterator[StoredRecord]:
        """The run's records after that seq, in order; a gap or a bad checksum is told by place."""
        number = self._number(run)
        expected = after + 1
        while True:
            rows = self._rows(
                "SELECT seq, wall_s, crc, body FROM records WHERE run = ? AND seq >= ?"
                " ORDER BY seq LIMIT 1000",
                (number, expected),
            )
            for seq, wall_s, crc, body in rows:
                if seq != expected:
                    raise self._damaged(run, expected, "the record is missing")
                if crc != checksum(run, seq, body):
                    raise self._damaged(run, seq, "its checksum is wrong")
                expected += 1
                yield StoredRecord(seq, wall_s, body)
            if not rows:
                return

    def plan_of(self, run: str) -> Plan:
        """The plan the run was opened with, exactly."""
        blob: bytes = self._rows("SELECT plan FROM runs WHERE number = ?", (self._number(run),))[0][
            0
        ]
        try:
            return msgspec.msgpack.decode(blob, type=Plan)
        except msgspec.DecodeError as error:
            raise self._damaged(run, 0, f"its plan cannot be read: {error}") from error

    def runs(self, most: int = 50) -> list[RunRow]:
        """The newest runs, newest first."""
        query = f"SELECT {_RUN_COLUMNS} FROM runs ORDER BY number DESC LIMIT ?"  # noqa: S608
        return [_run_row(row) for row in self._rows(query, (most,))]

    def find(self, text: str) -> RunRow:
        """The run meant by an id, the unique beginning of one, or `last`; raises UsageError."""
        query = f"SELECT {_RUN_COLUMNS} FROM runs"  # noqa: S608
        if text == "last":
            found = self._rows(f"{query} ORDER BY number DESC LIMIT 1", ())
        else:
            found = self._rows(f"{query} WHERE id = ?", (text,)) or self._rows(
                f"{query} WHERE substr(id, 1, ?) = ? LIMIT 3", (len(text), text)
            )
        if len(found) == 1:
            return _run_row(found[0])
        if found:
            names = ", ".join(row[0] for row in found)
            raise UsageError(f'"{text}" could be several runs', why=names, hint="write more of it")
        known = [row.id for row in self.runs()]
        hint = did_you_mean(text, [*known, "last"]) if known else ""
        raise UsageError(f'no run "{text}"', where=str(self.path), hint=hint)

    def orders(self, run: str, after: int = 0) -> list[OperatorOrder]:
        """Orders given to the run after that number, oldest first."""
        rows = self._rows(
            "SELECT number, word, by, detail FROM orders WHERE run = ? AND number > ?"
            " ORDER BY number",
            (self._number(run), after),
        )
        return [OperatorOrder(*row) for row in rows]

    def live(self, fleet: str) -> dict[str, LiveRelease]:
        """By host: the release last read back by any run."""
        rows = self._rows(
            "SELECT host, release, read_s, run FROM live WHERE fleet = ? ORDER BY host", (fleet,)
        )
        return {row[0]: LiveRelease(*row) for row in rows}

    def durations(self, fleet: str) -> dict[tuple[str, str], list[float]]:
        """(step title, tier) -> how long it took on hosts in the last runs, in seconds."""
        rows = self._rows(
            "SELECT d.title, d.tier, d.seconds FROM durations d JOIN runs r ON r.number = d.run"
            " WHERE r.fleet = ? ORDER BY d.title, d.tier, d.run",
            (fleet,),
        )
        found: dict[tuple[str, str], list[float]] = {}
        for title, tier, seconds in rows:
            found.setdefault((title, tier), []).append(seconds)
        return found

    # ---- one controller a run

    def lock(self, run: str) -> RunLock:
        """The lock of a run, not yet taken; `holder()` tells whether the run is live."""
        return RunLock(self.path.parent / f"{self.path.name}.locks", run)

    # ---- inside

    def _insert_records(
        self, run: str, first_seq: int, wall_s: float, bodies: Sequence[bytes]
    ) -> None:
        number = self._number(run)
        self._database.executemany(
            "INSERT INTO records (run, seq, wall_s, crc, body) VALUES (?, ?, ?, ?, ?)",
            [
                (number, seq, wall_s, checksum(run, seq, body), body)
                for seq, body in enumerate(bodies, first_seq)
            ],
        )

    def _insert_live(self, run: str, wall_s: float, live: Mapping[str, str]) -> None:
        self._database.executemany(
            "INSERT OR REPLACE INTO live (fleet, host, release, read_s, run)"
            " SELECT fleet, ?, ?, ?, id FROM runs WHERE number = ?",
            [(host, release, wall_s, self._number(run)) for host, release in live.items()],
        )

    def _insert_times(self, run: str, times: Sequence[StepTime]) -> None:
        number = self._number(run)
        self._database.executemany(
            "INSERT OR REPLACE INTO durations (title, tier, host, run, seconds)"
            " VALUES (?, ?, ?, ?, ?)",
            [(time.title, time.tier, time.host, number, time.seconds) for time in times],
        )

    def _set_end(self, run: str, exit_code: int | None, wall_s: float | None) -> None:
        number = self._number(run)
        self._database.execute(
            "UPDATE runs SET exit_code = ?, ended_s = ? WHERE number = ?",
            (exit_code, wall_s, number),
        )
        if exit_code is not None:
            self._database.execute(
                "DELETE FROM durations WHERE run <= ?", (number - RUNS_PER_DURATION,)
            )

    @contextmanager
    def _transaction(self) -> Iterator[None]:
        """All or nothing, on disk when it ends; raises JournalFull when it could not be."""
        with self._guard:
            try:
                self._database.execute("BEGIN IMMEDIATE")
                yield
                self._database.execute("COMMIT")
            except sqlite3.Error as error:
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

    def _roll_back(self) -> None:
        if self._database.in_transaction:
            self._database.execute("ROLLBACK")

    def _rows(self, query: str, values: Sequence[object]) -> list[tuple[Any, ...]]:
        with self._guard:
            try:
                return self._database.execute(query, tuple(values)).fetchall()
            except sqlite3.DatabaseError as error:
                raise JournalUnusable(
                    "the journal cannot be read",
                    where=str(self.path),
                    why=str(error),
                    hint="restore it from a backup or name another file with --journal",
                ) from error

    def _number(self, run: str) -> int:
        number = self._numbers.get(run)
        if number is None:
            rows = self._rows("SELECT number FROM runs WHERE id = ?", (run,))
            if not rows:
                raise UsageError(f'no run "{run}"', where=str(self.path))
            number = self._numbers[run] = int(rows[0][0])
        return number

    def _damaged(self, run: str, seq: int, why: str) -> JournalUnusable:
        return JournalUnusable(
            "the journal is damaged",
            where=f"{self.path}: run {run}, record {seq}",
            why=why,
            hint="restore it from a backup; do not resume this run",
        )


def _run_row(row: Sequence[Any]) -> RunRow:
    names = RunRow.__struct_fields__
    values = dict(zip(names, row, strict=True))
    values["words"] = msgspec.json.decode(str(values["words"]))
    return msgspec.convert(values, RunRow)
