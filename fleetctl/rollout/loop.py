"""The driver: one thread that turns events into durable records, and records into orders.

A turn takes every event there is, asks the reducer, and makes its records durable in one
transaction before any order goes out. Records that no order follows may stay in memory for a moment
(`FLUSH_S`): they tell what has happened, and what has happened can be asked for again.
"""

from __future__ import annotations

import queue
from collections.abc import Callable, Sequence

from fleetctl.base.clock import Clock
from fleetctl.base.errors import ExitCode
from fleetctl.base.hostrange import fold
from fleetctl.journal.errors import JournalFull, JournalUnusable
from fleetctl.rollout.controls import Command
from fleetctl.rollout.messages import Continue, Incoming, Outgoing, RunProbe, SetTimer
from fleetctl.rollout.observers import Recorded, Watch
from fleetctl.rollout.probes import Prober
from fleetctl.rollout.records import Record, StepSettled
from fleetctl.rollout.reducer import Reducer
from fleetctl.rollout.runlog import RunLog
from fleetctl.rollout.silence import Silence
from fleetctl.rollout.timers import Timers
from fleetctl.transport.protocol import (
    Event,
    Lost,
    Refused,
    Release,
    RunSegment,
    Said,
    SegmentEnded,
    Transport,
)

FLUSH_S = 0.05
_FINAL = (SegmentEnded, Lost, Refused)
"""What ends an order with steps."""
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
        until_s: float = 0.0,
    ) -> None:
        """`until_s`: Unix time of the end of the window, 0: there is none."""
        self._reducer = reducer
        self._log = log
        self._clock = clock
        self._read_orders = read_orders
        self._watches = watches
        self._until_s = until_s
        self._queue: queue.SimpleQueue[Incoming] = queue.SimpleQueue()
        self._timers = Timers()
        self._silence = Silence()
        self._unwritten: list[Record] = []
        self._unwritten_since_s = 0.0
        self._segments: dict[int, str] = {}
        """Tickets of steps that are out -> their host."""
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
        """Turn until the run has ended.

        Raises JournalFull or JournalUnusable when records cannot be kept any more: nothing went out
        after that, and what was out has ended.
        """
        try:
            while self._reducer.state.ended is None:
                self.turn(self.idle_s())
        except (JournalFull, JournalUnusable) as error:
            self._outlast(error)
            raise

    def _outlast(self, error: JournalFull | JournalUnusable) -> None:
        """Let what is out on hosts end, as far as we may; a person's word ends the wait."""
        open_ = dict(self._segments)
        unsure = bool(open_) or any(isinstance(one, StepSettled) for one in self._unwritten)
        error.exit_code = ExitCode.UNKNOWN if unsure else ExitCode.INTERRUPTED
        error.hint = (
            f"make room on its disk, then: fleetctl runs resume {self._log.run}"
            if isinstance(error, JournalFull)
            else f"{error.hint}; then: fleetctl runs resume {self._log.run}"
        )
        for watch in self._watches:
            watch.show(undurable_words(error, sorted(set(open_.values()))))
        while open_:
            event = self._queue.get()
            if isinstance(event, Command):
                return
            if isinstance(event, _FINAL):
                open_.pop(event.ticket, None)

    def idle_s(self) -> float:
        """How long the driver may sleep when no event comes."""
        now_s = self._clock.monotonic_s()
        return max(0.0, min(POLL_S, self.next_s() - now_s))

    def next_s(self) -> float:
        """When the driver has something to do by itself, by the monotonic clock."""
        due_s = [self._next_poll_s]
        if self._until_s:
            left_s = max(0.0, self._until_s - self._clock.wall_s())
            due_s.append(self._clock.monotonic_s() + left_s)
        timer_s = self._timers.next_s()
        if timer_s is not None:
            due_s.append(timer_s)
        if self._unwritten:
            due_s.append(self._unwritten_since_s + FLUSH_S)
        return min(due_s)

    def turn(self, wait_s: float = 0.0) -> None:
        """One turn; sleeps at most `wait_s` for a first event."""
        events = self._window_ends() + self._take(wait_s)
        now_s = self._clock.monotonic_s()
        events += self._timers.take_due(now_s)
        if now_s >= self._next_poll_s:
            self._next_poll_s = now_s + POLL_S
            events += self._read_orders()
            events += [lost for watch in self._watches if (lost := watch.dropped()) is not None]
            self._name_silent(now_s)
        for event in events:
            if isinstance(event, _FINAL):
                self._segments.pop(event.ticket, None)
        if events:
            decision = self._reducer.react(events, now_s)
            self._carry_out(decision.records, decision.orders, now_s)
        elif self._unwritten and now_s >= self._unwritten_since_s + FLUSH_S:
            trouble = self._write()
            if trouble:
                self.post(Command("halt", "", means=trouble))

    def _name_silent(self, now_s: float) -> None:
        """Tell people, not the journal: it changes nothing."""
        if words := self._silence.words(self._reducer.unheard, now_s):
            for watch in self._watches:
                watch.show(words)

    def _window_ends(self) -> list[Incoming]:
        """By the clock on the wall: a machine may have slept, or its clock been set."""
        if not self._until_s or self._clock.wall_s() < self._until_s:
            return []
        self._until_s = 0.0
        return [Command("close", "", means="its window is over")]

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
            trouble = self._write()
            if trouble:
                orders = self._hold_back(orders)
                self.post(Command("halt", "", means=trouble))
        for order in orders:
            if isinstance(order, RunSegment):
                self._segments[order.ticket] = order.host
            self._submit(order, now_s)

    def _hold_back(self, orders: Sequence[Outgoing]) -> list[Outgoing]:
        """The orders without those that would change a host: nothing of them has left us."""
        for order in orders:
            if isinstance(order, RunSegment):
                self.post(Lost(order.ticket, order.host, False, "internal", "the journal is full"))
        return [order for order in orders if not isinstance(order, RunSegment)]

    def _submit(self, order: Outgoing, now_s: float) -> None:
        assert self._transport is not None
        assert self._prober is not None
        if isinstance(order, SetTimer):
            self._timers.set(order, now_s)
        elif isinstance(order, RunProbe):
            self._prober.submit(order)
        else:
            self._transport.submit(order)

    def _write(self) -> str:
        """Why it took the reserve to write, if it did.

        Raises JournalFull when that is not enough, or gone; what was to be written stays.
        """
        trouble = ""
        try:
            written = self._log.append(self._unwritten, self._clock.wall_s())
        except JournalFull as error:
            if not self._log.spend_reserve():
                raise
            written = self._log.append(self._unwritten, self._clock.wall_s())
            trouble = error.why
        self._unwritten = []
        self.show(written)
        return trouble

    def show(self, records: Sequence[Recorded]) -> None:
        """Let the observers see durable records."""
        for watch in self._watches:
            watch.show(records)


def undurable_words(error: JournalFull | JournalUnusable, hosts: Sequence[str]) -> str:
    """What is told when records cannot be kept, and steps may still be out."""
    out = f"; letting {fold(hosts)} end what they are at, Ctrl-C leaves them" if hosts else ""
    return f"{error.what} ({error.why}): nothing new starts{out}"
