"""The one background process of a lab: `python -m fleetctl.lab.keeper FOLDER READY-FD`.

It runs the servers, takes requests on the control socket, and adopts every process of every host
(also those that cut loose from their parents), so that none outlives it.
"""

from __future__ import annotations

import asyncio
import contextlib
import ctypes
import os
import resource
import signal
import socket
import sys
from collections import Counter
from collections.abc import Mapping
from pathlib import Path
from typing import Protocol

import msgspec

from fleetctl.lab.addresses import guard_address
from fleetctl.lab.control import (
    LINE_MAX,
    Answer,
    ClearFaults,
    Describe,
    HostStatus,
    Request,
    SetFaults,
    Stop,
    short_path,
)
from fleetctl.lab.faults import Fault, FaultKind
from fleetctl.lab.layout import LabState, Layout, require_state
from fleetctl.lab.processes import find_descendants, find_marked, kill, kill_marked
from fleetctl.lab.spawn import Spawner

_PR_SET_CHILD_SUBREAPER = 36
_KILL_ROUNDS = 100


class Servers(Protocol):
    """The servers of all hosts; embedded or openssh."""

    async def start(self) -> None: ...

    async def apply(self, names: tuple[str, ...], fault: Fault) -> None: ...

    async def clear(self, names: tuple[str, ...], kinds: tuple[FaultKind, ...]) -> None: ...

    def faults(self) -> Mapping[str, list[Fault]]: ...

    def connections(self) -> Mapping[str, int]: ...

    def stop(self) -> None: ...


class Keeper:
    """Runs the lab of one folder from start to stop."""

    def __init__(self, layout: Layout, state: LabState) -> None:
        self._layout = layout
        self._state = state
        self._spawner = Spawner()
        self._servers: Servers
        self._stopping = asyncio.Event()

    async def run(self, ready: int) -> None:
        """Serve until told to stop; one byte goes to `ready` when every host answers."""
        loop = asyncio.get_running_loop()
        self._spawner.attach(loop)
        for signum in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(signum, self._stopping.set)
        guard = _hold_block(self._state)
        self._servers = _make_servers(self._layout, self._state, self._spawner)
        try:
            await self._servers.start()
            self._layout.control.unlink(missing_ok=True)
            with short_path(self._layout) as path:
                control = await asyncio.start_unix_server(self._converse, path, limit=LINE_MAX)
            os.write(ready, b"+")  # fails when whoever started us is gone: then nobody wants us
            os.close(ready)
            await self._stopping.wait()
            control.close()
        finally:
            self._servers.stop()
            self._end_processes()
            guard.close()

    def _end_processes(self) -> None:
        """KILL all that is below us, and whatever bears our mark, until nothing is left."""
        for _ in range(_KILL_ROUNDS):
            left = find_descendants(os.getpid())
            if not left:
                break
            kill(left)
            self._spawner.reap()
        kill_marked(self._state.id)
        self._layout.control.unlink(missing_ok=True)
        self._layout.pid.unlink(missing_ok=True)

    async def _converse(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Answer one request."""
        try:
            request = msgspec.json.decode(await reader.readline(), type=Request)
            answer = await self._answer(request)
        except Exception as error:  # noqa: BLE001  # a request must never end the lab
            answer = Answer(error=f"{type(error).__name__}: {error}")
        writer.write(msgspec.json.encode(answer) + b"\n")
        with contextlib.suppress(ConnectionError):
            await writer.drain()
        writer.close()

    async def _answer(self, request: Request) -> Answer:
        match request:
            case SetFaults(hosts, fault):
                await self._servers.apply(hosts, fault)
            case ClearFaults(hosts, kind):
                kinds = (FaultKind(kind),) if kind else tuple(FaultKind)
                await self._servers.clear(hosts, kinds)
            case Describe():
                return self._describe()
            case Stop():
                asyncio.get_running_loop().call_soon(self._stopping.set)
        return Answer()

    def _describe(self) -> Answer:
        processes = Counter(find_marked(self._state.id).values())
        faults, connections = self._servers.faults(), self._servers.connections()
        hosts = {
            name: HostStatus(processes[name], connections[name], tuple(faults[name]))
            for name in faults
        }
        return Answer(hosts=hosts, memory_kb=_resident_kb())


def _resident_kb() -> int:
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE") // 1024


def _hold_block(state: LabState) -> socket.socket:
    """Keep other labs off our addresses; raises OSError when one has them."""
    guard = socket.socket()
    guard.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    guard.bind((guard_address(state.block), state.port))
    guard.listen(1)
    return guard


def _make_servers(layout: Layout, state: LabState, spawner: Spawner) -> Servers:
    if state.server == "openssh":
        from fleetctl.lab.openssh import OpensshServer

        return OpensshServer(layout, state, spawner)
    from fleetctl.lab.embedded import EmbeddedServer

    return EmbeddedServer(layout, state, spawner)


def _adopt_orphans() -> None:
    """Processes whose parent ends become our children, not init's."""
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.prctl(_PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0) != 0:
        raise OSError(ctypes.get_errno(), "cannot adopt orphaned processes")


def _raise_limits() -> None:
    """Each host takes a descriptor, each connection several."""
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))


def main() -> None:
    """Keep the lab of the folder named first on the command line."""
    layout, ready = Layout(Path(sys.argv[1])), int(sys.argv[2])
    os.set_inheritable(ready, False)
    _adopt_orphans()
    _raise_limits()
    try:
        asyncio.run(Keeper(layout, require_state(layout)).run(ready))
    except OSError as error:
        with contextlib.suppress(OSError):
            os.write(ready, f"-{error}".encode())
        sys.exit(1)


if __name__ == "__main__":
    main()
