"""SSH by Fabric and paramiko, known to this file alone; their faults are covered here.

Fabric accepts any host key (we reject), knows no deadline for a frozen peer (the watchdog closes
the connection under it), keeps no connection alive (we do), parses keys and known_hosts once a
connection (we parse once), and its Config is not safe to share between threads (one lock).
"""

from __future__ import annotations

import contextlib
import functools
import getpass
import logging
import select
import socket
import threading
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import fabric
import paramiko
from paramiko.auth_strategy import AuthFailure, AuthSource, AuthStrategy, InMemoryPrivateKey

from fleetctl.transport.known_hosts import HostKey, name_of
from fleetctl.transport.roads import Dropped
from fleetctl.transport.route import Route
from fleetctl.transport.tunnel import Tunnel
from fleetctl.transport.watchdog import Watchdog
from fleetctl.transport.wire import STDERR, STDOUT, Broken, Silent

_GONE = (OSError, EOFError, paramiko.SSHException)
logging.getLogger("paramiko").addHandler(logging.NullHandler())

_KEEPALIVE_S = 15
_READ_BYTES = 64 * 1024
_WRITE_BYTES = 32 * 1024
_LOGIN_FACTOR = 3.0
"""Greeting and login together may take this many times the time for connecting."""
_KEX_FIRST = ("curve25519-sha256@libssh.org", "mlkem768x25519-sha256")
_CIPHERS_FIRST = ("aes128-gcm@openssh.com", "aes256-gcm@openssh.com", "aes128-ctr")


class SshChannel:
    """One command on a host."""

    def __init__(self, channel: paramiko.Channel, *, merged: bool, wire: SshWire) -> None:
        self._channel = channel
        self._merged = merged
        self._wire = wire

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
        ready = select.poll()
        ready.register(self._channel.fileno(), select.POLLIN)
        if not ready.poll(timeout_s * 1000):
            raise Silent
        if self._channel.recv_stderr_ready():
            return STDERR, self._channel.recv_stderr(_READ_BYTES)
        if self._channel.recv_ready():
            return STDOUT, self._channel.recv(_READ_BYTES)
        self._check_end()
        return None

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
        self, connection: fabric.Connection, sock: Any, watchdog: Watchdog, via: SshWire | None
    ) -> None:
        self._connection = connection
        self._transport: paramiko.Transport = connection.transport
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
        return Broken("closed", f"the connection was closed ({_words(error)})")

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
        _shut(self._sock)
        with contextlib.suppress(*_GONE):
            self._transport.close()


@functools.cache
def _load_key(path: str) -> paramiko.PKey | str:
    """A private key with its certificate, if it has one; why not, when it cannot be had."""
    if not Path(path).expanduser().exists():
        return f"identity {path} does not exist"
    try:
        return paramiko.PKey.from_path(path)
    except paramiko.PasswordRequiredException:
        return f"identity {path} is encrypted; load it into ssh-agent: ssh-add {path}"
    except (OSError, ValueError, TypeError, paramiko.SSHException) as error:
        if "password" in str(error).lower():
            return f"identity {path} is encrypted; load it into ssh-agent: ssh-add {path}"
        return f"identity {path} cannot be read: {error}"


class _Login(AuthStrategy):
    """The named identities, then ssh-agent's keys, then the usual files when none was named."""

    def __init__(self, route: Route) -> None:
        super().__init__(ssh_config=paramiko.SSHConfig())
        self._route = route
        self.troubles: list[str] = []

    def get_sources(self) -> Iterator[AuthSource]:
        user = self._route.user or getpass.getuser()
        for path in self._route.identities:
            if (key := self._usable(path)) is not None:
                yield InMemoryPrivateKey(user, key)
        if not self._route.identities_only:
            with contextlib.closing(paramiko.Agent()) as lent:
                for lent_key in lent.get_keys():
                    yield InMemoryPrivateKey(user, lent_key)
        if not self._route.identities:
            for name in ("id_ed25519", "id_ecdsa", "id_rsa"):
                path = str(Path.home() / ".ssh" / name)
                if Path(path).exists() and (key := self._usable(path)) is not None:
                    yield InMemoryPrivateKey(user, key)

    def _usable(self, path: str) -> paramiko.PKey | None:
        key = _load_key(path)
        if isinstance(key, str):
            self.troubles.append(key)
            return None
        return key


_build = threading.Lock()


def log_in(
    route: Route, host_keys: Sequence[HostKey], watchdog: Watchdog, via: SshWire | None
) -> SshWire:
    """Connect, verify the host key, authenticate; raises Broken, Dropped when turned away early."""
    sock = _reach(route, via)
    strategy = _Login(route)
    connection = _connection(route, sock, host_keys, strategy)
    limit_s = route.connect_timeout_s * _LOGIN_FACTOR
    try:
        with watchdog.limit(limit_s, lambda: _shut(sock)):
            connection.open()
    except Exception as error:
        _shut(sock)
        with contextlib.suppress(Exception):
            connection.client.close()
        sock.close()
        raise _explain(error, route, strategy.troubles, via) from error
    transport: paramiko.Transport = connection.transport
    transport.set_keepalive(_KEEPALIVE_S)
    return SshWire(connection, sock, watchdog, via)


def _shut(sock: Any) -> None:
    """Wake whoever reads from `sock` at once; the library would look up only every 100 ms."""
    with contextlib.suppress(OSError, EOFError):
        sock.shutdown(socket.SHUT_RDWR)


def _reach(route: Route, via: SshWire | None) -> Any:
    """A byte stream to the host's sshd."""
    if via is not None:
        return via.tunnel(route.address, route.port, route.connect_timeout_s)
    try:
        sock = socket.create_connection((route.address, route.port), route.connect_timeout_s)
    except OSError as error:
        where = f"{route.address}:{route.port}"
        raise Broken("connect", f"cannot connect to {where}: {_words(error)}") from error
    # The library never sets it: without, each handshake waits out two delayed acknowledgements.
    sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return sock


def shown_key(route: Route, watchdog: Watchdog, via: SshWire | None) -> HostKey:
    """The key the host shows, without logging in; raises Broken."""
    sock = _reach(route, via)
    try:
        with watchdog.limit(route.connect_timeout_s * _LOGIN_FACTOR, lambda: _shut(sock)):
            transport = _transport(sock)
            try:
                transport.start_client(timeout=route.connect_timeout_s * _LOGIN_FACTOR)
                key = transport.get_remote_server_key()
            finally:
                _shut(sock)
                transport.close()
    except Exception as error:
        raise _explain(error, route, [], via) from error
    return HostKey(key.get_name(), key.get_base64())


def _connection(
    route: Route, sock: Any, host_keys: Sequence[HostKey], strategy: AuthStrategy
) -> fabric.Connection:
    settings: dict[str, Any] = {
        "sock": sock,
        "auth_strategy": strategy,
        "banner_timeout": route.connect_timeout_s * 2,
        "auth_timeout": route.connect_timeout_s * 2,
        "transport_factory": _transport,
    }
    with _build:
        config = fabric.Config(lazy=True, ssh_config=paramiko.SSHConfig())
        connection = fabric.Connection(
            route.address,
            user=route.user or getpass.getuser(),
            port=route.port,
            config=config,
            connect_timeout=max(1, round(route.connect_timeout_s)),
            connect_kwargs=settings,
        )
    connection.client.set_missing_host_key_policy(paramiko.RejectPolicy())
    known = connection.client.get_host_keys()
    name = name_of(route.address, route.port)
    for key in host_keys:
        with contextlib.suppress(paramiko.SSHException, ValueError, paramiko.pkey.UnknownKeyType):
            blob = paramiko.hostkeys.HostKeyEntry.from_line(f"{name} {key.kind} {key.blob}")
            if blob is not None and blob.key is not None:
                known.add(name, key.kind, blob.key)
    return connection


def _transport(sock: Any, **settings: Any) -> paramiko.Transport:
    transport = paramiko.Transport(sock, **settings)
    options = transport.get_security_options()
    options.kex = _first(_KEX_FIRST, options.kex)
    options.ciphers = _first(_CIPHERS_FIRST, options.ciphers)
    return transport


def _first(wanted: tuple[str, ...], offered: Any) -> tuple[str, ...]:
    names = tuple(offered)
    return tuple(n for n in wanted if n in names) + tuple(n for n in names if n not in wanted)


def _words(error: BaseException) -> str:
    return str(error).strip().replace("\n", " ") or type(error).__name__


def _explain(error: Exception, route: Route, troubles: list[str], via: SshWire | None) -> Broken:
    """The Broken an error of connecting stands for."""
    if via is not None and not via.usable():
        return Broken("bastion", "the connection to the bastion was lost")
    if isinstance(error, paramiko.BadHostKeyException):
        shown = error.key.get_name()
        detail = f"{route.host_key_name} shows another {shown} key than the known one"
        return Broken("host key", detail, retryable=False)
    if "not found in known_hosts" in str(error):
        detail = f"{route.host_key_name} is not in known_hosts; see `fleetctl hosts trust`"
        return Broken("host key", detail, retryable=False)
    if isinstance(error, AuthFailure):
        return _explain_login(error, route, troubles)
    if isinstance(error, (EOFError, ConnectionError)) or "banner" in str(error):
        return Dropped(f"{route.address}:{route.port} closed before the login ({_words(error)})")
    return Broken("connect", f"{route.address}:{route.port}: {_words(error)}")


def _explain_login(error: AuthFailure, route: Route, troubles: list[str]) -> Broken:
    results = [result.result for result in error.result]
    refused = [r for r in results if isinstance(r, paramiko.AuthenticationException)]
    if results and not refused:
        return Dropped(f"{route.address}:{route.port} closed during the login")
    user = route.user or getpass.getuser()
    why = "; ".join(troubles) or ("no key was accepted" if results else "no key to log in with")
    return Broken("auth", f"login as {user} was refused: {why}", retryable=False)


def read_ssh_config(path: Path | None = None) -> paramiko.SSHConfig:
    """The user's ssh config, or an empty one."""
    try:
        text = (path or Path.home() / ".ssh" / "config").read_text("utf-8")
    except OSError:
        return paramiko.SSHConfig()
    return paramiko.SSHConfig.from_text(text)
