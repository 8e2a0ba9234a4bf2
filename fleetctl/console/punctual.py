"""Connections whose requests must be whole in time; the library bounds only pauses between them."""

from __future__ import annotations

import asyncio
from typing import Any

import h11
from uvicorn.protocols.http.h11_impl import H11Protocol

REQUEST_S = 10.0
"""A request, its form included, is whole so long after its first byte, or is given up."""
UNFINISHED_MAX = 100
"""Connections without a whole request; of more, the oldest are let go."""
_WHOLE = (h11.DONE, h11.MUST_CLOSE, h11.CLOSED, h11.ERROR)


class Punctual(H11Protocol):
    """Who connects and dawdles keeps nobody else out, with a token or without."""

    ends: asyncio.TimerHandle | None = None
    """When it is given up; None: its request is whole."""

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """The time begins; many who have asked for nothing yet make room for who comes."""
        super().connection_made(transport)
        self._begin()
        unfinished = [one for one in self.connections if isinstance(one, Punctual) and one.ends]
        if len(unfinished) > UNFINISHED_MAX:
            min(unfinished, key=_ends_s).transport.abort()

    def connection_lost(self, exc: Exception | None) -> None:
        """Nothing is left to end."""
        self._finish()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        """The first byte after a pause begins a request."""
        if self.timeout_keep_alive_task is not None:
            self._finish()
        super().data_received(data)

    def handle_events(self) -> None:
        """What is whole is answered however long that takes; what is not has its time."""
        super().handle_events()
        if self.conn.their_state in _WHOLE:
            self._finish()
        elif self.ends is None:
            self._begin()

    def _begin(self) -> None:
        self.ends = self.loop.call_later(REQUEST_S, self._give_up)

    def _finish(self) -> None:
        if self.ends is not None:
            self.ends.cancel()
            self.ends = None

    def _give_up(self) -> None:
        self.ends = None
        self.transport.close()


def _ends_s(one: Any) -> float:
    return float(one.ends.when())
