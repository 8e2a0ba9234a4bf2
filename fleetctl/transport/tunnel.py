"""A channel through a bastion, as the socket under another connection.

The library lets two threads send on one channel and end it at the same time: data can then follow
the end of the stream, which is against the protocol, and the bastion's sshd answers by dropping
its whole connection, and with it every host behind it. Here whoever ends the stream first lets
those who use it finish.
"""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Iterator
from typing import Protocol

_TURN_S = 2.0
"""Longest wait for a send or read under way; both look up every second by themselves."""


class ChannelLike(Protocol):
    """What is used of a channel."""

    closed: bool

    def send(self, data: bytes) -> int: ...
    def recv(self, size: int) -> bytes: ...
    def settimeout(self, seconds: float | None) -> None: ...
    def shutdown_read(self) -> None: ...
    def shutdown_write(self) -> None: ...
    def close(self) -> None: ...


class Tunnel:
    """Looks like a socket to the connection that runs over it."""

    def __init__(self, channel: ChannelLike) -> None:
        self._channel = channel
        self._sending = threading.Lock()
        self._reading = threading.Lock()

    @property
    def _closed(self) -> bool:
        """As a socket's: the library asks for it while it ends its thread."""
        return self._channel.closed

    def settimeout(self, seconds: float | None) -> None:
        """As a socket's."""
        self._channel.settimeout(seconds)

    def send(self, data: bytes) -> int:
        """As a socket's; 0 once the stream has ended."""
        with self._sending:
            return self._channel.send(data)

    def recv(self, size: int) -> bytes:
        """As a socket's; empty at the end. Takes the window's credit back before anyone closes."""
        with self._reading:
            return self._channel.recv(size)

    def shutdown(self, how: int) -> None:
        """Wake the reader and end the stream; `how` is always both."""
        self._channel.shutdown_read()
        with _turn(self._sending), contextlib.suppress(OSError, EOFError):
            self._channel.shutdown_write()

    def close(self) -> None:
        """End the stream and the channel; idempotent, also when the bastion is gone."""
        self._channel.shutdown_read()
        with _turn(self._reading), _turn(self._sending), contextlib.suppress(OSError, EOFError):
            self._channel.close()


@contextlib.contextmanager
def _turn(lock: threading.Lock) -> Iterator[None]:
    """The lock, or after `_TURN_S` nothing: a stuck bastion must not hold up the closing."""
    taken = lock.acquire(timeout=_TURN_S)
    try:
        yield
    finally:
        if taken:
            lock.release()
