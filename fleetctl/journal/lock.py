"""One live controller a run: an operating system lock that a dying process cannot leave behind."""

from __future__ import annotations

import contextlib
import fcntl
import os
import time
from pathlib import Path

from fleetctl.base.errors import LockHeld
from fleetctl.journal.errors import JournalFull

GLANCE_S = 0.1
"""Who only asks for the holder has the lock for a moment: that long it is tried again."""


def locks_folder(journal: Path) -> Path:
    """Where the lock files of a journal's runs are."""
    return journal.parent / f"{journal.name}.locks"


class RunLock:
    """Holds the lock file of one run from `take` to `release`; the file says who holds it."""

    def __init__(self, folder: Path, run: str) -> None:
        self._path = folder / f"{run}.lock"
        self._run = run
        self._fd: int | None = None

    def take(self, by: str) -> None:
        """Raises LockHeld naming the holder when another live process drives the run."""
        assert self._fd is None
        try:
            self._take(by)
        except OSError as error:
            raise JournalFull(
                "the run's lock cannot be written",
                where=str(self._path),
                why=error.strerror or str(error),
                hint="make room on its disk, or name a file on another one with --journal",
            ) from error

    def _take(self, by: str) -> None:
        self._path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        fd = self._locked_fd()
        if fd is None:
            raise LockHeld(
                f"run {self._run} is being driven already",
                why=f"by {self.holder() or 'another process'}",
                hint=f"watch it with `fleetctl runs show {self._run}`, "
                f"end it with `fleetctl runs abort {self._run}`",
            )
        try:
            os.ftruncate(fd, 0)
            os.pwrite(fd, by.encode(), 0)
        except OSError:
            os.close(fd)
            raise
        self._fd = fd

    def holder(self) -> str:
        """Who drives the run right now; empty when nobody does."""
        try:
            fd = os.open(self._path, os.O_RDONLY | os.O_CLOEXEC)
        except OSError:
            return ""
        try:
            fcntl.flock(fd, fcntl.LOCK_SH | fcntl.LOCK_NB)
        except BlockingIOError:
            return os.pread(fd, 4096, 0).decode(errors="replace") or "another process"
        else:
            return ""
        finally:
            os.close(fd)

    def note_fence(self, fence: int) -> None:
        """Note under which number the holder is about to take leases, before it is on record.

        Outlasts a killed holder, so that who comes after knows the leases it left for its own.
        """
        with contextlib.suppress(OSError):  # then they have to end by themselves
            self._noted.write_text(str(fence))

    def noted_fence(self) -> int:
        """The number a holder left that was killed; 0 when none was."""
        try:
            return int(self._noted.read_text())
        except (OSError, ValueError):
            return 0

    @property
    def _noted(self) -> Path:
        return self._path.with_suffix(".fence")

    def release(self) -> None:
        """Idempotent. The file goes first: who opens it meanwhile sees that it is gone."""
        if self._fd is None:
            return
        self._noted.unlink(missing_ok=True)
        self._path.unlink(missing_ok=True)
        os.close(self._fd)
        self._fd = None

    def _locked_fd(self) -> int | None:
        """A locked descriptor of the file that is at the path; None when somebody holds it."""
        end_s = time.monotonic() + GLANCE_S
        while True:
            fd = os.open(self._path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
            try:
                fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                os.close(fd)
                if time.monotonic() > end_s:
                    return None
                time.sleep(GLANCE_S / 20)
                continue
            if self._is_at_path(fd):
                return fd
            os.close(fd)  # its last holder removed the file between our open and our lock

    def _is_at_path(self, fd: int) -> bool:
        try:
            at_path = self._path.stat()
        except FileNotFoundError:
            return False
        mine = os.fstat(fd)
        return (mine.st_dev, mine.st_ino) == (at_path.st_dev, at_path.st_ino)
