"""The one datagram socket everybody speaks into: daemons in the words of sd_notify, others hints.

One socket, because the kernel keeps the order in which datagrams were sent to it: a hint sent
before a daemon announced its nap is read before it, so the daemon's last look has seen that work.
"""

from __future__ import annotations

import array
import os
import socket
import struct

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator
    from typing import NamedTuple

    class Datagram(NamedTuple):
        """Who said what, as the kernel vouches for it."""

        pid: int
        uid: int
        message: dict[str, str]
else:
    from collections import namedtuple

    Datagram = namedtuple("Datagram", "pid uid message")

BYTES_MOST = 4096
QUEUE_BYTES = 4 << 20
_SOCKET, _VOUCHED = socket.SOL_SOCKET, socket.SCM_CREDENTIALS
_CREDENTIALS = struct.Struct("3i")
_TRUNCATED = int(socket.MSG_TRUNC)
_BEAT = {"WATCHDOG": "1"}
"""Nearly all that is ever said."""
_ROOM = socket.CMSG_SPACE(_CREDENTIALS.size) + socket.CMSG_SPACE(16)


def bind(path: str, kind: int) -> socket.socket:
    """A socket at a path of ours, readable and writable for the owner alone."""
    if os.path.lexists(path):
        os.unlink(path)  # noqa: PTH108
    sock = socket.socket(socket.AF_UNIX, kind | socket.SOCK_NONBLOCK | socket.SOCK_CLOEXEC)
    before = os.umask(0o177)
    try:
        sock.bind(path)
    finally:
        os.umask(before)
    return sock


def listen(path: str) -> socket.socket:
    """The datagram socket, with credentials on every message and room for a burst."""
    sock = bind(path, socket.SOCK_DGRAM)
    prepare(sock)
    return sock


def prepare(sock: socket.socket) -> None:
    """Ask the kernel to vouch for senders."""
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_PASSCRED, 1)
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, QUEUE_BYTES)


def drain(sock: socket.socket, most: int) -> Iterator[Datagram]:
    """What was said, in the order it was sent; stops when nothing is left, or after `most`."""
    for _ in range(most):
        try:
            data, controls, flags, _ = sock.recvmsg(BYTES_MOST, _ROOM)
        except (BlockingIOError, InterruptedError):
            return
        pid, uid = _sender(controls)
        if pid and not flags & _TRUNCATED:
            yield Datagram(pid, uid, _BEAT if data == b"WATCHDOG=1" else parse(data))


def _sender(controls: list[tuple[int, int, bytes]]) -> tuple[int, int]:
    """Process and user of the sender; descriptors that came along are closed (BARRIER=1)."""
    pid, uid = 0, -1
    for level, kind, data in controls:
        if level != _SOCKET:
            continue
        if kind == _VOUCHED:
            pid, uid, _ = _CREDENTIALS.unpack_from(data)
        elif kind == socket.SCM_RIGHTS:
            descriptors = array.array("i")
            descriptors.frombytes(data[: len(data) - len(data) % descriptors.itemsize])
            for descriptor in descriptors:
                os.close(descriptor)
    return pid, uid


def parse(data: bytes) -> dict[str, str]:
    """The assignments of a message, one a line; what is none is left out."""
    message = {}
    for line in data.decode("utf-8", "replace").split("\n"):
        key, equals, value = line.partition("=")
        if equals:
            message[key] = value
    return message
