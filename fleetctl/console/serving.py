"""A socket to listen on, and the server on it."""

from __future__ import annotations

import socket
from typing import NamedTuple

import uvicorn
from starlette.types import ASGIApp

from fleetctl.base.errors import UsageError
from fleetctl.console.bell import Bell
from fleetctl.console.punctual import Punctual

READER_S = 30.0
"""The kernel lets go of a connection that takes nothing of what was sent for so long."""
CONNECTIONS_MAX = 400
LEAVE_S = 2.0
"""How long answers under way may take when the console is ended."""


class Address(NamedTuple):
    """Where to listen."""

    host: str
    port: int

    @property
    def url(self) -> str:
        """What is opened in a browser."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"http://{host}:{self.port}/"


def parse_address(text: str) -> Address:
    """`127.0.0.1:8420`, `[::1]:8420`, `desk:8420`; raises UsageError."""
    host, colon, port = text.rpartition(":")
    host = host.removeprefix("[").removesuffix("]") if host.startswith("[") else host
    if not colon or not host or not port.isascii() or not port.isdigit() or int(port) > 65_535:
        raise UsageError(f'"{text}" is no address', where="--listen", hint="write 127.0.0.1:8420")
    return Address(host, int(port))


def listen(address: Address) -> socket.socket:
    """A listening socket; raises UsageError when it cannot be had."""
    try:
        family, _, _, _, place = socket.getaddrinfo(
            address.host, address.port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
        )[0]
        listening = socket.create_server(place[:2], family=family, backlog=128)
    except OSError as error:
        raise UsageError(
            f"cannot listen on {address.host}:{address.port}",
            why=error.strerror or str(error),
            hint="another console may be there; name another port with --listen",
        ) from None
    if hasattr(socket, "TCP_USER_TIMEOUT"):  # accepted connections inherit it
        listening.setsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, int(READER_S * 1000))
    return listening


class Server(uvicorn.Server):
    """Ends open streams first, so that leaving takes no time."""

    def __init__(self, program: ASGIApp, bell: Bell) -> None:
        super().__init__(
            uvicorn.Config(
                program, loop="asyncio", http=Punctual, ws="none", lifespan="off", log_config=None,
                access_log=False, proxy_headers=False, server_header=False,
                limit_concurrency=CONNECTIONS_MAX, timeout_graceful_shutdown=int(LEAVE_S),
            )
        )  # fmt: skip
        self._bell = bell

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """As ever, after the streams."""
        self._bell.close()
        await super().shutdown(sockets)
