"""Between a socket and its SSH connection: where a connection hangs, freezes, slows or is cut."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable
from typing import Any, cast

_HELD_MAX = 256 * 1024
"""Bytes on the way in at which the socket is no longer read."""


class Delay:
    """One direction of a slow connection: pieces come out in order, late, at a bounded rate."""

    def __init__(self, deliver: Callable[[bytes], None]) -> None:
        self.latency_s = 0.0
        self.bytes_per_s = 0.0
        self.held = 0
        self.stopped = False
        self._deliver = deliver
        self._pieces: deque[tuple[float, bytes]] = deque()
        self._free_at = 0.0
        self._timer: asyncio.TimerHandle | None = None

    @property
    def idle(self) -> bool:
        """Nothing is on the way and nothing has to be late."""
        return not (self._pieces or self.stopped or self.latency_s or self.bytes_per_s)

    def put(self, data: bytes) -> None:
        now = asyncio.get_running_loop().time()
        took = len(data) / self.bytes_per_s if self.bytes_per_s else 0.0
        self._free_at = max(now, self._free_at) + took
        self._pieces.append((self._free_at + self.latency_s, data))
        self.held += len(data)
        self.pump()

    def pump(self) -> None:
        """Deliver what is due and set the timer for what is next."""
        loop = asyncio.get_running_loop()
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        while self._pieces and not self.stopped:
            due, data = self._pieces[0]
            if due > loop.time():
                self._timer = loop.call_at(due, self.pump)
                return
            self._pieces.popleft()
            self.held -= len(data)
            self._deliver(data)

    def drop(self) -> None:
        """The connection is gone: so is what was on its way."""
        self.stopped = True
        self._pieces.clear()
        if self._timer is not None:
            self._timer.cancel()


class Wire(asyncio.Protocol, asyncio.Transport):
    """A protocol towards the socket and, for the SSH connection behind it, the transport."""

    def __init__(
        self,
        make_inner: Callable[[], asyncio.Protocol],
        arrived: Callable[[Wire], None],
        ended: Callable[[Wire], None],
    ) -> None:
        asyncio.Transport.__init__(self)
        self._make_inner = make_inner
        self._arrived = arrived
        self._ended = ended
        self._inner: asyncio.Protocol | None = None
        self._socket: asyncio.Transport | None = None
        self._frozen = False
        self._inbound = Delay(self._hand_in)
        self._outbound = Delay(self._send)

    # Towards the socket.

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """`arrived` decides: `begin`, `hold` or `turn_away`."""
        self._socket = cast(asyncio.Transport, transport)
        self._arrived(self)

    def begin(self) -> None:
        """Let the SSH server speak; until now the connection was accepted and silent."""
        if self._inner is None and self._socket is not None:
            self._inner = self._make_inner()
            self._inner.connection_made(self)
            self._socket.resume_reading()

    def hold(self) -> None:
        """Accepted and silent: nothing is read until `begin`."""
        assert self._socket is not None
        self._socket.pause_reading()

    def turn_away(self, words: bytes) -> None:
        """Say this instead of a banner and close."""
        assert self._socket is not None
        self._socket.write(words)
        self._socket.close()

    def data_received(self, data: bytes) -> None:
        if self._inbound.idle:
            self._hand_in(data)
            return
        self._inbound.put(data)
        self._steer()

    def eof_received(self) -> bool | None:
        return self._inner.eof_received() if self._inner is not None else None

    def connection_lost(self, error: Exception | None) -> None:
        self._inbound.drop()
        self._outbound.drop()
        self._socket = None
        inner, self._inner = self._inner, None
        if inner is not None:
            inner.connection_lost(error)
        self._ended(self)

    def _hand_in(self, data: bytes) -> None:
        if self._inner is not None:
            self._inner.data_received(data)
        self._steer()

    def _steer(self) -> None:
        """Read the socket only while there is room and nobody froze us."""
        if self._socket is None or self._socket.is_closing():
            return
        if self._frozen or self._inbound.held > _HELD_MAX:
            self._socket.pause_reading()
        elif self._inner is not None and not self._socket.is_reading():
            self._socket.resume_reading()

    # Towards the SSH connection: its transport.

    def write(self, data: bytes | bytearray | memoryview[Any]) -> None:
        if self._outbound.idle:
            self._send(bytes(data))
        else:
            self._outbound.put(bytes(data))

    def _send(self, data: bytes) -> None:
        if self._socket is not None:
            self._socket.write(data)

    def get_extra_info(self, name: str, default: Any = None) -> Any:
        if name == "wire":
            return self
        return default if self._socket is None else self._socket.get_extra_info(name, default)

    def is_closing(self) -> bool:
        return self._socket is None or self._socket.is_closing()

    def close(self) -> None:
        self.abort()

    def abort(self) -> None:
        """Sends what was written as far as the socket takes it, then ends."""
        if self._socket is not None:
            self._socket.close()

    # Faults.

    def cut(self) -> None:
        """Drop the connection at once, unsent bytes and all."""
        if self._socket is not None:
            self._socket.abort()

    def freeze(self, frozen: bool) -> None:
        """Neither read nor send; what was on its way comes when thawed."""
        self._frozen = frozen
        for direction in (self._inbound, self._outbound):
            direction.stopped = frozen
            if not frozen:
                direction.pump()
        self._steer()

    def slow(self, latency_s: float, bytes_per_s: float) -> None:
        """Half of the latency each way; the rate holds for each direction."""
        for direction in (self._inbound, self._outbound):
            direction.latency_s = latency_s / 2
            direction.bytes_per_s = bytes_per_s
