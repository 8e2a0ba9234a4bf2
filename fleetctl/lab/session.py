"""One session channel of the embedded server: a process, its streams, and how it ended."""

from __future__ import annotations

import contextlib
import fcntl
import os
import pty
import signal
import struct
import termios
from collections.abc import Callable, Mapping

import asyncssh
import msgspec
from asyncssh.constants import MSG_CHANNEL_REQUEST
from asyncssh.packet import Boolean, String, UInt32

from fleetctl.lab.spawn import Command, Spawner
from fleetctl.lab.streams import Inflow, Outflow

_SIGNALS = ("ABRT", "ALRM", "FPE", "HUP", "INT", "KILL", "PIPE", "QUIT", "SEGV", "TERM", "USR1",
            "USR2")  # fmt: skip
_SAFE_VARIABLES = ("LANG", "LC_")
"""What a client may set, as in the usual `AcceptEnv LANG LC_*`."""


class Login(msgspec.Struct, frozen=True):
    """What sessions of a host share."""

    spawner: Spawner
    home: str
    environment: Mapping[str, str]
    argv_of: Callable[[str], tuple[str, ...]]
    """How a command is run just now (faults may stand before it)."""
    file_size_max: Callable[[], int | None]


class Session(asyncssh.SSHServerSession[bytes]):
    """Behaves as sshd does without a terminal: a lost connection ends no process.

    The exit status is told at once; the channel closes when also both streams have ended, so a
    background child that keeps them open keeps the channel.
    """

    def __init__(self, login: Login) -> None:
        self._login = login
        self._channel: asyncssh.SSHServerChannel[bytes] | None = None
        self._command: str | None = None
        self._terminal: tuple[str, tuple[int, int, int, int]] | None = None
        self._master = -1
        self._pid = 0
        self._ended = False
        self._stdin: Inflow | None = None
        self._outflows: list[Outflow] = []

    def connection_made(self, chan: asyncssh.SSHServerChannel[bytes]) -> None:
        self._channel = chan

    def pty_requested(
        self, term_type: str, term_size: tuple[int, int, int, int], term_modes: Mapping[int, int]
    ) -> bool:
        self._terminal = (term_type, term_size)
        return True

    def shell_requested(self) -> bool:
        return True

    def exec_requested(self, command: str) -> bool:
        self._command = command
        return True

    def session_started(self) -> None:
        try:
            if self._terminal is None:
                self._start_on_pipes()
            else:
                self._start_on_terminal()
        except OSError as error:
            self._refuse(str(error))

    def _refuse(self, why: str) -> None:
        if self._channel is not None:
            self._channel.write_stderr(f"lab: cannot start a process: {why}\n".encode())
            self._channel.exit(255)

    def _start_on_pipes(self) -> None:
        theirs_in, ours_in = os.pipe()
        ours_out, theirs_out = os.pipe()
        ours_err, theirs_err = os.pipe()
        try:
            self._spawn((theirs_in, theirs_out, theirs_err))
        finally:
            for fd in (theirs_in, theirs_out, theirs_err):
                os.close(fd)
            self._join(ours_in, ours_out, ours_err)

    def _start_on_terminal(self) -> None:
        assert self._terminal is not None
        self._master, slave = pty.openpty()
        self._resize(*self._terminal[1])
        try:
            self._spawn((-1, -1, -1), os.ttyname(slave))
        finally:
            os.close(slave)
            self._join(os.dup(self._master), self._master, -1)

    def _spawn(self, streams: tuple[int, int, int], terminal: str = "") -> None:
        argv = ("-sh",) if self._command is None else self._login.argv_of(self._command)
        command = Command(
            argv=argv,
            environment=self._environment(),
            folder=self._login.home,
            streams=streams,
            terminal=terminal,
            file_size_max=self._login.file_size_max(),
        )
        self._pid = self._login.spawner.start(command, self._exited)

    def _environment(self) -> dict[str, str]:
        assert self._channel is not None
        asked = self._channel.get_environment()
        safe = {name: value for name, value in asked.items() if name.startswith(_SAFE_VARIABLES)}
        term = {"TERM": self._terminal[0]} if self._terminal is not None else {}
        peer, own = (self._channel.get_extra_info(end)[:2] for end in ("peername", "sockname"))
        client = {"SSH_CONNECTION": f"{peer[0]} {peer[1]} {own[0]} {own[1]}"}
        return {**safe, **term, **client, **self._login.environment}

    def _join(self, fd_in: int, fd_out: int, fd_err: int) -> None:
        channel = self._channel
        assert channel is not None
        self._stdin = Inflow(fd_in, channel.pause_reading, channel.resume_reading)
        self._outflows = [Outflow(fd_out, channel.write, self._settle)]
        if fd_err >= 0:
            self._outflows.append(Outflow(fd_err, channel.write_stderr, self._settle))
        self.resume_writing()

    # What the channel brings.

    def data_received(self, data: bytes, datatype: asyncssh.DataType) -> None:
        if self._stdin is not None:
            self._stdin.put(data)

    def eof_received(self) -> bool:
        if self._stdin is not None and self._terminal is None:
            self._stdin.end()
        return True

    def signal_received(self, signal: str) -> None:
        if signal in _SIGNALS:
            self._signal(signal)

    def terminal_size_changed(self, width: int, height: int, pixwidth: int, pixheight: int) -> None:
        self._resize(width, height, pixwidth, pixheight)

    def _resize(self, width: int, height: int, pixwidth: int, pixheight: int) -> None:
        size = struct.pack("HHHH", height, width, pixwidth, pixheight)
        fcntl.ioctl(self._master, termios.TIOCSWINSZ, size)

    def pause_writing(self) -> None:
        for outflow in self._outflows:
            outflow.pause()

    def resume_writing(self) -> None:
        for outflow in self._outflows:
            outflow.resume()

    def connection_lost(self, exc: Exception | None) -> None:
        """The pipes break; the process is left alone (a terminal hangs up, as terminals do)."""
        self._channel = None
        if self._stdin is not None:
            self._stdin.close()
        for outflow in self._outflows:
            outflow.close()

    # What the process does.

    def _signal(self, name: str) -> None:
        if self._pid and not self._ended:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(self._pid, signal.Signals[f"SIG{name}"])

    def _exited(self, status: int) -> None:
        self._ended = True
        if self._channel is not None and not self._channel.is_closing():
            self._channel.send_packet(MSG_CHANNEL_REQUEST, *_exit_request(status))
        self._settle()

    def _settle(self) -> None:
        """Close the channel when the process and both of its streams have ended."""
        still_open = any(outflow.open for outflow in self._outflows)
        if self._ended and not still_open and self._channel is not None:
            self._channel.close()


def _exit_request(status: int) -> tuple[bytes, ...]:
    """The channel request that tells how a process ended (RFC 4254, 6.10)."""
    if not os.WIFSIGNALED(status):
        code = os.WEXITSTATUS(status)
        return String("exit-status"), Boolean(False), UInt32(code)
    name = signal.Signals(os.WTERMSIG(status)).name.removeprefix("SIG")
    core = Boolean(os.WCOREDUMP(status))
    return String("exit-signal"), Boolean(False), String(name), core, String(""), String("")
