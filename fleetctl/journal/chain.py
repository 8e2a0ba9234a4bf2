"""The chain of a run's records and the seals of everything else: pure sums over what is stored.

Each record carries a SHA-256 over the one before it, its place, its time and its body. The first
one follows the run's opening, which covers the run's row, its plan's hash, and how far the run
before it had got. There is no secret in it: it shows accidents, and hands that do not do all the
sums anew. Whoever noted a run's seal elsewhere sees those, too.
"""

from __future__ import annotations

import struct
import zlib
from collections.abc import Iterable, Sequence
from hashlib import sha256

import msgspec

_PLACE = struct.Struct(">Qd")
_ANCHOR = _PLACE.size + sha256().digest_size
_MALFORMED = (TypeError, ValueError, OverflowError, struct.error)
"""What sums over values of wrong types raise: a damaged file may hold anything anywhere."""


class Head(msgspec.Struct, frozen=True):
    """The end of a run's chain, and what changes about a run."""

    seq: int
    chain: bytes
    note: str = ""
    """What a salvage could not keep of the run."""
    exit_code: int | None = None
    ended_s: float | None = None


def link(before: bytes, seq: int, wall_s: float, body: bytes) -> bytes:
    """The chain at a record, from the chain before it."""
    return sha256(before + _PLACE.pack(seq, wall_s) + body).digest()


def opening(number: int, values: Sequence[object], before: bytes, plan_sha: bytes) -> bytes:
    """The chain's begin: over the run's row as stored, and the run before it."""
    return sha256(_packed(["run", number, *values, before, plan_sha])).digest()


def anchor(opened: bytes, head: Head | None) -> bytes:
    """What a run remembers of the run before it: its opening, and how far it had got."""
    return opened + (_PLACE.pack(head.seq, 0.0) + head.chain if head else b"")


def anchored(before: bytes) -> tuple[bytes, int, bytes]:
    """An anchor taken apart: opening of the run before, its records then, the chain at the last."""
    if len(before) < _ANCHOR:
        return before, 0, b""
    at = len(before) - _ANCHOR
    seq, _ = _PLACE.unpack_from(before, at)
    return before[:at], seq, before[at + _PLACE.size :]


def seed_of_old(values: Sequence[object], plan: bytes, bodies: Iterable[bytes]) -> bytes:
    """The chain's begin in a run whose first records have no chain: over all of them."""
    total = sha256(_packed(["old run", *values]) + plan)
    for body in bodies:
        total.update(body)
    return total.digest()


def head_seal(run: str, head: Head) -> int:
    """CRC-32 over a run's head, its exit code and end included."""
    return seal(run, head.seq, head.chain, head.note, head.exit_code, head.ended_s)


def seal(*values: object) -> int:
    """CRC-32 over a row of a table that is not chained."""
    return zlib.crc32(_packed(values))


def is_sealed(crc: object, *values: object) -> bool:
    """Whether a row is as it was written; rows from before there were seals pass."""
    try:
        return crc is None or crc == seal(*values)
    except _MALFORMED:
        return False


def is_linked(chain: object, before: bytes, seq: int, wall_s: float, body: bytes) -> bool:
    """Whether a record is the one that was written after `before`."""
    try:
        return chain == link(before, seq, wall_s, body)
    except _MALFORMED:
        return False


def is_opening(
    opened: object, number: int, values: Sequence[object], before: bytes, plan_sha: bytes
) -> bool:
    """Whether a run's row is the one that was written; rows from before the chain pass."""
    try:
        return opened is None or opened == opening(number, values, before, plan_sha)
    except _MALFORMED:
        return False


def is_plan(plan_sha: object, plan: object) -> bool:
    """Whether the stored plan is the one the run was opened with."""
    return plan_sha is None or (isinstance(plan, bytes) and sha256(plan).digest() == plan_sha)


def _packed(values: Iterable[object]) -> bytes:
    return msgspec.msgpack.encode(list(values))
