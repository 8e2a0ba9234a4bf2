"""A run's records as a report reads them: one layer, which a newer record does not break."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any, NamedTuple

import msgspec

from fleetctl.journal.rows import StoredRecord
from fleetctl.journal.store import Journal
from fleetctl.rollout.records import Record
from fleetctl.rollout.runlog import decode_record

_TAG = "type"


class Unfamiliar(NamedTuple):
    """A record of a kind this fleetctl does not know, or cannot read as that kind."""

    tag: str
    fields: Mapping[str, Any]


class Entry(NamedTuple):
    """A durable record with its place in the journal; as `Recorded`, but for what is unknown."""

    seq: int
    wall_s: float
    record: Record | Unfamiliar


def read_entries(journal: Journal, run: str) -> list[Entry]:
    """Everything the journal knows of the run `run` (its whole id)."""
    return list(decoded(journal.records(run)))


def decoded(stored: Iterable[StoredRecord]) -> Iterator[Entry]:
    """The records, those of a newer kind under their own name."""
    for seq, wall_s, body in stored:
        try:
            yield Entry(seq, wall_s, decode_record(body))
        except msgspec.DecodeError:
            yield Entry(seq, wall_s, _unfamiliar(body))


def _unfamiliar(body: bytes) -> Unfamiliar:
    """Its fields as they are: the chain has shown that the body is what was written."""
    try:
        fields = msgspec.msgpack.decode(body)
    except msgspec.DecodeError:
        fields = {}
    if not isinstance(fields, dict):
        fields = {}
    return Unfamiliar(str(fields.pop(_TAG, "a record")), fields)


def tag_of(record: Record | Unfamiliar) -> str:
    """The kind's name in the journal: `host-settled`."""
    if isinstance(record, Unfamiliar):
        return record.tag
    return str(type(record).__struct_config__.tag)


def fields_of(record: Record | Unfamiliar) -> Mapping[str, Any]:
    """The record's fields by name."""
    return record.fields if isinstance(record, Unfamiliar) else msgspec.structs.asdict(record)
