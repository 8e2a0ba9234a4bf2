"""A run's records in the journal: encoded and numbered, with what they teach about hosts."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import msgspec

from fleetctl.base.outcome import Outcome
from fleetctl.journal.errors import JournalUnusable
from fleetctl.journal.rows import RunRow, StepTime
from fleetctl.journal.store import Journal
from fleetctl.plan.history import names_of
from fleetctl.plan.model import Plan
from fleetctl.rollout.observers import Recorded
from fleetctl.rollout.records import HostSettled, Record, RunEnded, RunResumed, StepSettled

_encode = msgspec.msgpack.Encoder().encode
_decoder: msgspec.msgpack.Decoder[Record] = msgspec.msgpack.Decoder(Record)


def encode_record(record: Record) -> bytes:
    """As it is kept."""
    return _encode(record)


def decode_record(body: bytes) -> Record:
    """Raises msgspec.DecodeError, for instance for one of a newer fleetctl."""
    return _decoder.decode(body)


def read_records(journal: Journal, run: str, after: int = 0) -> Iterator[Recorded]:
    """The run's records after that seq, decoded; raises JournalUnusable telling a bad one."""
    for seq, wall_s, body in journal.records(run, after):
        try:
            yield Recorded(seq, wall_s, _decoder.decode(body))
        except msgspec.DecodeError as error:
            raise JournalUnusable(
                "a record of the journal cannot be read",
                where=f"{journal.path}: run {run}, record {seq}",
                why=str(error),
                hint="a newer fleetctl may have written it",
            ) from error


class RunLog:
    """Appends to one run. A record is durable when `append` has returned."""

    def __init__(self, journal: Journal, run: str, plan: Plan, last_seq: int = 0) -> None:
        self.run = run
        self._journal = journal
        self._plan = plan
        self._last_seq = last_seq
        self._names = names_of(plan)

    def open(self, row: RunRow, first: Record) -> Recorded:
        """Make the run, its plan and its first record durable."""
        self._journal.create_run(row, self._plan, [_encode(first)])
        self._last_seq = 1
        return Recorded(1, row.opened_s, first)

    def reopen(self, record: RunResumed, wall_s: float) -> Recorded:
        """The run goes on: it has no exit code any more."""
        self._journal.reopen(self.run, self._last_seq + 1, wall_s, [_encode(record)])
        self._last_seq += 1
        return Recorded(self._last_seq, wall_s, record)

    def append(self, records: Sequence[Record], wall_s: float) -> list[Recorded]:
        """Make the records durable in one transaction; raises JournalFull."""
        first = self._last_seq + 1
        live: dict[str, str] = {}
        times: list[StepTime] = []
        ended: int | None = None
        for record in records:
            if isinstance(record, StepSettled):
                self._learn_time(record, times)
            elif isinstance(record, HostSettled) and record.release:
                live[record.host] = record.release
            elif isinstance(record, RunEnded):
                ended = record.exit_code
        bodies = [_encode(record) for record in records]
        self._journal.append(
            self.run, first, wall_s, bodies, live=live, times=times, ended=ended
        )  # fmt: skip
        self._last_seq += len(records)
        return [Recorded(seq, wall_s, record) for seq, record in enumerate(records, first)]

    def spend_reserve(self) -> bool:
        """Make the room that was kept for this; False when there is none any more."""
        return self._journal.spend_reserve()

    def _learn_time(self, record: StepSettled, times: list[StepTime]) -> None:
        # What only read, as the live release, has a time as well; what was passed over has none.
        did = record.outcome in (Outcome.CHANGED, Outcome.OK) and record.duration_s > 0
        if did and not (record.replayed or record.undo or record.restore):
            tier = self._plan.hosts[record.host].tier
            name = self._names[record.key]
            times.append(StepTime(name, tier, record.host, record.duration_s))
