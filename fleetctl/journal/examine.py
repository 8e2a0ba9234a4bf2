"""Whether a journal is as it was written: every record, row and page of it, told by place.

Only reads; also a file that cannot be opened as a journal any more, or one a controller writes to.
"""

from __future__ import annotations

import re
import sqlite3
from collections.abc import Callable
from pathlib import Path
from typing import Any, Literal

import msgspec

from fleetctl.journal import chain
from fleetctl.journal.runrows import StoredRun, Unsealed, fault, run_query, stored_run
from fleetctl.journal.schema import (
    APPLICATION_ID,
    FORMAT,
    expected_schema,
    format_of,
    is_driven,
    log_of,
    schema_of,
    upgraded_copy,
)
from fleetctl.journal.wal import scan

SOUGHT_BYTES = 48
"""How much of a record's body is looked for in the file to tell where it is."""
_PAGE = re.compile(r"\bpage (\d+)")


class Damage(msgspec.Struct, frozen=True):
    """Something that is not as it was written."""

    what: str
    place: str
    """In the file, as far as one can know."""
    run: str = ""
    seq: int | None = None

    @property
    def text(self) -> str:
        """One line for people."""
        about = f"run {self.run}" if self.run else "the file"
        about += "" if self.seq is None else f", record {self.seq}"
        return f"{about}: {self.what}" + (f" ({self.place})" if self.place else "")


class RunReport(msgspec.Struct, frozen=True):
    """What is known of one run's records."""

    run: str
    records: int
    chained_from: int | None
    """The first record with a chain; None: no record has one."""
    seal: str
    """The chain at the last record, in hex; empty when there is none."""
    note: str = ""


class Report(msgspec.Struct, frozen=True):
    """The whole account: no damages means the journal is as it was written."""

    runs: tuple[RunReport, ...]
    damages: tuple[Damage, ...]
    seals: frozenset[str]
    """The chain at every record, in hex."""


def examine(path: Path) -> Report:
    """Look at every byte of `path` that matters; raises FileNotFoundError."""
    path.stat()
    examiner = Examiner(path)
    bad = None if is_driven(path) else scan(log_of(path))
    if bad is not None:
        place = f"{log_of(path).name}: frame {bad.frame}, offset {bad.offset}"
        torn = "the last write was cut short, as by a crash, or changed since: it is left out"
        lost = "its checksum is wrong, and committed records come after it"
        examiner.add(torn if bad.torn else lost, place)
    examiner.look()
    return examiner.report()


def open_to_read(path: Path) -> sqlite3.Connection:
    """A connection that changes nothing; a log beside the file is read, not taken in."""
    return sqlite3.connect(f"{path.absolute().as_uri()}?mode=ro", uri=True, timeout=10.0)


class Examiner:
    """Collects damages; one that keeps the rest from being read is told as well."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._damages: list[Damage] = []
        self._runs: list[RunReport] = []
        self._seals: set[str] = set()
        self._database: sqlite3.Connection

    def report(self) -> Report:
        """What was found so far."""
        return Report(tuple(self._runs), tuple(self._damages), frozenset(self._seals))

    def add(self, what: str, place: str, run: str = "", seq: int | None = None) -> None:
        """Take note of something that is wrong."""
        self._damages.append(Damage(what, place, run, seq))

    def look(self) -> None:
        """Look at everything there is."""
        try:
            self._database = open_to_read(self._path)
        except sqlite3.Error as error:
            self.add(str(error), "offset 0")
            return
        try:
            if self._try(self._look_at_file, "the file's header"):
                self._try(self._look_at_runs, "table runs")
                for table, columns, about in _SEALED:
                    self._try(lambda t=table, c=columns, a=about: self._look_at_table(t, c, a),  # type: ignore[misc]
                              f"table {table}")  # fmt: skip
                self._try(self._look_for_orphans, "tables records and heads")
        finally:
            self._database.close()

    def _try(self, look: Callable[[], object], place: str) -> bool:
        """Whether it could be looked at; else the damage that kept us from it is noted."""
        try:
            return look() is not False
        except sqlite3.Error as error:
            self.add(str(error), self._at_page(str(error), place))
        except (ValueError, TypeError, OverflowError) as error:
            self.add(f"a value of the wrong kind: {error}", place)
        return False

    def _look_at_file(self) -> bool:
        database = self._database
        ((application,),) = database.execute("PRAGMA application_id").fetchall()
        found = format_of(database)
        if application != APPLICATION_ID or not 1 <= found <= FORMAT:
            self.add(f"format {found} of application {application:#x}", "header, offset 60 or 68")
            return False
        for (text,) in database.execute("PRAGMA integrity_check(20)").fetchall():
            if text != "ok":
                for line in str(text).splitlines():
                    self.add(line, self._at_page(line, ""))
        if schema_of(database) != expected_schema(found):
            self.add("its tables are not those of a journal", "table sqlite_master")
            return False
        if found < FORMAT:
            copy = upgraded_copy(database)
            database.close()
            self._database = copy
        return True

    def _at_page(self, text: str, place: str) -> str:
        """`place` with the offset of the page the text is about."""
        found = _PAGE.search(text)
        if found is None:
            return place
        ((size,),) = self._database.execute("PRAGMA page_size").fetchall()
        at = f"page {found[1]}, offset {(int(found[1]) - 1) * size}"
        return f"{place}, {at}" if place else at

    def _look_at_runs(self) -> None:
        before: StoredRun | Literal["lost"] | None = None
        for (number,) in self._rows("SELECT number FROM runs ORDER BY number"):
            (found,) = self._rows(run_query("WHERE r.number = ?"), number)
            try:
                stored = stored_run(found)
            except Unsealed as place:
                self.add("its checksum is wrong", str(place), str(found[0]))
                before = "lost"
                continue
            self._try(lambda s=stored, b=before: self._look_at_run(s, b), f"run {stored.row.id}")  # type: ignore[misc]
            before = stored

    def _look_at_run(self, stored: StoredRun, before: StoredRun | Literal["lost"] | None) -> None:
        run, head = stored.row.id, stored.head
        ((plan,),) = self._rows("SELECT plan FROM runs WHERE number = ?", stored.number)
        if not chain.is_plan(stored.plan_sha, plan):
            place = f"table runs, row {stored.number}, column plan"
            self.add("its plan's checksum is wrong", place, run)
        if before != "lost" and stored.opening is not None and not (head and head.note):
            self._look_at_anchor(stored, before)
        if stored.opening is not None and head is None:
            self.add("the end of its chain is missing", f"table heads, row {stored.number}", run)
        count, first, last = self._look_at_records(stored, plan)
        if head is not None and count < head.seq:
            what = f"{head.seq} records were written, {count} are there"
            self.add(what, f"table records, key {stored.number}/{count + 1}", run, count + 1)
        elif head is not None and (count > head.seq or last != head.chain):
            place = f"table heads, row {stored.number}"
            self.add("its last record is not the one the chain ended with", place, run, count)
        note = head.note if head else ""
        self._runs.append(RunReport(run, count, first, last.hex() if last else "", note))

    def _look_at_anchor(self, stored: StoredRun, before: StoredRun | None) -> None:
        """A run remembers how far the run before it had got."""
        opened, seq, sum_ = chain.anchored(stored.before)
        if before is None:
            if stored.before:
                self.add("the run before it is missing", "table runs", stored.row.id)
            return
        found = self._rows(
            "SELECT chain FROM records WHERE run = ? AND seq = ?", before.number, seq
        )
        if opened == (before.opening or b"") and (seq == 0 or found == [(sum_,)]):
            return
        what = f"run {stored.row.id} was opened after another state of it, with {seq} records"
        self.add(what, f"table records, key {before.number}/{seq}", before.row.id, seq or None)

    def _look_at_records(
        self, stored: StoredRun, plan: Any
    ) -> tuple[int, int | None, bytes | None]:
        """How many records there are, the first with a chain, and the chain at the last."""
        run, link, first, expected = stored.row.id, stored.opening, None, 1
        bodies: list[bytes] = []
        rows = self._database.execute(
            "SELECT seq, wall_s, crc, body, chain FROM records WHERE run = ? ORDER BY seq",
            (stored.number,),
        )
        for seq, wall_s, crc, body, sum_ in rows:
            if sum_ is not None and first is None:
                first = seq
                if stored.opening is None and isinstance(plan, bytes):
                    link = chain.seed_of_old(stored.values, plan, bodies)
            what = fault(run, expected, link, (seq, wall_s, crc, body, sum_))
            if what:
                place = f"table records, key {stored.number}/{seq}{self._offset(body)}"
                self.add(what, place, run, seq if seq == expected else expected)
            if first is None and isinstance(body, bytes):
                bodies.append(body)
            link, expected = sum_, seq + 1
            if isinstance(sum_, bytes):
                self._seals.add(sum_.hex())
        if first is None and stored.opening is None and isinstance(plan, bytes):
            link = chain.seed_of_old(stored.values, plan, bodies)
        return expected - 1, first, link

    def _offset(self, body: object) -> str:
        """Where in the files a record's body is, when it can be found there."""
        if not isinstance(body, bytes) or len(body) < 8:
            return ""
        for file in (self._path, log_of(self._path)):
            at = file.read_bytes().find(body[:SOUGHT_BYTES]) if file.exists() else -1
            if at >= 0:
                return f", about offset {at} of {file.name}"
        return ""

    def _look_at_table(self, table: str, columns: str, about: str) -> None:
        query = f"SELECT {about}, crc, {columns} FROM {table} t"  # noqa: S608
        for place, crc, *values in self._rows(query):
            if not chain.is_sealed(crc, *values):
                self.add("its checksum is wrong", f"table {table}, row {place}")
        if table == "fence":
            self._look_at_fence()

    def _look_at_fence(self) -> None:
        ((rows,),) = self._rows("SELECT count(*) FROM fence")
        if rows != 1:
            self.add(f"it has {rows} rows instead of one", "table fence")

    def _look_for_orphans(self) -> None:
        for table in ("records", "heads"):
            query = f"SELECT DISTINCT run FROM {table} WHERE run NOT IN (SELECT number FROM runs)"  # noqa: S608
            for (number,) in self._rows(query):
                self.add(f"run number {number} is missing", f"table {table}, key {number}")

    def _rows(self, query: str, *values: object) -> list[tuple[Any, ...]]:
        return self._database.execute(query, values).fetchall()


_SEALED = (
    ("fence", "'fence', last", "1"),
    ("live", "fleet, host, release, read_s, run", "fleet || ', ' || host"),
    ("durations", "title, tier, host, run, seconds", "title || ', ' || host || ', ' || run"),
    ("orders", "(SELECT id FROM runs WHERE number = t.run), word, by, detail", "number"),
)
"""Tables beside the chain: what their seals cover, and how a row is named."""
