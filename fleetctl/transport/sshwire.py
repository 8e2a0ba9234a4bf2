"""A connection over SSH, logged in, and what is run on it.

With `sshlogin` the only file that knows paramiko and Fabric. Their faults are covered here: no
deadline for a frozen peer (the watchdog closes the connection under it), and the end of a command
told before its output. Fabric is asked for what it does better, a shell for a person; importing it
costs as much as importing paramiko, so nobody else pays for it.
"""

from __future__ import annotations

import contextlib
import socket
import threading
import time
from collections.abc import Iterator
from typing import Any

import paramiko

from fleetctl.transport.tunnel import Tunnel
from fleetctl.transport.watchdog import Watchdog
from fleetctl.transport.wire import STDERR, STDOUT, Broken, Silent

_GONE = (OSError, EOFError, paramiko.SSHException)
_READ_BYTES = 64 * 1024
_WRITE_BYTES = 32 * 1024


class SshChannel:
    """One command on a host."""

    def __init__(self, channel: paramiko.Channel, *, merged: bool, wire: SshWire) -> None:
        self._channel = channel
        self._merged = merged
        self._wire = wire
        self._news = threading.Event()
        """Set by the library's thread for either stream. Its own descriptor to wait for both loses
        what comes on one while the other is being emptied."""
        if not merged:
            channel.in_buffer.set_event(self._news)
            channel.in_stderr_buffer.set_event(self._news)

    def write(self, data: bytes | memoryview, timeout_s: float) -> None:
        """Send all of `data`; raises Broken."""
        view = memoryview(data)
        self._channel.settimeout(timeout_s)
        try:
            with self._wire.limit(timeout_s):
                while view:
                    view = view[self._channel.send(bytes(view[:_WRITE_BYTES])) :]
        except TimeoutError as error:
            raise Broken("silence", f"nothing was taken within {timeout_s:.0f} s") from error
        except _GONE as error:
            raise self._wire.broken(error) from error

    def end_input(self) -> None:
        """The command reads end of file from now on."""
        with contextlib.suppress(*_GONE):
            self._channel.shutdown_write()

    def read(self, timeout_s: float) -> tuple[int, bytes] | None:
        """The next bytes and their stream; None at the end of both; raises Silent or Broken."""
        if not self._merged:
            return self._read_either(timeout_s)
        self._channel.settimeout(timeout_s)
        try:
            data = self._channel.recv(_READ_BYTES)
        except TimeoutError:
            raise Silent from None
        if data:
            return STDOUT, data
        self._check_end()
        return None

    def _read_either(self, timeout_s: float) -> tuple[int, bytes] | None:
        channel, deadline_s = self._channel, time.monotonic() + timeout_s
        while True:
            # Before looking: what comes later is news again, and what ended has nothing more.
            self._news.clear()
            ended = channel.eof_received or channel.closed
            if channel.recv_stderr_ready():
                return STDERR, channel.recv_stderr(_READ_BYTES)
            if channel.recv_ready():
                return STDOUT, channel.recv(_READ_BYTES)
            if ended:
                self._check_end()
                return None
            if not self._news.wait(deadline_s - time.monotonic()):
                raise Silent

    def _check_end(self) -> None:
        if not self._wire.usable():
            raise self._wire.broken(EOFError())

    def exit_status(self, timeout_s: float) -> int | None:
        """How the command ended; None when the host did not say."""
        self._channel.status_event.wait(timeout_s)
        status = self._channel.exit_status
        return status if status >= 0 else None

    def close(self) -> None:
        """Let go of the command."""
        with contextlib.suppress(*_GONE), self._wire.limit(5.0):
            self._channel.close()


class SshWire:
    """A connection, logged in."""

    def __init__(
        self, client: paramiko.SSHClient, sock: Any, watchdog: Watchdog, via: SshWire | None
    ) -> None:
        self._client = client  # its end would close the transport
        self._transport = transport_of(client)
        self._sock = sock
        self._watchdog = watchdog
        self._via = via

    @contextlib.contextmanager
    def limit(self, seconds: float) -> Iterator[None]:
        """Close the connection unless the block ends within `seconds`."""
        with self._watchdog.limit(seconds, self.close):
            yield

    def broken(self, error: Exception) -> Broken:
        """What the end of this connection means."""
        if self._via is not None and not self._via.usable():
            return Broken("bastion", "the connection to the bastion was lost")
        return Broken("closed", f"the connection was closed ({words(error)})")

    def start(self, command: str, *, merged: bool, timeout_s: float) -> SshChannel:
        """Run `command` in the login's shell."""
        try:
            with self.limit(timeout_s + 1.0):
                channel = self._transport.open_session(timeout=timeout_s)
                channel.set_combine_stderr(merged)
                channel.exec_command(command)
        except _GONE as error:
            if "Timeout" in str(error):
                raise Broken("silence", f"no channel within {timeout_s:.0f} s") from error
            raise self.broken(error) from error
        return SshChannel(channel, merged=merged, wire=self)

    def tunnel(self, address: str, port: int, timeout_s: float) -> Tunnel:
        """A channel through this host to another; raises Broken."""
        try:
            with self.limit(timeout_s + 1.0):
                channel = self._transport.open_channel(
                    "direct-tcpip", (address, port), ("127.0.0.1", 0), timeout=timeout_s
                )
        except paramiko.ChannelException as error:
            detail = f"the bastion cannot reach {address}:{port}: {error.text}"
            # 1: administratively prohibited; asking again will not change its mind.
            raise Broken("connect", detail, retryable=error.code != 1) from error
        except _GONE as error:
            if self.usable():
                detail = f"the bastion did not reach {address}:{port} within {timeout_s:.0f} s"
                raise Broken("connect", detail) from error
            raise Broken("bastion", "the connection to the bastion was lost") from error
        return Tunnel(channel)

    def open_shell(self) -> int:
        """A shell for the person at this terminal, until it ends; its exit status."""
        import fabric

        plain = fabric.Config(lazy=True, ssh_config=paramiko.SSHConfig())
        connection = fabric.Connection("host", config=plain)
        connection.client, connection.transport = self._client, self._transport
        return int(connection.run('exec "${SHELL:-/bin/sh}" -l', pty=True, warn=True).exited)

    def usable(self) -> bool:
        """False once the connection is known to be gone."""
        return self._transport.is_active() and (self._via is None or self._via.usable())

    def answers(self, timeout_s: float) -> bool:
        """Whether sshd opens a channel within `timeout_s`."""
        try:
            with self.limit(timeout_s + 1.0):
                self._transport.open_session(timeout=timeout_s).close()
        except paramiko.ChannelException:
            return True
        except _GONE:
            return False
        return True

    def close(self) -> None:
        """Close the connection; idempotent."""
        shut(self._sock)
        with contextlib.suppress(*_GONE):
            self._transport.close()


def transport_of(client: paramiko.SSHClient) -> paramiko.Transport:
    """The protocol under a client that is logged in; raises EOFError when it has just gone."""
    transport = client.get_transport()
    if transport is None:
        raise EOFError("the connection was closed while it was made")
    return transport


def shut(sock: Any) -> None:
    """Wake whoever reads from `sock` at once; the library would look up once a second."""
    with contextlib.suppress(OSError, EOFError):
        sock.shutdown(socket.SHUT_RDWR)


def words(error: BaseException) -> str:
    """An error in one line."""
    return str(error).strip().replace("\n", " ") or type(error).__name__
