"""Starting processes of hosts and noticing their end, on one event loop and one thread."""

from __future__ import annotations

import asyncio
import contextlib
import os
import resource
import signal
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

import msgspec

Exited = Callable[[int], None]
"""Called with the wait status (see `os.waitstatus_to_exitcode`)."""


class Command(msgspec.Struct, frozen=True):
    """What to start; `streams` are the descriptors for 0, 1 and 2.

    With `terminal` (a path) it becomes the controlling terminal of the new session.
    """

    argv: tuple[str, ...]
    environment: Mapping[str, str]
    folder: str
    streams: tuple[int, int, int] = (-1, -1, -1)
    terminal: str = ""
    file_size_max: int | None = None
    """RLIMIT_FSIZE for it and all it starts; None: unlimited."""


class Spawner:
    """Every child of the keeper is started here and waited for here."""

    def __init__(self) -> None:
        self._exits: dict[int, Exited] = {}

    def attach(self, loop: asyncio.AbstractEventLoop) -> None:
        loop.add_signal_handler(signal.SIGCHLD, self.reap)

    def start(self, command: Command, exited: Exited) -> int:
        """Start it in a session of its own; raises OSError.

        SIGXFSZ stays ignored so that a full disk is a failing write, not a killed process.
        """
        actions: list[tuple[int, ...] | tuple[int, int, str, int, int]] = []
        if command.terminal:
            actions.append((os.POSIX_SPAWN_OPEN, 0, command.terminal, os.O_RDWR, 0))
            actions += [(os.POSIX_SPAWN_DUP2, 0, 1), (os.POSIX_SPAWN_DUP2, 0, 2)]
        else:
            pairs = zip(command.streams, range(3), strict=True)
            actions += [(os.POSIX_SPAWN_DUP2, ours, theirs) for ours, theirs in pairs]
        with _standing_in(command.folder), _limited(command.file_size_max):
            pid = os.posix_spawn(
                "/bin/sh",
                command.argv,
                command.environment,
                file_actions=actions,
                setsid=True,
                setsigmask=(),
                setsigdef=(signal.SIGPIPE, signal.SIGINT),
            )
        self._exits[pid] = exited
        return pid

    def reap(self) -> None:
        """Collect every child that ended; orphans that fell to us are collected silently."""
        while True:
            try:
                pid, status = os.waitpid(-1, os.WNOHANG)
            except ChildProcessError:
                return
            if pid == 0:
                return
            exited = self._exits.pop(pid, None)
            if exited is not None:
                exited(status)


@contextlib.contextmanager
def _standing_in(folder: str) -> Iterator[None]:
    """A spawned process starts in the caller's folder; there is one thread, so this is safe."""
    before = Path.cwd()
    os.chdir(folder)
    try:
        yield
    finally:
        os.chdir(before)


@contextlib.contextmanager
def _limited(size: int | None) -> Iterator[None]:
    """Children inherit the limit of file sizes at the moment they are started."""
    if size is None:
        yield
        return
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
