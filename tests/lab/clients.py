"""Raw SSH clients for the tests of the lab: they know nothing of fleetctl's own transport."""

from __future__ import annotations

import asyncio
import contextlib
import socket
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import TypeVar

import asyncssh

from tests.labfixture import RunningLab

T = TypeVar("T")
DEADLINE_S = 60.0
UNTIL_GO = "while [ ! -e go ]; do sleep 0.05; done"
"""A command's text that lasts until a file `go` is in the home."""


async def connect(lab: RunningLab, host: str, **options: object) -> asyncssh.SSHClientConnection:
    """A connection that trusts the lab's known_hosts alone."""
    chosen: dict[str, object] = {
        "port": lab.port,
        "username": lab.fleet.hosts[host].login.user,
        "client_keys": [str(lab.identity)],
        "known_hosts": str(lab.known_hosts),
        "config": None,
        "agent_path": None,
    }
    return await asyncssh.connect(lab.address(host), **{**chosen, **options})


@contextlib.asynccontextmanager
async def connected(
    lab: RunningLab, host: str, **options: object
) -> AsyncIterator[asyncssh.SSHClientConnection]:
    """As `connect`, closed at the end."""
    connection = await connect(lab, host, **options)
    try:
        yield connection
    finally:
        connection.close()
        await connection.wait_closed()


def within_deadline(work: Callable[[], Awaitable[T]]) -> T:
    """Run a test's coroutine; a hang is a failure."""

    async def bounded() -> T:
        return await asyncio.wait_for(work(), DEADLINE_S)

    return asyncio.run(bounded())


def run(
    lab: RunningLab, host: str, command: str, stdin: bytes = b""
) -> asyncssh.SSHCompletedProcess:
    """Connect, run one command, come back with what it said."""

    async def work() -> asyncssh.SSHCompletedProcess:
        async with connected(lab, host) as connection:
            return await connection.run(command, input=stdin, encoding=None)

    return within_deadline(work)


def banner(lab: RunningLab, host: str, timeout_s: float = 30.0) -> bytes:
    """The first line the host says; raises OSError (refused, TimeoutError)."""
    with socket.create_connection((lab.address(host), lab.port), timeout=timeout_s) as sock:
        return sock.recv(256)
