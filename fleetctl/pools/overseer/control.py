"""The control socket: one JSON object a line in, answers out, for the owner and root alone."""

from __future__ import annotations

import contextlib
import json
import os
import select
import socket
import struct

from fleetctl.pools.overseer.notify import bind

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

    Answer = Callable[[dict[str, Any]], dict[str, Any]]

REQUEST_MOST = 1 << 16
UNSENT_MOST = 64 << 20
FOLLOWER_MOST = 1 << 20
"""A follower that has not read this much is let go: nobody holds the overseer up."""
CLIENTS_MOST = 64


class Client:
    """Somebody who is connected."""

    __slots__ = ("follows", "heard", "sent", "sock", "unsent")

    def __init__(self, sock: socket.socket) -> None:
        self.sock = sock
        self.heard = b""
        self.unsent = b""
        self.sent = 0
        """How much of `unsent` has been sent."""
        self.follows = False


class Control:
    """All clients, on the loop's epoll."""

    def __init__(
        self, path: str, epoll: select.epoll, answer: Answer, inherited: socket.socket | None = None
    ) -> None:
        self.sock = inherited or bind(path, socket.SOCK_STREAM)
        self.sock.listen(16)
        self._epoll = epoll
        self._answer = answer
        self._clients: dict[int, Client] = {}
        epoll.register(self.sock.fileno(), select.EPOLLIN)

    @property
    def followed(self) -> bool:
        """Somebody wants to hear of every event."""
        return any(client.follows for client in self._clients.values())

    def owns(self, fd: int) -> bool:
        """Whether a descriptor is ours to attend to."""
        return fd == self.sock.fileno() or fd in self._clients

    def attend(self, fd: int) -> None:
        """Something happened on a descriptor of ours."""
        if fd == self.sock.fileno():
            self._accept()
            return
        client = self._clients[fd]
        try:
            self._hear(client)
            self._send(client)
        except (OSError, ValueError):
            self._drop(client)

    def _accept(self) -> None:
        """Let the owner and root in."""
        try:
            sock, _ = self.sock.accept()
        except OSError:
            return
        asked = sock.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, 12)
        _, uid, _ = struct.unpack("3i", asked)
        if uid not in (0, os.geteuid()) or len(self._clients) >= CLIENTS_MOST:
            sock.close()
            return
        sock.setblocking(False)
        self._clients[sock.fileno()] = Client(sock)
        self._epoll.register(sock.fileno(), select.EPOLLIN)

    def _hear(self, client: Client) -> None:
        """Read requests and answer them."""
        try:
            data = client.sock.recv(REQUEST_MOST)
        except BlockingIOError:
            return
        if not data:
            raise ConnectionResetError
        *lines, client.heard = (client.heard + data).split(b"\n")
        if len(client.heard) > REQUEST_MOST:
            raise ValueError("too long")
        for line in lines:
            request = json.loads(line)
            if not isinstance(request, dict):
                raise ValueError("no request")
            client.follows = client.follows or bool(request.get("follow"))
            client.unsent += json.dumps(self._answer(request)).encode() + b"\n"

    def _send(self, client: Client) -> None:
        """Send what the socket takes; the rest when it takes more."""
        if client.unsent:
            with contextlib.suppress(BlockingIOError):
                client.sent += client.sock.send(memoryview(client.unsent)[client.sent :])
            if client.sent == len(client.unsent):
                client.unsent, client.sent = b"", 0
        if len(client.unsent) - client.sent > (FOLLOWER_MOST if client.follows else UNSENT_MOST):
            raise ConnectionResetError
        more = select.EPOLLOUT if client.unsent else 0
        self._epoll.modify(client.sock.fileno(), select.EPOLLIN | more)

    def tell(self, lines: bytes) -> None:
        """Give followers what happened."""
        for client in [client for client in self._clients.values() if client.follows]:
            client.unsent, client.sent = client.unsent[client.sent :] + lines, 0
            try:
                self._send(client)
            except OSError:
                self._drop(client)

    def _drop(self, client: Client) -> None:
        """Somebody has gone, or is let go."""
        fd = client.sock.fileno()
        self._clients.pop(fd, None)
        self._epoll.unregister(fd)
        client.sock.close()
