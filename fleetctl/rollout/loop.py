"""The driver: one thread that turns events into durable records, and records into orders.

A turn takes every event there is, asks the reducer, and makes its records durable in one
transaction before any order goes out. Records that no order follows may stay in memory for a moment
(`FLUSH_S`): they tell what has happened, and what has happened can be asked for again.
"""

from __future__ import annotations

import queue
from collections.abc import Callable, Sequence

from fleetctl.base.clock import Clock
from fleetctl.rollout.controls import Command
from fleetctl.rollout.messages import Continue, Incoming, Outgoing, RunProbe, SetTimer
from fleetctl.rollout.observers import Recorded, Watch
from fleetctl.rollout.probes import Prober
from fleetctl.rollout.records import Record
from fleetctl.rollout.reducer import Reducer
from fleetctl.rollout.runlog import RunLog
from fleetctl.rollout.timers import Timers
from fleetctl.transport.protocol import Event, Release, Said, Transport

FLUSH_S = 0.05
POLL_S = 1.0
"""How often orders from other terminals are looked for, and the longest sleep."""


class Driver:
    """Runs one leg of one run. `post` may be called from any thread, all else from one."""

    def __init__(
        self,
        reducer: Reducer,
        log: RunLog,
        clock: Clock,
        *,
        read_orders: Callable[[], Sequence[Command]] = lambda: (),
        watches: Sequence[Watch] = (),
    ) -> None:
        self._reducer = reducer
        self._log = log
        self._clock = clock
        self._read_orders = read_orders
        self._watches = watches
        self._queue: queue.SimpleQueue[Incoming] = queue.SimpleQueue()
        self._timers = Timers()
        self._unwritten: list[Record] = []
        self._unwritten_since_s = 0.0
        self._next_poll_s = clock.monotonic_s() + POLL_S
        self._transport: Transport | None = None
        self._prober: Prober | None = None

    def post(self, event: Event | Incoming) -> None:
        """Take an event in; lines of output go straight to the observers."""
        if isinstance(event, Said):
            for watch in self._watches:
                watch.show(event)
            return
        self._queue.put(event)

    def begin(self, transport: Transport, prober: Prober) -> None:
        """Start moving; the adapters answer to `post`."""
        self._transport = transport
        self._prober = prober
        self.post(Continue())

    def run(self) -> None:
        """Turn until the run has ended; raises JournalFull, after which nothing more goes out."""
        while self._reducer.state.ended is None:
            self.turn(self.idle_s())

    def idle_s(self) -> float:
        """How long the driver may sleep when no event comes."""
        now_s = self._clock.monotonic_s()
        return max(0.0, min(POLL_S, self.next_s() - now_s))

    def next_s(self) -> float:
        """When the driver has something to do by itself, by the monotonic clock."""
        due_s = [self._next_poll_s]
        timer_s = self._timers.next_s()
        if timer_s is not None:
            due_s.append(timer_s)
        if self._unwritten:
            due_s.append(self._unwritten_since_s + FLUSH_S)
        return min(due_s)

    def turn(self, wait_s: float = 0.0) -> None:
        """One turn; sleeps at most `wait_s` for a first event."""
        events = self._take(wait_s)
        now_s = self._clock.monotonic_s()
        events += self._timers.take_due(now_s)
        if now_s >= self._next_poll_s:
            self._next_poll_s = now_s + POLL_S
            events += self._read_orders()
        if events:
            decision = self._reducer.react(events, now_s)
            self._carry_out(decision.records, decision.orders, now_s)
        elif self._unwritten and now_s >= self._unwritten_since_s + FLUSH_S:
            self._write()

    def _take(self, wait_s: float) -> list[Incoming]:
        """Every event there is; sleeps for the first one only."""
        events: list[Incoming] = []
        try:
            if wait_s > 0:
                events.append(self._queue.get(timeout=wait_s))
            while True:
                events.append(self._queue.get_nowait())
        except queue.Empty:
            return events

    def _carry_out(self, records: list[Record], orders: list[Outgoing], now_s: float) -> None:
        if records and not self._unwritten:
            self._unwritten_since_s = now_s
        self._unwritten += records
        outward = any(not isinstance(order, (SetTimer, Release)) for order in orders)
        late = now_s >= self._unwritten_since_s + FLUSH_S
        if self._unwritten and (outward or late or self._reducer.state.ended is not None):
            self._write()
        for order in orders:
            self._submit(order, now_s)

    def _submit(self, order: Outgoing, now_s: float) -> None:
        assert self._transport is not None
        assert self._prober is not None
        if isinstance(order, SetTimer):
            self._timers.set(order, now_s)
        elif isinstance(order, RunProbe):
            self._prober.submit(order)
        else:
            self._transport.submit(order)

    def _write(self) -> None:
        records, self._unwritten = self._unwritten, []
        written = self._log.append(records, self._clock.wall_s())
        self.show(written)

    def show(self, records: Sequence[Recorded]) -> None:
        """Let the observers see durable records."""
        for watch in self._watches:
            watch.show(records)
