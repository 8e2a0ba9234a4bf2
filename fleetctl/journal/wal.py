"""What SQLite would pass over in silence: committed frames of a write-ahead log behind a bad one.

SQLite reads a write-ahead log up to the first frame whose checksum is wrong, and takes the rest for
the leavings of a crash. A crash can spoil the last commit only, which nobody was told of yet: a
frame is two writes, and on a power cut the disk may keep any of them. A bad frame with more than
one commit behind it is damage. In the last commit nobody can tell the two apart: it is told, not
refused.
"""

from __future__ import annotations

import struct
import sys
from array import array
from pathlib import Path
from typing import NamedTuple

_HEADER = struct.Struct(">8I")
_FRAME = struct.Struct(">6I")
_MAGIC = (0x377F0682, 0x377F0683)
_MASK = 0xFFFFFFFF


class BadFrame(NamedTuple):
    """The first frame that is not as it was written."""

    frame: int
    """Counts from 1; 0: the header of the log."""
    offset: int
    """Of the frame in the file, in bytes."""
    torn: bool = False
    """It belongs to the last commit: cut short by a crash, or changed since."""


def scan(path: Path) -> BadFrame | None:
    """The first bad frame a commit follows; None when all is well or there is no log."""
    try:
        data = path.read_bytes()
    except FileNotFoundError:
        return None
    if len(data) < _HEADER.size + _FRAME.size:
        return None
    magic, _, page_size, _, salt_1, salt_2, sum_1, sum_2 = _HEADER.unpack_from(data)
    swapped = (magic == _MAGIC[1]) != (sys.byteorder == "big")
    sums = _sum(data[:24], (0, 0), swapped)
    if magic not in _MAGIC or sums != (sum_1, sum_2):
        return BadFrame(0, 0) if any(data[: _HEADER.size]) else None
    return _scan_frames(data, page_size, (salt_1, salt_2), sums, swapped)


def _scan_frames(
    data: bytes, page_size: int, salts: tuple[int, int], sums: tuple[int, int], swapped: bool
) -> BadFrame | None:
    bad: BadFrame | None = None
    commits = 0
    size = _FRAME.size + page_size
    for frame, at in enumerate(range(_HEADER.size, len(data) - size + 1, size), 1):
        _, commit, *frame_salts, sum_1, sum_2 = _FRAME.unpack_from(data, at)
        ours = tuple(frame_salts) == salts
        if bad is not None:
            commits += bool(ours and commit)
            continue
        sums = _sum(data[at : at + 8], sums, swapped)
        sums = _sum(data[at + _FRAME.size : at + size], sums, swapped)
        if not ours or sums != (sum_1, sum_2):
            bad = BadFrame(frame, at)
            commits += bool(ours and commit)
    if bad is None or commits == 0:
        return None
    return bad._replace(torn=commits == 1)


def _sum(data: bytes, sums: tuple[int, int], swapped: bool) -> tuple[int, int]:
    words = array("I", data)
    if swapped:
        words.byteswap()
    first, second = sums
    pairs = iter(words)
    for one, other in zip(pairs, pairs, strict=True):
        first = (first + one + second) & _MASK
        second = (second + other + first) & _MASK
    return first, second
