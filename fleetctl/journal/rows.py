"""What the journal answers: plain rows, without any knowledge of what a record means."""

from __future__ import annotations

import zlib
from typing import NamedTuple

import msgspec


class RunRow(msgspec.Struct, frozen=True):
    """One run as `runs list` shows it."""

    id: str
    fleet: str
    title: str
    digest: str
    by: str
    opened_s: float
    """Unix time."""
    words: tuple[str, ...]
    """The command line, secrets already taken out."""
    hosts: int
    exit_code: int | None = None
    """None: it has not ended; it is live, or its controller died."""
    ended_s: float | None = None


class StoredRecord(NamedTuple):
    """One record of a run; `seq` counts from 1 without gaps."""

    seq: int
    wall_s: float
    body: bytes


class LiveRelease(msgspec.Struct, frozen=True):
    """The release last read back from a host."""

    host: str
    release: str
    read_s: float
    """Unix time."""
    run: str


class StepTime(NamedTuple):
    """How long a step took on a host; the last few of each are kept, for estimates."""

    title: str
    tier: str
    host: str
    seconds: float


class OperatorOrder(NamedTuple):
    """What somebody in another terminal asked of a live run: `drain`, `kill`, `abort`, ..."""

    number: int
    word: str
    by: str
    detail: str


def checksum(run: str, seq: int, body: bytes) -> int:
    """CRC-32 over a record and its place, so that a moved record is seen as well."""
    return zlib.crc32(body, zlib.crc32(f"{run} {seq}".encode()))
