"""The spool: a file `instance@kind` put into a folder says that the pool has work.

The kernel tells of new files by a signal, so the folder is read at once; it is read every second as
well, for whoever missed that.
"""

from __future__ import annotations

import fcntl
import os

from fleetctl.pools.overseer.lookouts import Notice

SOURCE = "spool"


class Spool:
    """The folder."""

    def __init__(self, path: str, taken: str) -> None:
        self.path = path
        self._taken = taken
        """Where a file is put while what it says is being written down: a crash loses nothing."""
        self.stirred = True
        """Something may be there; set by the signal and once a second."""
        self._fd = -1
        self._in_hand: list[str] = []

    def watch(self) -> None:
        """Ask for the signal (SIGIO); without it the folder is read every second."""
        self._fd = os.open(self.path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        what = fcntl.DN_CREATE | fcntl.DN_RENAME | fcntl.DN_MULTISHOT
        try:
            fcntl.fcntl(self._fd, fcntl.F_NOTIFY, what)
        except OSError:
            return

    def read(self) -> list[Notice]:
        """The pools that were named since."""
        if not self.stirred:
            return []
        self.stirred = False
        for name in os.listdir(self.path):  # noqa: PTH208
            try:
                os.replace(f"{self.path}/{name}", f"{self._taken}/{name}")  # noqa: PTH105
            except OSError:
                continue
        self._in_hand = os.listdir(self._taken)  # noqa: PTH208
        return [Notice(SOURCE, name.replace("@", "/", 1), 0, None) for name in self._in_hand]

    def done(self) -> None:
        """What was read has been written down."""
        for name in self._in_hand:
            try:
                os.unlink(f"{self._taken}/{name}")  # noqa: PTH108
            except OSError:
                continue
        self._in_hand = []
