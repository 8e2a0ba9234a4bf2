"""Real sshd processes: one a host, unprivileged unless we are root, children of the keeper."""

from __future__ import annotations

import asyncio
import contextlib
import os
import shlex
import shutil
import signal
from collections.abc import Mapping
from pathlib import Path

from fleetctl.lab.addresses import parked_address
from fleetctl.lab.entry import write_entry
from fleetctl.lab.faults import Fault, FaultKind
from fleetctl.lab.keys import host_key_shown
from fleetctl.lab.layout import MARK, LabHost, LabState, Layout, environment
from fleetctl.lab.limits import limit_files, limit_processes
from fleetctl.lab.processes import find_children, find_descendants, kill, program_of
from fleetctl.lab.servers import HostServers
from fleetctl.lab.spawn import Command, Spawner

_PRIVILEGE_SEPARATION = Path("/run/sshd")
_READY_TIMEOUT_S = 20.0
_READY_PAUSE_S = 0.01
_RELOADING = frozenset((FaultKind.REFUSE, FaultKind.WRONG_HOST_KEY, FaultKind.MAX_STARTUPS))
"""Faults that are lines of sshd's configuration."""


def find_sshd() -> str | None:
    """Where the OpenSSH server is; it is rarely on a user's PATH."""
    folders = [os.environ.get("PATH", ""), "/usr/sbin", "/sbin", "/usr/local/sbin"]
    return shutil.which("sshd", path=os.pathsep.join(folders))


def write_config(
    layout: Layout, state: LabState, host: LabHost, faults: Mapping[FaultKind, Fault]
) -> None:
    """Write the host's sshd configuration as its faults want it."""
    key = host_key_shown(layout, host.name, wrong=FaultKind.WRONG_HOST_KEY in faults)
    address = host.address
    if FaultKind.REFUSE in faults:
        address = parked_address(state.block, state.hosts.index(host))
    limits = faults.get(FaultKind.MAX_STARTUPS)
    variables = environment(layout, state, host)
    set_env = " ".join(f'"{name}={value}"' for name, value in variables.items())
    lines = [
        f"ListenAddress {address}:{state.port}",
        f'HostKey "{key}"',
        f'PidFile "{_pid_file(layout, host)}"',
        f'AuthorizedKeysFile "{layout.authorized_keys}"',
        "AuthenticationMethods publickey",
        "PasswordAuthentication no",
        "KbdInteractiveAuthentication no",
        "PermitRootLogin prohibit-password",
        "StrictModes no",
        "UsePAM no",
        "X11Forwarding no",
        "AllowAgentForwarding no",
        f"AllowTcpForwarding {'local' if host.forwards else 'no'}",
        "AcceptEnv LANG LC_*",
        f"SetEnv {set_env}",
        f"ForceCommand {shlex.quote(str(layout.enter(host.name)))}",
        "LogLevel ERROR",
    ]
    if limits is not None:
        lines.append("MaxStartups " + ":".join(map(str, limits.startups)))
    _config_file(layout, host).write_text("\n".join(lines) + "\n")


def _config_file(layout: Layout, host: LabHost) -> Path:
    return layout.host(host.name) / "sshd_config"


def _pid_file(layout: Layout, host: LabHost) -> Path:
    return layout.host(host.name) / "sshd.pid"


class OpensshHost:
    """One sshd and the processes of its connections."""

    def __init__(self, layout: Layout, state: LabState, host: LabHost) -> None:
        self.host = host
        self.faults: dict[FaultKind, Fault] = {}
        self.pid = 0
        self._layout = layout
        self._state = state
        self._ended = False

    def start(self, sshd: str, spawner: Spawner, log: int) -> None:
        """Start its sshd; `ready` tells when it listens."""
        _pid_file(self._layout, self.host).unlink(missing_ok=True)
        write_config(self._layout, self._state, self.host, self.faults)
        write_entry(self._layout, self.host, self.faults)
        config = _config_file(self._layout, self.host)
        nothing = os.open(os.devnull, os.O_RDONLY)
        command = Command(
            argv=("sh", "-c", 'exec "$0" -D -e -f "$1"', sshd, str(config)),
            environment={"PATH": os.environ.get("PATH", ""), MARK: f"{self._state.id}/"},
            folder=str(self._layout.folder),
            streams=(nothing, log, log),
        )
        try:
            self.pid = spawner.start(command, self._exited)
        finally:
            os.close(nothing)

    def _exited(self, status: int) -> None:
        self._ended = True

    async def ready(self) -> None:
        """Return once it listens; raises OSError when it ended instead, or takes too long."""
        deadline = asyncio.get_running_loop().time() + _READY_TIMEOUT_S
        while not _pid_file(self._layout, self.host).exists():
            if self._ended:
                raise OSError(f"sshd of {self.host.name} ended; see {self._layout.log}")
            if asyncio.get_running_loop().time() > deadline:
                raise OSError(f"sshd of {self.host.name} does not listen")
            await asyncio.sleep(_READY_PAUSE_S)

    def sessions(self) -> set[int]:
        """The sshd processes that serve its connections (not what they run)."""
        below = find_descendants(self.pid)
        return {pid for pid in below if program_of(pid).startswith("sshd")}

    @property
    def connections(self) -> int:
        return len(find_children(self.pid))

    # Faults.

    async def apply(self, fault: Fault) -> None:
        """Show `fault` from now on; `cut` happens once and is over."""
        if fault.kind is FaultKind.CUT:
            kill(self.sessions())
            return
        self.faults[fault.kind] = fault
        await self._refresh(fault.kind)

    async def clear(self, kind: FaultKind) -> None:
        if self.faults.pop(kind, None) is not None:
            await self._refresh(kind)

    async def _refresh(self, kind: FaultKind) -> None:
        """Bring what is there in line with `faults`."""
        if kind in _RELOADING:
            await self._reload()
        elif kind is FaultKind.FULL_DISK:
            fault = self.faults.get(kind)
            size = None if fault is None else fault.size
            limit_processes({self.pid, *find_descendants(self.pid)}, size)
            limit_files(self._state.id, self.host.name, size)
        write_entry(self._layout, self.host, self.faults)
        self._stop_or_go()

    async def _reload(self) -> None:
        """sshd reads its configuration anew; connections that are there go on."""
        self._continue({self.pid})
        write_config(self._layout, self._state, self.host, self.faults)
        _pid_file(self._layout, self.host).unlink(missing_ok=True)
        os.kill(self.pid, signal.SIGHUP)
        await self.ready()

    def _stop_or_go(self) -> None:
        frozen = FaultKind.FREEZE in self.faults
        kill(self.sessions(), signal.SIGSTOP if frozen else signal.SIGCONT)
        silent = frozen or FaultKind.HANG in self.faults
        kill({self.pid}, signal.SIGSTOP if silent else signal.SIGCONT)

    def _continue(self, pids: set[int]) -> None:
        kill(pids, signal.SIGCONT)


class OpensshServer(HostServers[OpensshHost]):
    """All hosts of a lab."""

    def __init__(self, layout: Layout, state: LabState, spawner: Spawner) -> None:
        self._layout = layout
        self._spawner = spawner
        super().__init__({h.name: OpensshHost(layout, state, h) for h in state.hosts})
        layout.authorized_keys.write_text(state.client_key + "\n")

    async def start(self) -> None:
        sshd = find_sshd()
        if sshd is None:
            raise OSError("there is no sshd on this machine")
        if os.geteuid() == 0:
            with contextlib.suppress(OSError):
                _PRIVILEGE_SEPARATION.mkdir(mode=0o755, exist_ok=True)
        log = os.open(self._layout.log, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
        try:
            for host in self._hosts.values():
                host.start(sshd, self._spawner, log)
        finally:
            os.close(log)
        for host in self._hosts.values():
            await host.ready()

    def stop(self) -> None:
        """The keeper kills all that is below it: nothing is left to do here."""
