"""Room kept free beside the journal, so that a run that fills the disk can still say how it ended.

A file of nothing that is given up when the journal cannot grow any more. Runs of one journal share
it: who opens a run makes it anew when it is not there.
"""

from __future__ import annotations

import os
from pathlib import Path

from fleetctl.journal.errors import JournalFull

RESERVE_BYTES = 4 * 2**20
"""Enough for the ends of some thousand steps, and for taking in a whole write-ahead log."""


def place_of(journal: Path) -> Path:
    """Where the reserve is."""
    return journal.with_name(journal.name + ".reserve")


def hold(journal: Path) -> None:
    """Have the reserve on disk; raises JournalFull when there is no room for it."""
    place = place_of(journal)
    try:
        fd = os.open(place, os.O_WRONLY | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            if os.fstat(fd).st_size < RESERVE_BYTES:
                _fill(fd)
        finally:
            os.close(fd)
    except OSError as error:
        place.unlink(missing_ok=True)
        raise JournalFull(
            "there is no room for the journal",
            where=str(journal.parent),
            why=f"{RESERVE_BYTES // 2**20} MiB are kept free there: {error.strerror}",
            hint="make room on its disk, or name a file on another one with --journal",
        ) from error


def spend(journal: Path) -> bool:
    """Give the room back to the disk; whether there was any."""
    try:
        place_of(journal).unlink()
    except FileNotFoundError:
        return False
    return True


def _fill(fd: int) -> None:
    """Real blocks, not a hole."""
    if hasattr(os, "posix_fallocate"):
        os.posix_fallocate(fd, 0, RESERVE_BYTES)
        return
    zeros = bytes(2**16)
    for at in range(0, RESERVE_BYTES, len(zeros)):
        os.pwrite(fd, zeros, at)
