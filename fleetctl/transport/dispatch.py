"""Orders of all hosts shared out over worker threads; connections kept, counted and given up.

The same for every kind of connection: `dial` makes them. A host's segments and asks are done one
after the other on its session; looks go beside them on channels of their own; kills have threads
of their own, so that they get through when every other thread is busy. A look at a host that is
being connected to keeps no thread meanwhile: who asks a host that hangs again and again must not
take the threads of all others.
"""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Callable

import msgspec

from fleetctl.transport import aside
from fleetctl.transport.lanes import Lanes
from fleetctl.transport.protocol import (
    Ask,
    Kill,
    Look,
    Lost,
    Order,
    Release,
    RunSegment,
    Sink,
)
from fleetctl.transport.session import HostSession, Patience
from fleetctl.transport.watcher import Watcher
from fleetctl.transport.wire import Broken, Wire

Dial = Callable[[str], Wire]
"""Connects to the host of that name; blocks for a finite time; raises Broken."""
_KILL_THREADS = 16
_LIVE_THREADS = 64
_CLOSE_JOIN_S = 2.0


class _Door(msgspec.Struct):
    """What is kept for one host."""

    host: str
    orders: deque[RunSegment | Ask | Release] = msgspec.field(default_factory=deque)
    served: bool = False
    """A worker is at `orders`."""
    dialling: bool = False
    """Somebody connects to it now; a look is parked until that has ended, and shares its end."""
    parked: list[tuple[Look, float]] = msgspec.field(default_factory=list)
    """With the moment after which nobody wants its answer any more."""
    failure: Broken | None = None
    """Of the last try."""
    wire: Wire | None = None
    session: HostSession | None = None
    users: int = 0
    """Orders that use the connection now; it is not given up meanwhile."""
    idle_since_s: float = 0.0


class Dispatcher:
    """A `Transport` over connections made by `dial`."""

    def __init__(
        self,
        dial: Dial,
        sink: Sink,
        *,
        fanout: int = 50,
        patience: Patience | None = None,
        live: bool = False,
    ) -> None:
        self._dial = dial
        self._sink = sink
        self._patience = patience or Patience()
        self._lock = threading.Lock()
        self._doors: dict[str, _Door] = {}
        self._lanes = Lanes("fleetctl-host", fanout)
        self._kills = Lanes("fleetctl-kill", _KILL_THREADS)
        self._live = Lanes("fleetctl-live", _LIVE_THREADS) if live else None
        self._places = threading.Condition(self._lock)
        self._places_left = fanout
        self._closed = False

    # --- orders in

    def submit(self, order: Order) -> None:
        """Take an order; answers come to the sink. Never blocks."""
        with self._lock:
            door = self._doors.setdefault(order.host, _Door(order.host))
            if isinstance(order, (Look, Kill)) or self._closed:
                start = None
            else:
                door.orders.append(order)
                start = not door.served
                door.served = True
        if start:
            self._lanes.put(lambda: self._serve(door))
        elif start is None:
            self._put_aside(order, door)

    def _put_aside(self, order: Order, door: _Door) -> None:
        if isinstance(order, Release):
            return
        if self._closed:
            self._lose(order, Broken("closed", "fleetctl is closing its connections"), sent=False)
        elif isinstance(order, Kill):
            self._kills.put(lambda: self._do_aside(order, door))
        elif isinstance(order, Look):
            self._lanes.put(lambda: self._do_aside(order, door))

    def close(self) -> None:
        """Close every connection; finite. Orders under way are told lost. Idempotent."""
        with self._lock:
            self._closed = True
            wires = [door.wire for door in self._doors.values() if door.wire is not None]
            self._places.notify_all()
        for wire in wires:
            wire.close()
        for lanes in (self._lanes, self._kills, self._live):
            if lanes is not None:
                lanes.end()
        self._lanes.join(_CLOSE_JOIN_S)

    # --- orders done, in worker threads

    def _serve(self, door: _Door) -> None:
        while True:
            with self._lock:
                if not door.orders:
                    door.served = False
                    return
                order = door.orders.popleft()
            if isinstance(order, Release):
                self._hang_up(door)
            else:
                self._do_in_session(order, door)

    def _do_in_session(self, order: RunSegment | Ask, door: _Door) -> None:
        session: HostSession | None = None
        try:
            wire = self._enter(door)
            assert wire is not None
            try:
                if door.session is None:
                    door.session = self._session(door.host, wire)
                session = door.session
                session.do(order)
            except Broken:
                self._drop(door, wire)
                raise
            finally:
                self._leave(door)
        except Broken as broken:
            self._lose(order, broken, sent=session is not None and session.sent)
        except Exception as error:  # noqa: BLE001  a final event must come, whatever broke
            self._drop(door, door.wire)
            self._lose(order, _bug(error), sent=session is not None and session.sent)

    def _session(self, host: str, wire: Wire) -> HostSession:
        watcher = None
        if self._live is not None:
            watcher = Watcher(host, wire, self._sink, self._live, self._patience.open_s)
        return HostSession(host, wire, self._sink, self._patience, watcher)

    def _do_aside(self, order: Look | Kill, door: _Door) -> None:
        wire: Wire | None = None
        try:
            look = order if isinstance(order, Look) else None
            wire = self._enter(door, extra=look is None, look=look)
            if wire is None:
                return
            try:
                if isinstance(order, Look):
                    self._sink(aside.look(wire, order, self._patience.open_s))
                else:
                    self._sink(aside.kill(wire, order, self._patience.open_s))
            finally:
                self._leave(door)
        except Broken as broken:
            self._lose(order, broken, sent=wire is not None)
        except Exception as error:  # noqa: BLE001  a final event must come, whatever broke
            self._lose(order, _bug(error), sent=wire is not None)

    def _lose(self, order: RunSegment | Ask | Look | Kill, broken: Broken, *, sent: bool) -> None:
        self._sink(
            Lost(order.ticket, order.host, sent, broken.cause, broken.detail, broken.retryable)
        )

    # --- connections

    def _enter(self, door: _Door, *, extra: bool = False, look: Look | None = None) -> Wire | None:
        """The host's connection, made when there is none; `_leave` when done with it.

        `extra`: do not ask for a place among the `fanout` connections. None: somebody else is
        connecting, and `look` is parked until then. Who waited for somebody else's try shares its
        failure, but for a kill.
        """
        with self._lock:
            while door.dialling:
                if look is not None:
                    door.parked.append((look, time.monotonic() + look.timeout_s))
                    return None
                self._places.wait()
                if door.failure is not None and not extra:
                    raise door.failure
            if door.wire is not None and door.wire.usable() and not self._closed:
                door.users += 1
                return door.wire
            door.dialling, door.failure = True, None
        try:
            self._drop(door, door.wire)
            wire = self._connect(door, extra=extra)
        except BaseException as error:
            self._end_dialling(door, error if isinstance(error, Broken) else _bug(error))
            raise
        self._end_dialling(door, None)
        return wire

    def _connect(self, door: _Door, *, extra: bool) -> Wire:
        self._take_place(extra=extra)
        try:
            wire = self._dial(door.host)
        except BaseException:
            self._give_place()
            raise
        with self._lock:
            if not self._closed:
                door.wire, door.session = wire, None
                door.users += 1
                return wire
        wire.close()
        raise Broken("closed", "fleetctl is closing its connections")

    def _end_dialling(self, door: _Door, broken: Broken | None) -> None:
        """Looks that came meanwhile are done, or lost as whoever connected is."""
        now_s = time.monotonic()
        with self._lock:
            door.dialling, door.failure = False, broken
            parked, door.parked = door.parked, []
            self._places.notify_all()
        for look, until_s in parked:
            if broken is not None:
                self._lose(look, broken, sent=False)
            elif until_s < now_s:
                late = Broken("connect", f"{look.timeout_s:g} s had passed before it was connected")
                self._lose(look, late, sent=False)
            else:
                self._put_aside(look, door)

    def _leave(self, door: _Door) -> None:
        with self._lock:
            door.users -= 1
            door.idle_since_s = time.monotonic()
            self._places.notify_all()

    def _take_place(self, *, extra: bool) -> None:
        """Count one more connection; an idle one gives up its place when there is none left."""
        while True:
            with self._lock:
                if self._closed:
                    raise Broken("closed", "fleetctl is closing its connections")
                idle = [d for d in self._doors.values() if d.wire is not None and d.users == 0]
                if self._places_left > 0 or extra:
                    self._places_left -= 1
                    return
                if not idle:
                    self._places.wait()
                    continue
                oldest = min(idle, key=lambda door: door.idle_since_s)
                wire, oldest.wire, oldest.session = oldest.wire, None, None
                self._places_left += 1
            if wire is not None:
                wire.close()

    def _give_place(self) -> None:
        with self._lock:
            self._places_left += 1
            self._places.notify_all()

    def _drop(self, door: _Door, wire: Wire | None) -> None:
        """Forget a connection that is no good any more."""
        if wire is None:
            return
        wire.close()
        with self._lock:
            if door.wire is wire:
                door.wire, door.session = None, None
                self._places_left += 1
                self._places.notify_all()

    def _hang_up(self, door: _Door) -> None:
        with self._lock:
            wire = door.wire
        self._drop(door, wire)


def _bug(error: BaseException) -> Broken:
    return Broken("internal", f"{type(error).__name__}: {error}")
