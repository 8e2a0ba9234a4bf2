"""A TCP stream that does not wait for company: neither its data nor its acknowledgements.

sshd leaves Nagle's algorithm on for commands, so its second small packet waits until its first is
acknowledged; and a kernel likes to acknowledge only after 40 ms, or with data of its own. The first
channel of a connection, and each answer made of two packets, waited that out.
"""

from __future__ import annotations

import socket

_QUICKACK: int | None = getattr(socket, "TCP_QUICKACK", None)
"""Linux has it; elsewhere the delay stays. The kernel leaves the mode by itself: see `recv`."""
_READ_BYTES = 64 * 1024


class PromptSocket(socket.socket):
    """A connected TCP socket, read by one thread; made of one with `prompt`."""

    _early = b""
    """Read, and not asked for yet: the library asks for each packet in two pieces."""

    def recv(self, size: int, flags: int = 0) -> bytes:
        """As ever; what comes next is acknowledged when it comes."""
        data = self._early
        if not data:
            data = super().recv(max(size, _READ_BYTES), flags)
            if _QUICKACK is not None and data:
                self.setsockopt(socket.IPPROTO_TCP, _QUICKACK, 1)
        self._early = data[size:]
        return data[:size]


def prompt(sock: socket.socket) -> PromptSocket:
    """The same connection; `sock` is not to be used any more."""
    timeout_s = sock.gettimeout()
    prompted = PromptSocket(sock.family, sock.type, sock.proto, fileno=sock.detach())
    prompted.settimeout(timeout_s)
    prompted.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return prompted
