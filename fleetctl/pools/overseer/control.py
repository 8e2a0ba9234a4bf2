"""The control socket: one JSON object a line in, answers out, for the owner and root alone."""

from __future__ import annotations

import contextlib
import itertools
import json
import os
import select
import socket
import struct

from fleetctl.pools.overseer.notify import bind

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping
    from typing import Any

    Answer = Callable[[dict[str, Any]], dict[str, Any]]

REQUEST_MOST = 1 << 16
UNSENT_MOST = 64 << 20
FOLLOWER_MOST = 1 << 20
"""A follower that has not read this much is let go: nobody holds the overseer up."""
CLIENTS_MOST = 64
ROWS_AT_ONCE = 200
"""So many rows of a long answer are made in one turn of the loop."""


class Client:
    """Somebody who is connected."""

    __slots__ = ("follows", "heard", "pieces", "sent", "sock", "unsent")

    def __init__(self, sock: socket.socket) -> None:
        self.sock = sock
        self.heard = b""
        self.unsent = b""
        self.sent = 0
        """How much of `unsent` has been sent."""
        self.follows = False
        self.pieces: Iterator[bytes] | None = None
        """What is left of an answer that is made bit by bit; other requests come after it."""


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
        """Read requests."""
        try:
            data = client.sock.recv(REQUEST_MOST)
        except BlockingIOError:
            return
        if not data:
            raise ConnectionResetError
        client.heard += data

    def _obey(self, client: Client) -> None:
        """Answer what was heard, one request after the other."""
        while client.pieces is None and b"\n" in client.heard:
            line, _, client.heard = client.heard.partition(b"\n")
            request = json.loads(line)
            if not isinstance(request, dict):
                raise ValueError("no request")
            client.follows = client.follows or bool(request.get("follow"))
            answer = self._answer(request)
            if client.follows or not any(map(_is_made_later, answer.values())):
                client.unsent += b"".join(written(answer))  # events come in between whole lines
            else:
                client.pieces = written(answer)
        if len(client.heard) > REQUEST_MOST:
            raise ValueError("too long")

    def _go_on(self, client: Client) -> None:
        """The next piece of an answer, when the one before it is gone; then other requests."""
        if client.pieces is not None and not client.unsent:
            client.unsent = next(client.pieces, b"")
            if not client.unsent:
                client.pieces = None
        self._obey(client)

    def _send(self, client: Client) -> None:
        """Send what the socket takes; the rest when it takes more."""
        self._go_on(client)
        if client.unsent:
            with contextlib.suppress(BlockingIOError):
                client.sent += client.sock.send(memoryview(client.unsent)[client.sent :])
            if client.sent == len(client.unsent):
                client.unsent, client.sent = b"", 0
        if len(client.unsent) - client.sent > (FOLLOWER_MOST if client.follows else UNSENT_MOST):
            raise ConnectionResetError
        more = select.EPOLLOUT if client.unsent or client.pieces is not None else 0
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


def _is_made_later(value: object) -> bool:
    return hasattr(value, "__next__")


def written(answer: Mapping[str, Any]) -> Iterator[bytes]:
    """An answer as one line of JSON, in pieces: rows that are an iterator are made as they go."""
    rows = {key: value for key, value in answer.items() if _is_made_later(value)}
    head = json.dumps({key: value for key, value in answer.items() if key not in rows})
    if not rows:
        yield head.encode() + b"\n"
        return
    ((key, source),) = rows.items()
    piece = f'{head[:-1]}, "{key}": ['
    while True:
        some = [json.dumps(row) for row in itertools.islice(source, ROWS_AT_ONCE)]
        if not some:
            break
        yield (piece + ", ".join(some)).encode()
        piece = ", "
    yield ("" if piece == ", " else piece).encode() + b"]}\n"
