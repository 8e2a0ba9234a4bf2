"""The embedded server: every host's SSH server in this one process, on one event loop."""

from __future__ import annotations

import asyncio
import random
import socket

import asyncssh

from fleetctl.lab.entry import command_argv, write_entry
from fleetctl.lab.faults import Fault, FaultKind, drops_connection
from fleetctl.lab.keys import host_key_shown
from fleetctl.lab.layout import LabHost, LabState, Layout, environment
from fleetctl.lab.limits import limit_files
from fleetctl.lab.servers import HostServers
from fleetctl.lab.session import Login, Session
from fleetctl.lab.spawn import Spawner
from fleetctl.lab.wire import Wire

_BACKLOG = 128
_LOGIN_TIMEOUT_S = 120.0


class Door(asyncssh.SSHServer):
    """Who may log in to a host, and what for."""

    def __init__(self, host: EmbeddedHost) -> None:
        self._host = host
        self._connection: asyncssh.SSHServerConnection | None = None

    def connection_made(self, conn: asyncssh.SSHServerConnection) -> None:
        self._connection = conn

    def public_key_auth_supported(self) -> bool:
        return True

    def validate_public_key(self, username: str, key: asyncssh.SSHKey) -> bool:
        known = key.export_public_key().split()[:2]
        return username == self._host.host.user and known == self._host.client_key

    def auth_completed(self) -> None:
        assert self._connection is not None
        wire = self._connection.get_extra_info("wire")
        assert isinstance(wire, Wire)
        self._host.logged_in(wire)

    def session_requested(self) -> Session:
        return Session(self._host.login)

    def connection_requested(
        self, dest_host: str, dest_port: int, orig_host: str, orig_port: int
    ) -> bool:
        """True: forward it, as `forwards_to` says."""
        if self._host.forwards_to(dest_host):
            return True
        raise asyncssh.ChannelOpenError(
            asyncssh.OPEN_ADMINISTRATIVELY_PROHIBITED, f"no forwarding to {dest_host}"
        )


class EmbeddedHost:
    """One host: its listening socket, its connections, its faults."""

    def __init__(self, layout: Layout, state: LabState, host: LabHost, spawner: Spawner) -> None:
        self.host = host
        self.client_key = state.client_key.encode().split()[:2]
        self.faults: dict[FaultKind, Fault] = {}
        self._layout = layout
        self._state = state
        self._wires: set[Wire] = set()
        self._pending: set[Wire] = set()
        self._listener: asyncio.Server | None = None
        self._options: asyncssh.SSHServerConnectionOptions | None = None
        self.login = Login(
            spawner=spawner,
            home=str(layout.home(host.name)),
            environment=environment(layout, state, host),
            argv_of=lambda command: command_argv(layout, host, self.faults, command),
            file_size_max=self._file_size_max,
        )

    def _options_with(self, key: str) -> asyncssh.SSHServerConnectionOptions:
        return asyncssh.SSHServerConnectionOptions(
            config=None,
            server_factory=lambda: Door(self),
            server_host_keys=[key],
            server_version="fleetctl_lab",
            encoding=None,
            line_editor=False,
            allow_pty=True,
            x11_forwarding=False,
            agent_forwarding=False,
            gss_host=None,
            compression_algs=["none"],
            login_timeout=_LOGIN_TIMEOUT_S,
        )

    def forwards_to(self, address: str) -> bool:
        """Only a bastion forwards, and only to hosts of the lab."""
        return self.host.forwards and any(other.address == address for other in self._state.hosts)

    async def listen(self) -> None:
        """Accept connections; raises OSError when the address is taken."""
        self._listener = await asyncio.get_running_loop().create_server(
            lambda: Wire(self._make_connection, self._arrived, self._gone),
            self.host.address,
            self._state.port,
            family=socket.AF_INET,
            backlog=_BACKLOG,
        )

    def _make_connection(self) -> asyncio.Protocol:
        if self._options is None:
            wrong = FaultKind.WRONG_HOST_KEY in self.faults
            key = host_key_shown(self._layout, self.host.name, wrong=wrong)
            self._options = self._options_with(str(key))
        return asyncssh.SSHServerConnection(asyncio.get_running_loop(), self._options)

    def _arrived(self, wire: Wire) -> None:
        limits = self.faults.get(FaultKind.MAX_STARTUPS)
        if limits is not None:
            dice = random.random()  # noqa: S311
            if drops_connection(limits.startups, len(self._pending), dice):
                wire.turn_away(b"Exceeded MaxStartups\r\n")
                return
        self._wires.add(wire)
        self._pending.add(wire)
        self._slow(wire)
        if FaultKind.HANG in self.faults or self._frozen_now():
            wire.hold()
        else:
            wire.begin()

    def _gone(self, wire: Wire) -> None:
        self._wires.discard(wire)
        self._pending.discard(wire)

    def logged_in(self, wire: Wire) -> None:
        """Called once a connection has shown its key."""
        self._pending.discard(wire)
        loop = asyncio.get_running_loop()
        cut, freeze = self.faults.get(FaultKind.CUT), self.faults.get(FaultKind.FREEZE)
        if cut is not None and cut.after_s is not None:
            loop.call_later(cut.after_s, self._cut_later, wire)
        if freeze is not None and freeze.after_s is not None:
            loop.call_later(freeze.after_s, self._freeze_later, wire)

    def _cut_later(self, wire: Wire) -> None:
        if FaultKind.CUT in self.faults:
            wire.cut()

    def _freeze_later(self, wire: Wire) -> None:
        if FaultKind.FREEZE in self.faults:
            wire.freeze(True)

    def _frozen_now(self) -> bool:
        fault = self.faults.get(FaultKind.FREEZE)
        return fault is not None and fault.after_s is None

    def _file_size_max(self) -> int | None:
        fault = self.faults.get(FaultKind.FULL_DISK)
        return None if fault is None else fault.size

    def _slow(self, wire: Wire) -> None:
        fault = self.faults.get(FaultKind.SLOW)
        latency_s, rate = (fault.latency_s, fault.bytes_per_s) if fault else (0.0, 0.0)
        wire.slow(latency_s, rate)

    # Faults.

    async def apply(self, fault: Fault) -> None:
        """Show `fault` from now on; `cut` without `after` happens once and is over."""
        if fault.kind is FaultKind.CUT and fault.after_s is None:
            self.cut()
            return
        self.faults[fault.kind] = fault
        await self._refresh(fault.kind)

    async def clear(self, kind: FaultKind) -> None:
        if self.faults.pop(kind, None) is not None:
            await self._refresh(kind)

    async def _refresh(self, kind: FaultKind) -> None:
        """Bring what is there in line with `faults`."""
        on = kind in self.faults
        match kind:
            case FaultKind.REFUSE:
                await self._refuse(on)
            case FaultKind.HANG | FaultKind.FREEZE:
                self._thaw()
            case FaultKind.SLOW:
                for wire in self._wires:
                    self._slow(wire)
            case FaultKind.WRONG_HOST_KEY:
                self._options = None
            case FaultKind.FULL_DISK:
                limit_files(self._state.id, self.host.name, self._file_size_max())
        write_entry(self._layout, self.host, self.faults)

    async def _refuse(self, on: bool) -> None:
        if on:
            self.stop_listening()
        elif self._listener is None:
            await self.listen()

    def _thaw(self) -> None:
        frozen, hang = self._frozen_now(), FaultKind.HANG in self.faults
        if FaultKind.FREEZE not in self.faults or frozen:
            for wire in list(self._wires):
                wire.freeze(frozen)
        if not (frozen or hang):
            for wire in list(self._wires):
                wire.begin()

    def cut(self) -> None:
        for wire in list(self._wires):
            wire.cut()

    def stop_listening(self) -> None:
        if self._listener is not None:
            self._listener.close()
            self._listener = None

    @property
    def connections(self) -> int:
        return len(self._wires)


class EmbeddedServer(HostServers[EmbeddedHost]):
    """All hosts of a lab."""

    def __init__(self, layout: Layout, state: LabState, spawner: Spawner) -> None:
        hosts = (EmbeddedHost(layout, state, host, spawner) for host in state.hosts)
        super().__init__({host.host.name: host for host in hosts})

    async def start(self) -> None:
        for host in self._hosts.values():
            await host.listen()

    def stop(self) -> None:
        """Close every listener and connection; processes are the keeper's business."""
        for host in self._hosts.values():
            host.stop_listening()
            host.cut()
