"""A run's journal as it is carried: bundles of records, chained, and what several legs make. Pure.

The chain is the journal's, begun from the run's row and plan alone, so that it is the same in
whichever journal the run is continued.
"""

from __future__ import annotations

import zlib
from collections.abc import Mapping, Sequence
from hashlib import sha256
from typing import NamedTuple

import msgspec

from fleetctl.journal import chain
from fleetctl.journal.rows import RunRow, StoredRecord
from fleetctl.plan.model import Plan
from fleetctl.transport.carriage import PART_CHARS, LegName, unpack

BUNDLE_BYTES = 64 * 1024
"""Of records in one bundle, as long as one alone is not longer."""
_Entry = tuple[int, float, bytes, bytes]
_entries = msgspec.msgpack.Decoder(list[_Entry])


class Link(NamedTuple):
    """How far a chain has got."""

    seq: int
    chain: bytes


class Carried(NamedTuple):
    """A run read back, its chain verified."""

    row: RunRow
    plan: Plan
    records: tuple[StoredRecord, ...]
    leg: LegName
    """Of the controller that carried it last."""
    age_s: float | None
    """Since that one was heard of."""
    fence_max: int
    """The highest fence of any leg that is known there."""


def begin(row: RunRow, plan: bytes) -> Link:
    """The chain's begin: over what never changes about the run."""
    first = msgspec.structs.replace(row, exit_code=None, ended_s=None)
    return Link(0, sha256(msgspec.msgpack.encode(first) + sha256(plan).digest()).digest())


def pack_row(row: RunRow) -> bytes:
    """The row for its way."""
    return zlib.compress(msgspec.msgpack.encode(row))


def read_row(data: bytes) -> RunRow | None:
    """None when it is not whole."""
    try:
        return msgspec.msgpack.decode(zlib.decompress(data), type=RunRow)
    except (zlib.error, msgspec.MsgspecError):
        return None


def pack_plan(plan: bytes) -> list[bytes]:
    """The encoded plan in parts."""
    data = zlib.compress(plan)
    return [data[at : at + PART_CHARS] for at in range(0, len(data), PART_CHARS)]


def bundle(link: Link, records: Sequence[StoredRecord]) -> tuple[Link, bytes]:
    """The records as one bundle, and the chain after them."""
    entries: list[_Entry] = []
    for seq, wall_s, body in records:
        link = Link(seq, chain.link(link.chain, seq, wall_s, body))
        entries.append((seq, wall_s, body, link.chain))
    return link, zlib.compress(msgspec.msgpack.encode(entries))


class Unlinked(Exception):
    """A bundle is not what was written; says where."""


class Reading:
    """Records of one leg as they come in; what is not whole is left out, and all after it."""

    def __init__(self, begun: Link) -> None:
        self.link = begun
        self.records: list[StoredRecord] = []

    def take(self, lines: Sequence[bytes]) -> list[StoredRecord]:
        """The records of these bundles that are new; raises Unlinked for changed ones."""
        new: list[StoredRecord] = []
        for line in lines:
            for seq, wall_s, body, sum_ in _unbundled(line):
                if seq <= self.link.seq:
                    continue
                if seq != self.link.seq + 1:
                    break  # one before it is missing
                if not chain.is_linked(sum_, self.link.chain, seq, wall_s, body):
                    raise Unlinked(f"record {seq} is not what was written after the one before it")
                self.link = Link(seq, sum_)
                new.append(StoredRecord(seq, wall_s, body))
        self.records += new
        return new


def _unbundled(line: bytes) -> list[_Entry]:
    """What is in a bundle; nothing when it is torn."""
    data = unpack(line)
    try:
        return _entries.decode(zlib.decompress(data)) if data else []
    except (zlib.error, msgspec.MsgspecError):
        return []


def merged(legs: Mapping[LegName, Sequence[StoredRecord]]) -> tuple[LegName, list[StoredRecord]]:
    """What the legs together say: the latest one that got to its own records has the word.

    Until it did, those before it are believed up to where it begins.
    """
    best: tuple[LegName, list[StoredRecord]] | None = None
    limit: int | None = None
    for name in sorted(legs, reverse=True):
        records = list(legs[name])[:limit]
        if len(records) >= name.start:
            return name, records
        if best is None or len(records) > len(best[1]):
            best = name, records
        limit = name.start - 1 if limit is None else min(limit, name.start - 1)
    assert best is not None
    return best
