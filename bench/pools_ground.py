"""What starts cost on this machine at this moment without an overseer, to hold ours against."""

from __future__ import annotations

import contextlib
import os
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

from bench.pools_host import DAEMON

FORKER = DAEMON.with_name("bare_fork.py")
Start = Callable[[], float]
"""Starts one process; the milliseconds until it said READY."""


@contextlib.contextmanager
def bare_starts(folder: Path) -> Iterator[dict[str, Start]]:
    """By fork (a server that does nothing else), and by exec (of the light daemon)."""
    ours, asked = str(folder / "ready.sock"), str(folder / "fork.sock")
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as sock:
        sock.bind(ours)

        def by_fork() -> float:
            began = time.monotonic()
            sock.sendto(ours.encode(), asked)
            sock.recv(200)
            return 1000 * (time.monotonic() - began)

        def by_exec() -> float:
            began = time.monotonic()
            command = [sys.executable, "-I", "-S", str(DAEMON), "rest"]
            started = subprocess.Popen(command, env={**os.environ, "NOTIFY_SOCKET": ours})
            sock.recv(200)
            took_ms = 1000 * (time.monotonic() - began)
            started.kill()
            started.wait()
            return took_ms

        server = subprocess.Popen([sys.executable, "-I", "-S", str(FORKER), asked])
        try:
            while not Path(asked).exists():
                time.sleep(0.01)
            yield {"bare fork": by_fork, "bare exec": by_exec}
        finally:
            server.kill()
            server.wait()
