"""Opening a run and taking one up again: `push` and `resume`, each one leg of a run to its end."""

from __future__ import annotations

import contextlib
import random
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from typing import TYPE_CHECKING, NamedTuple

import msgspec

from fleetctl.base.clock import Clock
from fleetctl.base.errors import ExitCode, UsageError
from fleetctl.journal.lock import RunLock
from fleetctl.journal.rows import RunRow
from fleetctl.journal.store import Journal
from fleetctl.plan.digest import digest_of
from fleetctl.plan.model import Plan
from fleetctl.rollout.controls import Command, read_answer
from fleetctl.rollout.controls import Controls as Controls
from fleetctl.rollout.elsewhere import is_over, refuse_elsewhere
from fleetctl.rollout.ground import Ground
from fleetctl.rollout.loop import Driver
from fleetctl.rollout.observers import Observer as Observer
from fleetctl.rollout.observers import Recorded as Recorded
from fleetctl.rollout.observers import Watch
from fleetctl.rollout.probes import ThreadProber
from fleetctl.rollout.records import RunOpened, RunResumed, Told
from fleetctl.rollout.reducer import Reducer
from fleetctl.rollout.runlog import RunLog, read_records
from fleetctl.rollout.state import RunState
from fleetctl.transport.carriage import LegName
from fleetctl.transport.lease import Claimant
from fleetctl.transport.protocol import Sink, Transport

if TYPE_CHECKING:
    from fleetctl.rollout.carrier import Carrier

_LETTERS = "abcdefghjkmnpqrstuvwxyz23456789"
OBSERVERS_END_S = 5.0
_MEANS = {"drain": "runs abort", "abort": "runs abort", "kill": "runs abort --kill"}
"""Orders from other terminals -> the command that gives them."""


class Opening(msgspec.Struct, frozen=True):
    """Who asks for a run, and how."""

    by: str
    """user@machine pid"""
    words: tuple[str, ...]
    """The command line, secrets already taken out."""
    run: str = ""
    """The new run's id; empty: made up from date and chance."""
    seed: int | None = None
    """All chance of the run comes from it; None: drawn from the machine."""
    check_only: bool = False
    parent: tuple[str, int] | None = None
    """The run whose step or gate started this one, and its fence: we work under both."""
    leased: bool = True
    """Take the leases of the tiers worked on; not without need to leave that out."""
    carried: bool = True
    """Carry the journal where the plan says."""
    linger_s: float = 0.0
    """Connections are closed so long after the run, or when the process ends before that."""
    until_s: float = 0.0
    """Nothing new starts after this Unix time; 0: it may at any."""
    redact: Callable[[str], str] = str
    """Takes secrets out of what probes say on this machine."""


class Wanted(msgspec.Struct, frozen=True):
    """What a person wants of a resume."""

    only_failed: bool = False
    """Try the lost hosts again, nothing else."""
    told: tuple[Told, ...] = ()
    """What they say of unknown steps."""


class RunResult(msgspec.Struct, frozen=True):
    """How it ended; everything else is in the journal."""

    run: str
    exit_code: ExitCode
    cause: str
    """Why it stopped early; empty when it went to its end."""
    dropped: tuple[str, ...] = ()
    """Observers that lost sight of it, with the cause."""
    blocked: bool = False
    """One of them still sits on its output: whoever writes there now may wait for ever."""


class SystemClock:
    """This machine's clocks."""

    def monotonic_s(self) -> float:
        return time.monotonic()

    def wall_s(self) -> float:
        return time.time()


def push(
    plan: Plan,
    opening: Opening,
    journal: Journal,
    open_transport: Callable[[Sink], Transport],
    *,
    controls: Controls | None = None,
    observers: Sequence[Observer] = (),
) -> RunResult:
    """Run the plan to its end.

    Raises LockHeld, Unreachable, JournalUnusable before anything was touched; JournalFull when the
    journal could not be written any more: nothing started after that, `resume` goes on.
    """
    clock = SystemClock()
    wall_s = clock.wall_s()
    run = opening.run or new_run_id(wall_s)
    with held(journal, run, opening.by):
        state, log = RunState(plan), RunLog(journal, run, plan)
        fence = opening.parent[1] if opening.parent else journal.take_fence(wall_s)
        with leased(plan, run, fence, opening, open_transport, journal) as ground:
            first = open_run(state, log, plan, opening, fence, clock)
            leg = Leg(state, log, clock, controls, observers, opening)
            return leg.drive(journal, ground, [first])


def resume(
    run: str,
    opening: Opening,
    journal: Journal,
    open_transport: Callable[[Sink], Transport],
    *,
    wanted: Wanted | None = None,
    controls: Controls | None = None,
    observers: Sequence[Observer] = (),
) -> RunResult:
    """Take up a run whose controller died, or which stopped early; as `push`.

    Of `opening` only `by` and `redact` are used, `leased` and `carried`. Observers see the records
    from here on. Raises LockHeld when the run went on elsewhere.
    """
    clock = SystemClock()
    with held(journal, run, opening.by) as lock:
        state, log = replay(journal, run)
        known = max(state.fence_max, lock.noted_fence())
        fence = opening.parent[1] if opening.parent else next_fence(journal, state, clock)
        lock.note_fence(fence)
        with leased(state.plan, run, fence, opening, open_transport, journal, known) as ground:
            how = wanted or Wanted()
            resumed = RunResumed(
                fence, opening.by, how.only_failed, _under(opening), told=how.told,
                until_s=opening.until_s,
            )  # fmt: skip
            first = reopen_run(state, log, resumed, clock)
            leg = Leg(state, log, clock, controls, observers, opening)
            return leg.drive(journal, ground, [first])


def open_run(
    state: RunState, log: RunLog, plan: Plan, opening: Opening, fence: int, clock: Clock
) -> Recorded:
    """Make the run and its first record durable."""
    seed = random.SystemRandom().randrange(2**31) if opening.seed is None else opening.seed
    digest = digest_of(plan)
    hosts = {host for phase in plan.phases for batch in phase.batches for host in batch}
    row = RunRow(
        log.run, plan.fleet, plan.title, digest, opening.by, clock.wall_s(), opening.words,
        len(hosts),
    )  # fmt: skip
    first = RunOpened(
        log.run, digest, fence, opening.by, opening.words, seed, opening.check_only,
        _under(opening), opening.until_s,
    )  # fmt: skip
    state.apply(first)
    return log.open(row, first)


def _under(opening: Opening) -> str:
    return opening.parent[0] if opening.parent else ""


def replay(journal: Journal, run: str) -> tuple[RunState, RunLog]:
    """The run as its records tell it; raises UsageError for one that cannot go on."""
    plan = journal.plan_of(run)
    state = RunState(plan)
    last_seq = 0
    for recorded in read_records(journal, run):
        state.apply(recorded.record)
        last_seq = recorded.seq
    if state.check_only:
        raise UsageError(
            f"run {run} only looked, there is nothing to resume", hint="start it again"
        )
    return state, RunLog(journal, run, plan, last_seq)


def reopen_run(state: RunState, log: RunLog, record: RunResumed, clock: Clock) -> Recorded:
    """Begin a new leg: durable before anything is asked."""
    resumed = log.reopen(record, clock.wall_s())
    state.apply(record)
    return resumed


def next_fence(journal: Journal, state: RunState, clock: Clock) -> int:
    """The fence of a run's next leg: beyond every order of the legs before, whatever the clock."""
    return journal.take_fence(max(clock.wall_s(), (state.fence_max + 2) / 1000))


def new_run_id(wall_s: float) -> str:
    """Short, sorted by time, and unlikely to be there twice: `0731-1412-k3f`."""
    stamp = time.strftime("%m%d-%H%M", time.gmtime(wall_s))
    chance = random.SystemRandom()
    return f"{stamp}-{''.join(chance.choice(_LETTERS) for _ in range(3))}"


@contextmanager
def held(journal: Journal, run: str, by: str) -> Iterator[RunLock]:
    """This machine's lock on the run."""
    lock = journal.lock(run)
    lock.take(by)
    try:
        journal.hold_reserve()
        yield lock
    finally:
        lock.release()


@contextmanager
def leased(
    plan: Plan, run: str, fence: int, opening: Opening,
    open_transport: Callable[[Sink], Transport], journal: Journal, known: int | None = None,
) -> Iterator[Ground]:  # fmt: skip
    """The leases of all the plan's tiers, and the connections.

    `known`: the highest fence this journal knows of the run; a leg beyond it, elsewhere, is let be.
    """
    keepers = plan.keepers if opening.leased and not opening.check_only else {}
    claimant = Claimant(run, fence, opening.by, _under(opening))
    ground = Ground(
        open_transport, plan.fleet, keepers, claimant, is_over=partial(is_over, journal)
    )
    try:
        if known is not None:
            refuse_elsewhere(ground, plan, run, known)
        ground.take()
        yield ground
    finally:
        with contextlib.suppress(OSError):  # the run has ended; its outcome stands
            ground.close(opening.linger_s)


class Leg(NamedTuple):
    """One controller's work on a run."""

    state: RunState
    log: RunLog
    clock: Clock
    controls: Controls | None
    observers: Sequence[Observer]
    opening: Opening

    def drive(self, journal: Journal, ground: Ground, first: Sequence[Recorded]) -> RunResult:
        """To the end of the leg; whatever happens, views are closed."""
        run, state = self.log.run, self.state
        watches = [Watch(observer) for observer in self.observers]
        carrier = self._carrier(journal, ground, first[0].seq, list(watches))
        if carrier is not None:
            watches.append(Watch(carrier))
        driver = Driver(
            Reducer(state.plan, state), self.log, self.clock,
            read_orders=_Orders(journal, run).read, watches=watches, until_s=self.opening.until_s,
        )  # fmt: skip
        ground.listen(driver.post)
        prober = ThreadProber(
            driver.post, self.opening.redact, f"{state.under or run}:{state.fence}"
        )
        try:
            driver.show(first)
            driver.begin(ground, prober)
            if self.controls is not None:
                self.controls.listen(driver.post)
            driver.run()
        finally:
            prober.close()
            for watch in watches:
                watch.close(OBSERVERS_END_S)
            if carrier is not None:
                carrier.close(OBSERVERS_END_S)
        return self._result(watches)

    def _result(self, watches: Sequence[Watch]) -> RunResult:
        ended = self.state.ended
        assert ended is not None
        dropped = tuple(f"{watch.name}: {watch.trouble}" for watch in watches if watch.trouble)
        blocked = any(watch.blocked for watch in watches)
        return RunResult(self.log.run, ExitCode(ended.exit_code), ended.cause, dropped, blocked)

    def _carrier(
        self, journal: Journal, ground: Ground, start: int, watches: Sequence[Watch]
    ) -> Carrier | None:
        """Who carries the journal, where the plan says so."""
        state = self.state
        if not state.plan.carried_on or not self.opening.carried or state.check_only:
            return None
        from fleetctl.rollout.carrier import Carrier

        def tell(text: str) -> None:
            for watch in watches:
                watch.show(text)

        head = journal.stored(self.log.run).row, state.plan
        leg = LegName(state.fence, start)
        return Carrier(state.plan.carried_on, ground.look, journal, head, leg, tell)


class _Orders:
    """Orders given to the run in other terminals since it was opened or resumed."""

    def __init__(self, journal: Journal, run: str) -> None:
        self._journal = journal
        self._run = run
        self._last = max((order.number for order in journal.orders(run)), default=0)

    def read(self) -> list[Command]:
        found: list[Command] = []
        for order in self._journal.orders(self._run, self._last):
            self._last = order.number
            if order.word == "answer":
                found.append(read_answer(order.by, order.detail))
            elif order.word in ("drain", "kill", "abort", "approve", "refuse"):
                means = _MEANS.get(order.word, "runs approve")
                found.append(
                    Command(order.word, order.by, order.detail, means)  # type: ignore[arg-type]
                )
        return found
