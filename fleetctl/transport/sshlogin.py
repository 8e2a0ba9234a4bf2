"""Logging in over SSH: the stream to the host, host keys, keys, ssh config, what errors mean.

With `sshwire` the only file that knows paramiko. Its faults are covered here: it parses keys and
known_hosts once a connection (we parse once), keeps no connection alive (we do), and picks slow
key exchanges (we put the quick ones first). An unknown host key is rejected, always.
"""

from __future__ import annotations

import contextlib
import functools
import getpass
import logging
import re
import shlex
import socket
import subprocess
import threading
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import paramiko
from paramiko.auth_strategy import AuthFailure, AuthSource, AuthStrategy, InMemoryPrivateKey
from paramiko.packet import Packetizer

from fleetctl.transport.known_hosts import HostKey, name_of
from fleetctl.transport.promptsocket import prompt
from fleetctl.transport.roads import Dropped
from fleetctl.transport.route import Route
from fleetctl.transport.sshwire import SshWire, shut, transport_of, words
from fleetctl.transport.watchdog import Watchdog
from fleetctl.transport.wire import Broken

logging.getLogger("paramiko").addHandler(logging.NullHandler())

_KEEPALIVE_S = 15
_POLL_S = 1.0
"""Between looks at a silent connection whether it wants a keepalive; the library does it every
100 ms, and nothing else: who closes a connection wakes its reader."""
_LOGIN_FACTOR = 3.0
"""Greeting and login together may take this many times the time for connecting."""
_KEX_FIRST = ("ecdh-sha2-nistp256", "curve25519-sha256@libssh.org", "mlkem768x25519-sha256")
"""By what they cost a host: an sshd of 2023 spends a sixth of a login less on the first, which
OpenSSL does for it, than on the second, which it does itself (24 and 29 ms)."""
_CIPHERS_FIRST = ("aes128-gcm@openssh.com", "aes256-gcm@openssh.com", "aes128-ctr")


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


def log_in(
    route: Route, host_keys: Sequence[HostKey], watchdog: Watchdog, via: SshWire | None
) -> SshWire:
    """Connect, verify the host key, authenticate; raises Broken, Dropped when turned away early."""
    sock = _reach(route, via)
    strategy = _Login(route)
    client = _client(route, host_keys)
    late = _Late(sock)
    try:
        with watchdog.limit(route.connect_timeout_s * _LOGIN_FACTOR, late.end):
            client.connect(
                route.address,
                route.port,
                route.user or getpass.getuser(),
                sock=sock,
                auth_strategy=strategy,
                banner_timeout=route.connect_timeout_s * 2,
                auth_timeout=route.connect_timeout_s * 2,
                transport_factory=_transport,
            )
        transport_of(client).set_keepalive(_KEEPALIVE_S)
    except Exception as error:
        shut(sock)
        with contextlib.suppress(Exception):
            client.close()
            sock.close()
        raise _explain(error, route, strategy.troubles, via, late) from error
    return SshWire(client, sock, watchdog, via)


class _Late:
    """Ends a connection that is not up in time, and knows afterwards that it was us."""

    def __init__(self, sock: Any) -> None:
        self._sock = sock
        self._ended = False

    def end(self) -> None:
        self._ended = True
        shut(self._sock)

    def explains(self, error: Exception) -> bool:
        """Whether `error` comes of the other end's silence: the library tells both alike."""
        return self._ended or isinstance(error.__context__, TimeoutError)


def _reach(route: Route, via: SshWire | None) -> Any:
    """A byte stream to the host's sshd."""
    if via is not None:
        return via.tunnel(route.address, route.port, route.connect_timeout_s)
    if route.proxy_command:
        return _proxied(route)
    try:
        sock = socket.create_connection((route.address, route.port), route.connect_timeout_s)
    except OSError as error:
        where = f"{route.address}:{route.port}"
        raise Broken("connect", f"cannot connect to {where}: {words(error)}") from error
    return prompt(sock)


def shown_key(route: Route, watchdog: Watchdog, via: SshWire | None) -> HostKey:
    """The key the host shows, without logging in; raises Broken."""
    sock = _reach(route, via)
    late = _Late(sock)
    try:
        with watchdog.limit(route.connect_timeout_s * _LOGIN_FACTOR, late.end):
            transport = _transport(sock)
            try:
                transport.start_client(timeout=route.connect_timeout_s * _LOGIN_FACTOR)
                key = transport.get_remote_server_key()
            finally:
                shut(sock)
                transport.close()
    except Exception as error:
        raise _explain(error, route, [], via, late) from error
    return HostKey(key.get_name(), key.get_base64())


def _proxied(route: Route) -> socket.socket:
    """A stream to the program that ssh config says connects to the host.

    The library's own ProxyCommand is never waited for and cannot be woken; a pair of sockets can,
    and the program ends when its side of it does.
    """
    said = {
        "h": route.address,
        "n": route.address,
        "p": str(route.port),
        "r": route.user,
        "\0": "%",
    }
    command = re.sub("\0(.)", lambda token: said.get(token[1], f"%{token[1]}"), route.proxy_command)
    ours, theirs = socket.socketpair()
    with theirs:
        try:
            program = subprocess.Popen(
                shlex.split(command),
                stdin=theirs.fileno(),
                stdout=theirs.fileno(),
                stderr=subprocess.DEVNULL,
            )
        except (OSError, ValueError) as error:
            ours.close()
            raise Broken("connect", f"ProxyCommand {command}: {words(error)}") from error
    threading.Thread(target=program.wait, name="fleetctl-proxy", daemon=True).start()
    return ours


def _client(route: Route, host_keys: Sequence[HostKey]) -> paramiko.SSHClient:
    """A client that takes these keys of the host and no other."""
    client = paramiko.SSHClient()
    client.set_missing_host_key_policy(paramiko.RejectPolicy())
    known = client.get_host_keys()
    name = name_of(route.address, route.port)
    for key in host_keys:
        with contextlib.suppress(paramiko.SSHException, ValueError, paramiko.pkey.UnknownKeyType):
            entry = paramiko.hostkeys.HostKeyEntry.from_line(f"{name} {key.kind} {key.blob}")
            if entry is not None and entry.key is not None:
                known.add(name, key.kind, entry.key)
    return client


class _Packetizer(Packetizer):
    """The library's, without its timer thread a handshake: our watchdog ends what hangs."""

    def start_handshake(self, timeout: float) -> None:
        """Start nothing."""


def _transport(sock: Any, **settings: Any) -> paramiko.Transport:
    transport = paramiko.Transport(sock, packetizer_class=_Packetizer, **settings)
    sock.settimeout(_POLL_S)
    options = transport.get_security_options()
    options.kex = _first(_KEX_FIRST, options.kex)
    options.ciphers = _first(_CIPHERS_FIRST, options.ciphers)
    return transport


def _first(wanted: tuple[str, ...], offered: Any) -> tuple[str, ...]:
    names = tuple(offered)
    return tuple(n for n in wanted if n in names) + tuple(n for n in names if n not in wanted)


def _explain(
    error: Exception, route: Route, troubles: list[str], via: SshWire | None, late: _Late
) -> Broken:
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
    if late.explains(error):  # no crowd at its door: others need not come more slowly for it
        return Broken("connect", f"{route.address}:{route.port} was connected, then said nothing")
    if isinstance(error, (EOFError, ConnectionError)) or "banner" in str(error):
        return Dropped(f"{route.address}:{route.port} closed before the login ({words(error)})")
    return Broken("connect", f"{route.address}:{route.port}: {words(error)}")


def _explain_login(error: AuthFailure, route: Route, troubles: list[str]) -> Broken:
    results = [result.result for result in error.result]
    refused = [r for r in results if isinstance(r, paramiko.AuthenticationException)]
    if results and not refused:
        return Dropped(f"{route.address}:{route.port} closed during the login")
    user = route.user or getpass.getuser()
    why = "; ".join(troubles) or ("no key was accepted" if results else "no key to log in with")
    return Broken("auth", f"login as {user} was refused: {why}", retryable=False)


_PROXY_COMMAND = re.compile(r"^\s*proxycommand[\s=].*$", re.IGNORECASE | re.MULTILINE)

_MATCH_EXEC = re.compile(r"^\s*match\b.*\bexec\b", re.IGNORECASE | re.MULTILINE)


def _give_invoke() -> None:
    """What the library runs the commands of `Match exec` with; see `lean`."""
    import invoke

    vars(paramiko.config)["invoke"] = invoke


def read_ssh_config(path: Path | None = None) -> paramiko.SSHConfig:
    """The user's ssh config, or an empty one.

    The tokens of a ProxyCommand (%h, %p) are kept from the library with NUL for %: it would put in
    what the file says, where the inventory may say otherwise.
    """
    try:
        text = (path or Path.home() / ".ssh" / "config").read_text("utf-8")
    except OSError:
        return paramiko.SSHConfig()
    if _MATCH_EXEC.search(text):
        _give_invoke()
    text = _PROXY_COMMAND.sub(lambda line: line[0].replace("%", "\0"), text)
    return paramiko.SSHConfig.from_text(text)
