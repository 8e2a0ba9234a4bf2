"""The journal: runs, their records, and what earlier runs teach about hosts.

A record is durable when `append` returns. One process writes a run (see `lock`); any number of
others may read and give orders meanwhile.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from hashlib import sha256
from pathlib import Path
from typing import Any

import msgspec

from fleetctl.base.errors import LockHeld, UsageError
from fleetctl.base.names import did_you_mean
from fleetctl.journal import chain, reserve, runrows, steptimes
from fleetctl.journal.chain import Head
from fleetctl.journal.errors import JournalUnusable
from fleetctl.journal.file import JournalFile
from fleetctl.journal.lock import RunLock, locks_folder
from fleetctl.journal.rows import (
    LiveRelease,
    OperatorOrder,
    RunRow,
    StepTime,
    StoredRecord,
    checksum,
)
from fleetctl.journal.runrows import OPENED, StoredRun, Unsealed, fault, run_query, stored_run
from fleetctl.plan.history import Sample
from fleetctl.plan.model import Plan


class Journal(JournalFile):
    """One SQLite file. Safe to share between threads; every write is one durable transaction."""

    def __init__(self, path: Path) -> None:
        super().__init__(path)
        self._numbers: dict[str, int] = {}
        self._heads: dict[str, Head] = {}
        """Of runs written here, as they are on disk."""
        self._staged: dict[str, Head] = {}
        """Of runs the transaction at hand changes."""

    # ---- writing

    def create_run(self, row: RunRow, plan: Plan, bodies: Sequence[bytes]) -> None:
        """Make the run with its plan and its first records durable."""
        with self._transaction():
            self._insert_run(row, plan)
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
                steptimes.insert(self._database, self._number(run), times)
            if ended is not None:
                self._set_end(run, ended, wall_s)

    def reopen(self, run: str, first_seq: int, wall_s: float, bodies: Sequence[bytes]) -> None:
        """As `append`, for a run that is taken up again: it has no exit code any more."""
        self._heads.pop(run, None)  # another controller may have written it meanwhile
        with self._transaction():
            self._insert_records(run, first_seq, wall_s, bodies)
            self._set_end(run, None, None)

    def adopt(self, row: RunRow, plan: Plan, records: Sequence[StoredRecord]) -> None:
        """Make a run begun in another journal one of this one, all of it or nothing.

        What is here of it already stays. Raises Refused when that is another run.
        """
        self._heads.pop(row.id, None)
        with self._transaction():
            here = self._rows("SELECT id FROM runs WHERE id = ?", (row.id,))
            have = list(self.records(row.id)) if here else []
            if here:
                runrows.refuse_other(self.stored(row.id).row, row, have, records)
            else:
                self._insert_run(row, plan)
            for seq, wall_s, body in records[len(have) :]:
                self._insert_records(row.id, seq, wall_s, [body])
            self._set_end(row.id, None, None)

    def take_fence(self, wall_s: float) -> int:
        """A number greater than every one given before, here or (by its clock) elsewhere."""
        with self._transaction():
            last, crc = self._rows("SELECT last, crc FROM fence", ())[0]
            if not chain.is_sealed(crc, "fence", last):
                raise self.damaged("table fence", "its checksum is wrong")
            number = max(last + 1, int(wall_s * 1000))
            self._database.execute(
                "UPDATE fence SET last = ?, crc = ?", (number, chain.seal("fence", number))
            )
        return int(number)

    def give_order(self, run: str, word: str, by: str, detail: str = "") -> None:
        """Ask something of the run's live controller; it reads orders within about a second."""
        with self._transaction(look=False):  # who wants a run to stop is never refused
            self._database.execute(
                "INSERT INTO orders (run, word, by, detail, crc) VALUES (?, ?, ?, ?, ?)",
                (self._number(run), word, by, detail, chain.seal(run, word, by, detail)),
            )

    # ---- reading

    def records(self, run: str, after: int = 0) -> Iterator[StoredRecord]:
        """The run's records after that seq, in order; what is not as written is told by place."""
        stored = self.stored(run)
        head, link = stored.head, self._chain_at(stored, after)
        expected = after + 1
        while True:
            rows = self._rows(
                "SELECT seq, wall_s, crc, body, chain FROM records WHERE run = ? AND seq >= ?"
                " ORDER BY seq LIMIT 1000",
                (stored.number, expected),
            )
            for seq, wall_s, crc, body, sum_ in rows:
                why = fault(run, expected, link, (seq, wall_s, crc, body, sum_))
                if why:
                    raise self._damaged(run, expected, why)
                link = sum_
                expected += 1
                yield StoredRecord(seq, wall_s, body)
            if not rows:
                break
        if head is not None and expected <= head.seq:
            raise self._damaged(run, expected, f"it is missing, {head.seq} were written")

    def plan_of(self, run: str) -> Plan:
        """The plan the run was opened with, exactly."""
        stored = self.stored(run)
        ((blob,),) = self._rows("SELECT plan FROM runs WHERE number = ?", (stored.number,))
        if not chain.is_plan(stored.plan_sha, blob):
            raise self._damaged(run, 0, "its plan's checksum is wrong")
        try:
            return msgspec.msgpack.decode(blob, type=Plan)
        except msgspec.DecodeError as error:
            raise self._damaged(run, 0, f"its plan cannot be read: {error}") from error

    def runs(self, most: int = 50) -> list[RunRow]:
        """The newest runs, newest first."""
        rows = self._rows(run_query("ORDER BY r.number DESC LIMIT ?"), (most,))
        return [self._checked(row).row for row in rows]

    def stored(self, run: str) -> StoredRun:
        """The run of that whole id, with its place in the file and its chain."""
        rows = self._rows(run_query("WHERE r.id = ?"), (run,))
        if not rows:
            raise UsageError(f'no run "{run}"', where=str(self.path))
        return self._checked(rows[0])

    def find(self, text: str) -> RunRow:
        """The run meant by an id, the unique beginning of one, or `last`; raises UsageError."""
        if text == "last":
            found = self._rows(run_query("ORDER BY r.number DESC LIMIT 1"), ())
        else:
            found = self._rows(run_query("WHERE r.id = ?"), (text,)) or self._rows(
                run_query("WHERE substr(r.id, 1, ?) = ? LIMIT 3"), (len(text), text)
            )
        if len(found) == 1:
            return self._checked(found[0]).row
        if found:
            names = ", ".join(row[0] for row in found)
            raise UsageError(f'"{text}" could be several runs', why=names, hint="write more of it")
        known = [row.id for row in self.runs()]
        hint = did_you_mean(text, [*known, "last"]) if known else ""
        raise UsageError(f'no run "{text}"', where=str(self.path), hint=hint)

    def orders(self, run: str, after: int = 0) -> list[OperatorOrder]:
        """Orders given to the run after that number, oldest first."""
        rows = self._rows(
            "SELECT number, word, by, detail, crc FROM orders WHERE run = ? AND number > ?"
            " ORDER BY number",
            (self._number(run), after),
        )
        for number, *values, crc in rows:
            self._see_sealed(f"table orders, row {number}", crc, run, *values)
        return [OperatorOrder(*row[:4]) for row in rows]

    def live(self, fleet: str) -> dict[str, LiveRelease]:
        """By host: the release last read back by any run."""
        rows = self._rows(
            "SELECT host, release, read_s, run, crc FROM live WHERE fleet = ? ORDER BY host",
            (fleet,),
        )
        for *values, crc in rows:
            self._see_sealed(f"table live, row {fleet}, {values[0]}", crc, fleet, *values)
        return {row[0]: LiveRelease(*row[:4]) for row in rows}

    def times(self, fleet: str, before: str = "") -> list[Sample]:
        """How long steps took in the fleet's last runs; `before`: ahead of that run."""
        number = self._number(before) if before else steptimes.NUMBER_MAX
        rows = self._rows(steptimes.READ, (fleet, number))
        wrong = steptimes.first_unsealed(rows)
        if wrong is not None:
            raise self.damaged(f"table durations, row {wrong[:4]}", "its checksum is wrong")
        return [Sample(*row[:5]) for row in rows]

    # ---- room on the disk

    def hold_reserve(self) -> None:
        """Keep room for the last words of a run that fills the disk; raises JournalFull."""
        reserve.hold(self.path)

    def spend_reserve(self) -> bool:
        """Give the room back to the disk; False when it was given back already."""
        return reserve.spend(self.path)

    # ---- one controller a run

    def lock(self, run: str) -> RunLock:
        """The lock of a run, not yet taken; `holder()` tells whether the run is live."""
        return RunLock(locks_folder(self.path), run)

    # ---- inside

    def _next_run(self) -> tuple[int, bytes]:
        """The next run's number, and what it remembers of the run before it."""
        rows = self._rows(run_query("ORDER BY r.number DESC LIMIT 1"), ())
        if not rows:
            return 1, b""
        last = self._checked(rows[0])
        return last.number + 1, chain.anchor(last.opening or b"", last.head)

    def _insert_run(self, row: RunRow, plan: Plan) -> None:
        words = msgspec.json.encode(row.words).decode()
        values = (
            *(row.id, row.fleet, row.title, row.digest, row.by, float(row.opened_s), words),
            row.hosts,
        )
        blob = msgspec.msgpack.encode(plan)
        number, before = self._next_run()
        plan_sha = sha256(blob).digest()
        opened = chain.opening(number, values, before, plan_sha)
        self._database.execute(
            f"INSERT INTO runs ({OPENED}, number, plan, before, plan_sha, opening)"  # noqa: S608
            " VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
            (*values, number, blob, before, plan_sha, opened),
        )
        self._staged[row.id] = Head(0, opened)

    def _insert_records(
        self, run: str, first_seq: int, wall_s: float, bodies: Sequence[bytes]
    ) -> None:
        head = self._head(run)
        if head.seq + 1 != first_seq:
            raise LockHeld(
                f"run {run} was written by somebody else",
                where=str(self.path),
                why=f"record {first_seq} was to follow, {head.seq} are there",
                hint=f"see who it was: fleetctl runs show {run}",
            )
        number, rows, link = self._number(run), [], head.chain
        for seq, body in enumerate(bodies, first_seq):
            link = chain.link(link, seq, wall_s, body)
            rows.append((number, seq, wall_s, checksum(run, seq, body), body, link))
        self._database.executemany(
            "INSERT INTO records (run, seq, wall_s, crc, body, chain) VALUES (?, ?, ?, ?, ?, ?)",
            rows,
        )
        self._staged[run] = msgspec.structs.replace(
            head, seq=first_seq + len(bodies) - 1, chain=link
        )

    def _insert_live(self, run: str, wall_s: float, live: Mapping[str, str]) -> None:
        fleet, read_s = self.stored(run).row.fleet, float(wall_s)
        self._database.executemany(
            "INSERT OR REPLACE INTO live (fleet, host, release, read_s, run, crc)"
            " VALUES (?, ?, ?, ?, ?, ?)",
            [
                (fleet, host, release, read_s, run, chain.seal(fleet, host, release, read_s, run))
                for host, release in live.items()
            ],
        )

    def _set_end(self, run: str, exit_code: int | None, wall_s: float | None) -> None:
        number = self._number(run)
        ended_s = None if wall_s is None else float(wall_s)
        self._database.execute(
            "UPDATE runs SET exit_code = ?, ended_s = ? WHERE number = ?",
            (exit_code, ended_s, number),
        )
        self._staged[run] = msgspec.structs.replace(
            self._head(run), exit_code=exit_code, ended_s=ended_s
        )
        if exit_code is not None:
            steptimes.forget(self._database, number)

    def _head(self, run: str) -> Head:
        """The end of the run's chain, as the transaction at hand sees it."""
        known = self._staged.get(run) or self._heads.get(run)
        if known is not None:
            return known
        stored = self.stored(run)
        return stored.head or self._head_of_old(stored)

    def _see_whole(self) -> None:
        """Looks at the structure, the tables a push leans on, and all of the newest run."""
        super()._see_whole()
        for row in self.runs(1):
            self.plan_of(row.id)
            self.live(row.fleet)
            for _ in self.records(row.id):
                pass

    def _committed(self) -> None:
        for run, head in self._staged.items():
            if head.exit_code is None:
                self._heads[run] = head
            else:  # who writes on reads it anew; one process may see any number of runs
                self._heads.pop(run, None)
                self._numbers.pop(run, None)
        self._staged.clear()

    def _rolled_back(self) -> None:
        self._staged.clear()

    def _head_of_old(self, stored: StoredRun) -> Head:
        """Where the chain of a run begins whose records have none so far."""
        row = stored.row
        bodies = [body for _, _, body in self.records(row.id)]
        ((plan,),) = self._rows("SELECT plan FROM runs WHERE number = ?", (stored.number,))
        begin = chain.seed_of_old(stored.values, plan, bodies)
        return Head(len(bodies), begin, "", row.exit_code, row.ended_s)

    def _seal(self) -> None:
        """The heads of the runs this transaction has changed."""
        for run, head in self._staged.items():
            self._database.execute(
                "INSERT OR REPLACE INTO heads (run, seq, chain, note, crc) VALUES (?, ?, ?, ?, ?)",
                (self._number(run), head.seq, head.chain, head.note, chain.head_seal(run, head)),
            )

    def _number(self, run: str) -> int:
        number = self._numbers.get(run)
        if number is None:
            rows = self._rows("SELECT number FROM runs WHERE id = ?", (run,))
            if not rows:
                raise UsageError(f'no run "{run}"', where=str(self.path))
            number = self._numbers[run] = int(rows[0][0])
        return number

    def _chain_at(self, stored: StoredRun, after: int) -> bytes | None:
        """The chain after that record; None when it has none."""
        if after == 0:
            return stored.opening
        rows = self._rows(
            "SELECT chain FROM records WHERE run = ? AND seq = ?", (stored.number, after)
        )
        return rows[0][0] if rows else None

    def _checked(self, found: Sequence[Any]) -> StoredRun:
        try:
            return stored_run(found)
        except Unsealed as place:
            raise self.damaged(str(place), "its checksum is wrong") from place

    def _damaged(self, run: str, seq: int, why: str) -> JournalUnusable:
        return self.damaged(f"run {run}, record {seq}", why)
