"""No way out: while a rehearsal runs, this process connects to the loopback network alone.

An audit hook of the interpreter sees every connect, name lookup and new program, whoever asks for
it: our own transports, an ssh config with a ProxyCommand, a library. So a mistake of ours elsewhere
cannot reach a real host either.
"""

from __future__ import annotations

import ipaddress
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from typing import Any

_LOOPBACK = ipaddress.ip_network("127.0.0.0/8")
_PROGRAMS = frozenset({"subprocess.Popen", "os.system", "os.exec", "os.posix_spawn"})
_closed = False


class NoWayOut(PermissionError):
    """Something tried to leave this machine while a rehearsal ran."""


@contextmanager
def closed() -> Iterator[None]:
    """Refuse every way out of this machine, and every new program, while entered."""
    global _closed  # the hook is the interpreter's, one for all
    _install()
    _closed = True
    try:
        yield
    finally:
        _closed = False


@cache
def _install() -> None:
    """Once a process: an audit hook cannot be taken back."""
    sys.addaudithook(_hook)


def _hook(event: str, args: tuple[Any, ...]) -> None:
    if not _closed:
        return
    if event in ("socket.connect", "socket.sendto"):
        _refuse_outside(event, args[1])
    elif event == "socket.getaddrinfo":
        _refuse_outside(event, args[:1])
    elif event in _PROGRAMS:
        raise NoWayOut(f"a rehearsal starts no program here: {event} {args[0]!r}")


def _refuse_outside(event: str, address: Any) -> None:
    """An address that is no tuple is a path: a socket of this machine."""
    if not isinstance(address, tuple) or address[0] is None:
        return
    host = address[0].decode() if isinstance(address[0], bytes) else str(address[0])
    try:
        inside = ipaddress.ip_address(host) in _LOOPBACK
    except ValueError:
        inside = host == "localhost"
    if not inside:
        raise NoWayOut(f"a rehearsal does not leave this machine: {event} {host}")
