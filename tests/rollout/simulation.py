"""Running the real driver, reducer and journal against a simulated fleet in virtual time."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

from fleetctl.journal.store import Journal
from fleetctl.plan.model import Plan
from fleetctl.rollout.controls import Command
from fleetctl.rollout.driver import Opening, next_fence, open_run, reopen_run, replay
from fleetctl.rollout.loop import Driver
from fleetctl.rollout.messages import ProbeAnswered, RunProbe
from fleetctl.rollout.observers import Recorded
from fleetctl.rollout.patience import Patience
from fleetctl.rollout.records import AskSent, Record, RunResumed, SegmentSent, Told
from fleetctl.rollout.reducer import Reducer
from fleetctl.rollout.runlog import RunLog, read_records
from fleetctl.rollout.state import RunState
from fleetctl.transport.protocol import Ask, Order, RunSegment, Sink
from fleetctl.transport.simulated import SimTransport, World

RUN = "r1"
EVENTS_MAX = 200_000


class Crash(Exception):
    """The controller dies here."""


class CrashingLog(RunLog):
    """A run log whose process dies at a chosen record: before, or just after it is durable."""

    crash_at = 0
    after = True
    written = 0
    tickets: set[int] | None = None

    def append(self, records: Sequence[Record], wall_s: float) -> list[Recorded]:
        dies = self.crash_at and self.written + len(records) >= self.crash_at
        if dies and not self.after:
            raise Crash
        shown = super().append(records, wall_s)
        self.note(records)
        self.written += len(records)
        if dies:
            raise Crash
        return shown

    def note(self, records: Sequence[Record]) -> None:
        """Remember which orders are announced on disk."""
        found = {x.ticket for x in records if isinstance(x, (SegmentSent, AskSent))}
        self.tickets = (self.tickets or set()) | found


class WatchedTransport(SimTransport):
    """Sees to it that what an order announces is durable before the order goes out."""

    def __init__(self, world: World, sink: Sink, log: CrashingLog) -> None:
        super().__init__(world, sink)
        self.log = log

    def submit(self, order: Order) -> None:
        if isinstance(order, (RunSegment, Ask)):
            assert order.ticket in (self.log.tickets or ()), f"{order} before its record"
        super().submit(order)


class SimProber:
    """Probes from this machine, answered by the world after a moment."""

    def __init__(self, world: World, sink: Callable[[ProbeAnswered], None]) -> None:
        self.world = world
        self.sink = sink
        self.holds: Callable[[RunProbe], bool] = lambda probe: True

    def submit(self, probe: RunProbe) -> None:
        answer = ProbeAnswered(probe.ticket, probe.host, self.holds(probe), "probed")
        self.world.at(0.05, lambda: self.sink(answer))

    def close(self) -> None: ...


class Sim:
    """One world, one journal, any number of controllers one after another."""

    def __init__(self, folder: Path, plan: Plan, world: World, seed: int = 1) -> None:
        self.plan = plan
        self.world = world
        self.seed = seed
        self.journal = Journal(folder / "journal.db")
        self.legs = 0
        self.check: Callable[[RunState], None] = lambda state: None
        """Called after every turn."""
        self.holds: Callable[[RunProbe], bool] = lambda probe: True
        self.patience = Patience()
        self.window_s = 0.0
        """Of each leg; 0: it has none."""
        self.commands: list[tuple[float, Command]] = []
        """(seconds after the leg began, command)"""
        self.state = RunState(plan)

    def push(self, *, check_only: bool = False, crash_at: int = 0, after: bool = True) -> RunState:
        state, log = RunState(self.plan), CrashingLog(self.journal, RUN, self.plan)
        opening = Opening("tester", ("push",), RUN, self.seed, check_only)
        fence = self.journal.take_fence(self.world.clock.wall_s())
        open_run(state, log, self.plan, opening, fence, self.world.clock)
        return self._drive(state, log, crash_at, after)

    def resume(
        self,
        *,
        only_failed: bool = False,
        told: tuple[Told, ...] = (),
        crash_at: int = 0,
        after: bool = True,
    ) -> RunState:
        state, plain = replay(self.journal, RUN)
        log = CrashingLog(self.journal, RUN, self.plan, plain._last_seq)
        fence = next_fence(self.journal, state, self.world.clock)
        resumed = RunResumed(fence, "tester", only_failed, told=told)
        reopen_run(state, log, resumed, self.world.clock)
        return self._drive(state, log, crash_at, after)

    def records(self) -> list[Record]:
        return [recorded.record for recorded in read_records(self.journal, RUN)]

    def _drive(self, state: RunState, log: CrashingLog, crash_at: int, after: bool) -> RunState:
        log.crash_at, log.after = crash_at, after
        self.state = state
        self.legs += 1
        until_s = self.world.clock.wall_s() + self.window_s if self.window_s else 0.0
        driver = Driver(
            Reducer(self.plan, state, self.patience), log, self.world.clock, until_s=until_s
        )  # fmt: skip
        transport = WatchedTransport(self.world, driver.post, log)
        prober = SimProber(self.world, driver.post)
        prober.holds = self.holds
        for after_s, command in self.commands:
            self.world.at(after_s, lambda command=command: driver.post(command))  # type: ignore[misc]
        driver.begin(transport, prober)
        try:
            self._loop(driver, state)
        finally:
            transport.close()
        return state

    def _loop(self, driver: Driver, state: RunState) -> None:
        for _ in range(EVENTS_MAX):
            driver.turn()
            self.check(state)
            if state.ended is not None:
                return
            if driver.next_s() > self.world.clock.monotonic_s():
                world_s, own_s = self.world.next_s(), driver.next_s()
                if world_s is not None and world_s <= own_s:
                    self.world.step()
                else:
                    self.world.clock.advance(own_s - self.world.clock.monotonic_s())
        raise AssertionError(f"the run does not end: {describe(state)}")


def describe(state: RunState) -> str:
    flying = {h: f"{r.state} step {r.next_step}" for h, r in state.accounts.in_flight.items()}
    return f"in flight {flying}, stop {state.stop}, doubtful {state.accounts.doubtful}"


def names(records: Sequence[Record]) -> list[str]:
    return [type(record).__name__ for record in records]
