"""Moving bytes between a process and a channel, both ways, never holding more than a little."""

from __future__ import annotations

import asyncio
import contextlib
import os
from collections.abc import Callable

_CHUNK = 64 * 1024
_HIGH_WATER = 256 * 1024


class Outflow:
    """Reads a descriptor of the process and hands on what it says, while the taker has room."""

    def __init__(self, fd: int, take: Callable[[bytes], None], ended: Callable[[], None]) -> None:
        self._fd = fd
        self._take = take
        self._ended = ended
        self._reading = False
        os.set_blocking(fd, False)

    @property
    def open(self) -> bool:
        return self._fd >= 0

    def resume(self) -> None:
        if self.open and not self._reading:
            self._reading = True
            asyncio.get_running_loop().add_reader(self._fd, self._read)

    def pause(self) -> None:
        if self._reading:
            self._reading = False
            asyncio.get_running_loop().remove_reader(self._fd)

    def close(self) -> None:
        """Close our end: the process's next write to it fails."""
        if self.open:
            self.pause()
            os.close(self._fd)
            self._fd = -1

    def _read(self) -> None:
        try:
            data = os.read(self._fd, _CHUNK)
        except BlockingIOError:
            return
        except OSError:  # EIO: the last process of a terminal is gone
            data = b""
        if data:
            self._take(data)
            return
        self.close()
        self._ended()


class Inflow:
    """Writes what the channel brings to standard input; asks the channel to pause when full."""

    def __init__(self, fd: int, pause: Callable[[], None], resume: Callable[[], None]) -> None:
        self._fd = fd
        self._pause = pause
        self._resume = resume
        self._held = bytearray()
        self._writing = False
        self._paused = False
        self._ending = False
        os.set_blocking(fd, False)

    def put(self, data: bytes) -> None:
        """Bytes for a process that closed its standard input vanish, as with sshd."""
        if self._fd < 0:
            return
        self._held += data
        self._flush()

    def end(self) -> None:
        """The channel brings no more: close after the rest is written."""
        self._ending = True
        self._flush()

    def close(self) -> None:
        if self._fd >= 0:
            self._watch(False)
            os.close(self._fd)
            self._fd = -1
        self._held.clear()

    def _flush(self) -> None:
        if self._fd < 0:
            return
        try:
            while self._held:
                del self._held[: os.write(self._fd, memoryview(self._held)[:_CHUNK].tobytes())]
        except BlockingIOError:
            pass
        except OSError:
            self.close()
        self._balance()

    def _balance(self) -> None:
        if not self._held and self._ending:
            self.close()
        self._watch(bool(self._held))
        full = len(self._held) > _HIGH_WATER
        if full and not self._paused:
            self._paused = True
            self._pause()
        elif self._paused and not full:
            self._paused = False
            self._resume()

    def _watch(self, wanted: bool) -> None:
        loop = asyncio.get_running_loop()
        if wanted and not self._writing and self._fd >= 0:
            loop.add_writer(self._fd, self._flush)
        elif self._writing and not wanted:
            with contextlib.suppress(OSError, ValueError):
                loop.remove_writer(self._fd)
        self._writing = wanted and self._fd >= 0
