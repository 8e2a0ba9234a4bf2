"""One controller: the real driver, reducer and journal, moved on turn by turn until it dies."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from fleetctl.base.clock import Clock
from fleetctl.journal.errors import JournalFull
from fleetctl.plan.model import Plan
from fleetctl.rollout.controls import Command
from fleetctl.rollout.driver import Opening, next_fence, open_run, reopen_run, replay
from fleetctl.rollout.loop import Driver
from fleetctl.rollout.messages import Incoming, ProbeAnswered, RunProbe
from fleetctl.rollout.observers import Recorded
from fleetctl.rollout.records import Record, RunResumed
from fleetctl.rollout.reducer import Reducer
from fleetctl.rollout.runlog import RunLog, read_records
from fleetctl.rollout.state import RunState, rebuild
from fleetctl.transport.protocol import Ask, Event, Order, RunSegment, Sink
from fleetctl.transport.simulated import SimTransport, World
from tests.sim.books import demand
from tests.sim.door import Crash, FaultyJournal
from tests.sim.fingerprint import fingerprint
from tests.sim.ledger import Ledger
from tests.sim.referee import Referee


class WatchedLog(RunLog):
    """Tells the referee what has become durable."""

    referee: Referee

    def append(self, records: Sequence[Record], wall_s: float) -> list[Recorded]:
        recorded = super().append(records, wall_s)
        for record in records:
            self.referee.take(record)
        return recorded


class WatchedTransport(SimTransport):
    """Shows the ledger what leaves a controller."""

    def __init__(self, world: World, sink: Sink, ledger: Ledger) -> None:
        super().__init__(world, sink)
        self._ledger = ledger
        self.leg = 0

    def submit(self, order: Order) -> None:
        if isinstance(order, (RunSegment, Ask)):
            self._ledger.submitted(order, self.leg)
        super().submit(order)


class SimProber:
    """Probes from the controller's machine, answered by the world after a moment."""

    def __init__(
        self, world: World, sink: Callable[[ProbeAnswered], None], holds: Callable[[], bool]
    ) -> None:
        self._world = world
        self._sink = sink
        self._holds = holds

    def submit(self, probe: RunProbe) -> None:
        answer = ProbeAnswered(probe.ticket, probe.host, self._holds(), "probed")
        self._world.at(0.05, lambda: self._sink(answer))

    def close(self) -> None: ...


class SkewedClock:
    """The world's clock, its wall time off by so much."""

    def __init__(self, clock: Clock, skew_s: float) -> None:
        self._clock = clock
        self._skew_s = skew_s

    def monotonic_s(self) -> float:
        return self._clock.monotonic_s()

    def wall_s(self) -> float:
        return self._clock.wall_s() + self._skew_s


class Controller:
    """Opens or resumes a run, and turns. `live` until its run ends or it dies."""

    def __init__(
        self, world: World, journal: FaultyJournal, referee: Referee, note: Callable[[object], None]
    ) -> None:
        self.journal = journal
        self.referee = referee
        self.live = True
        self.crashed = False
        self.died_of = ""
        self.holds: Callable[[], bool] = lambda: True
        self.wall_skew_s = 0.0
        self.until_s = 0.0
        self.events = 0
        self.pending = True
        """Events have come since its last turn."""
        self.state = RunState(referee.plan)
        self._world = world
        self._note = note
        self._driver: Driver | None = None
        self._transport: WatchedTransport | None = None
        self._stop_due = False

    # ---- life

    def push(self, plan: Plan, seed: int) -> None:
        """Open the run and begin."""
        self._live_through(lambda: self._push(plan, seed))

    def resume(self, *, only_failed: bool = False) -> None:
        """Take the run up from its journal and begin."""
        self._live_through(lambda: self._resume(only_failed))

    def turn(self) -> None:
        """One turn of the driver."""
        assert self._driver is not None
        stop_due, self._stop_due = self._stop_due, False
        self.pending = False
        self.referee.turned_s = self._world.clock.monotonic_s()
        self.referee.turned_wall_s = self._world.clock.wall_s()
        self._live_through(self._driver.turn)
        if stop_due and self.live:
            stopped = self.state.stop is not None or self.state.ended is not None
            demand(stopped, "1: told to stop, and does not")
        if self.live and self.state.ended is not None:
            self._check_replay()
            self._end()

    def next_s(self) -> float:
        """When it has something to do by itself; at once after an event."""
        assert self._driver is not None
        return 0.0 if self.pending else self._driver.next_s()

    def say(self, command: Command) -> None:
        """A person says something to it."""
        if self.live and self._driver is not None and self.state.ended is None:
            self._stop_due = self._stop_due or command.word in ("drain", "kill", "abort")
            self._post(command)

    def _check_replay(self) -> None:
        """The records alone give the very state the live run had."""
        found = read_records(self.journal, self.referee.run)
        again = rebuild(self.state.plan, (recorded.record for recorded in found))
        demand(fingerprint(again) == fingerprint(self.state), "3: a replay tells otherwise")

    def _live_through(self, act: Callable[[], None]) -> None:
        try:
            act()
        except Crash:
            self.crashed = True
            self._die("killed")
        except JournalFull as error:
            self._die(error.why)

    def _die(self, why: str) -> None:
        self.died_of = why
        self._note(("died", why))
        self._end()

    def _end(self) -> None:
        self.live = False
        if self._transport is not None:
            self._transport.close()

    # ---- beginnings

    def _push(self, plan: Plan, seed: int) -> None:
        run, clock = self.referee.run, self._world.clock
        self.state, log = RunState(plan), WatchedLog(self.journal, run, plan)
        log.referee = self.referee
        opening = Opening("tester", ("push",), run, seed)
        fence = self.journal.take_fence(clock.wall_s() + self.wall_skew_s)
        first = open_run(self.state, log, plan, opening, fence, clock)
        self.referee.take(first.record)
        self._begin(log)

    def _resume(self, only_failed: bool) -> None:
        run, clock = self.referee.run, self._world.clock
        self._catch_up()
        self.state, plain = replay(self.journal, run)
        log = WatchedLog(self.journal, run, self.state.plan, plain._last_seq)
        log.referee = self.referee
        skewed = SkewedClock(clock, self.wall_skew_s)
        fence = next_fence(self.journal, self.state, skewed)
        record = RunResumed(fence, "tester", only_failed)
        reopen_run(self.state, log, record, clock)
        self.referee.take(record)
        self._begin(log)

    def _catch_up(self) -> None:
        """What was told to be durable is there; what was not told may be there as well."""
        seen = self.referee.seen
        found = list(read_records(self.journal, self.referee.run, max(0, seen - 1)))
        demand(not seen or bool(found), "3: durable records are gone", seen)
        for recorded in found[1 if seen else 0 :]:
            self.referee.take(recorded.record)

    def _begin(self, log: WatchedLog) -> None:
        self.referee.until_s = self.until_s
        self._driver = Driver(
            Reducer(self.state.plan, self.state), log, self._world.clock, until_s=self.until_s
        )  # fmt: skip
        self._transport = WatchedTransport(self._world, self._post, self.referee.ledger)
        self._transport.leg = self.state.legs
        prober = SimProber(self._world, self._post, lambda: self.holds())
        self._driver.begin(self._transport, prober)

    def _post(self, event: Event | Incoming) -> None:
        assert self._driver is not None
        self.events += 1
        self.pending = True
        self._note(event)
        self._driver.post(event)
