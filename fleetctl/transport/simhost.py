"""A simulated host: lock, fence, step records as the real host side keeps them; effects counted."""

from __future__ import annotations

from collections import Counter, deque
from collections.abc import Callable
from typing import Protocol

import msgspec

from fleetctl.transport.protocol import (
    Answered,
    Ask,
    ItemOrder,
    Refused,
    RunSegment,
    StepEnd,
    StepOrder,
    StepResult,
)
from fleetctl.transport.simline import Line
from fleetctl.transport.simround import ItemRecord
from fleetctl.transport.simsegment import Segment, StepRecord, Tell, Verdict, output

_POLL_S = 0.5


class Witness(Protocol):
    """Sees what truly happens on hosts, whoever is told of it."""

    def entered(self, host: str, order: RunSegment | Ask) -> None:
        """The host has accepted the order."""

    def began(self, host: str, order: RunSegment, step: StepOrder, key: str) -> None:
        """The act of a step begins; `key` is what it is recorded under."""

    def ended(self, host: str, order: RunSegment, key: str, end: StepEnd) -> None:
        """A step has ended and is recorded."""

    def item_began(self, host: str, order: RunSegment, step: StepOrder, item: ItemOrder) -> None:
        """The act of an item begins, in a round."""

    def item_ended(
        self, host: str, order: RunSegment, step: StepOrder, item: str, end: StepEnd
    ) -> None:
        """An item has ended and is recorded."""


class Blind:
    """A witness who looks away."""

    def entered(self, host: str, order: RunSegment | Ask) -> None: ...

    def began(self, host: str, order: RunSegment, step: StepOrder, key: str) -> None: ...

    def ended(self, host: str, order: RunSegment, key: str, end: StepEnd) -> None: ...

    def item_began(
        self, host: str, order: RunSegment, step: StepOrder, item: ItemOrder
    ) -> None: ...

    def item_ended(
        self, host: str, order: RunSegment, step: StepOrder, item: str, end: StepEnd
    ) -> None: ...


class Surroundings(Protocol):
    """What a host asks of its world."""

    witness: Witness

    def now_s(self) -> float: ...

    def at(self, after_s: float, act: Callable[[], None]) -> None: ...

    def verdict(self, host: str, step: StepOrder) -> Verdict: ...

    def item(self, host: str, step: StepOrder, item: str) -> Verdict: ...

    def goes_on(self, host: str) -> bool:
        """Whether a segment takes its next step although nobody hears of it any more."""


class SimHost(msgspec.Struct):
    """One host and its disk; processes die with a reboot, records do not."""

    name: str
    world: Surroundings
    up: bool = True
    fence: int = 0
    holder: str = ""
    boot: int = 1
    thaws_s: float = 0.0
    """Until then everything here stands still."""
    records: dict[tuple[str, str], StepRecord] = msgspec.field(default_factory=dict)
    """(run, key) -> record."""
    items: dict[tuple[str, str, str], ItemRecord] = msgspec.field(default_factory=dict)
    """(run, foreach step, item) -> record."""
    items_max: int = 10**6
    """Items it may have on disk: with more its disk is full, and none begins."""
    acts: Counter[str] = msgspec.field(default_factory=Counter)
    """Key -> how often its act was begun here."""
    current: Segment | None = None
    """Who holds the lock."""
    queue: deque[Segment] = msgspec.field(default_factory=deque)
    """Who is behind it."""
    lines: list[Line] = msgspec.field(default_factory=list)
    """Connections that stand."""
    opened: dict[str, int] = msgspec.field(default_factory=dict)
    """Run -> the connection that opened its record last; the others are shut out."""

    @property
    def frozen(self) -> bool:
        return self.world.now_s() < self.thaws_s

    def later(self, after_s: float, act: Callable[[], None]) -> None:
        """Do something here after so long, or when the host is awake again."""

        def when_awake() -> None:
            left_s = self.thaws_s - self.world.now_s()
            if left_s > 0:
                self.world.at(left_s, when_awake)
            else:
                act()

        self.world.at(after_s, when_awake)

    def take(self, order: RunSegment, line: Line, tell: Tell) -> None:
        """A segment arrives: it runs now, or behind the one that holds the lock."""
        self.queue.append(Segment(self, order, line, tell))
        self.next()

    def next(self) -> None:
        if self.current is None and self.queue:
            self.current = self.queue.popleft()
            self.current.begin()

    def free(self) -> None:
        self.current = None
        self.next()

    def enter(self, order: RunSegment | Ask, line: Line) -> Refused | None:
        """Under the lock: the newest connection of a run shuts its others out; then the fence.

        Harsher than the real one, which heeds the fence first.
        """
        if not line.opened:
            line.opened = True
            self.opened[order.run] = line.number
        elif self.opened.get(order.run) != line.number:
            detail = "a newer connection of this run took over"
            return Refused(order.ticket, self.name, "runner", detail)
        refused = None
        if not order.under or order.under != self.holder:
            refused = self.refuses(order.ticket, order.under or order.run, order.fence)
        if refused is None:
            self.world.witness.entered(self.name, order)
        return refused

    def refuses(self, ticket: int, run: str, fence: int) -> Refused | None:
        """Take the order's fence, or refuse it when it is older than the one obeyed."""
        if fence < self.fence or (fence == self.fence and self.holder not in ("", run)):
            return Refused(
                ticket, self.name, "fence", "an older order", self.fence, self.holder
            )  # fmt: skip
        self.fence, self.holder = fence, run
        return None

    def answer(self, ask: Ask, line: Line, tell: Tell, left_s: float) -> None:
        """Answer when the lock is free, or when the asker's patience is at its end."""
        if line.boot != self.boot:
            return
        if self.current is not None and left_s > 0:
            wait_s = min(_POLL_S, left_s)
            self.later(wait_s, lambda: self.answer(ask, line, tell, left_s - wait_s))
            return
        if self.current is not None:
            if self.current.run != ask.run:
                tell(Refused(ask.ticket, self.name, "busy", f"run {self.current.run} holds it"))
                return
        else:
            refused = self.enter(ask, line)
            if refused is not None:
                tell(refused)
                return
        results = tuple(self._told(ask.run, key) for key in ask.keys)
        tell(Answered(ask.ticket, self.name, f"boot{self.boot}", results))

    def _told(self, run: str, key: str) -> StepResult:
        """As the record has it; while the lock is held what is not recorded may still come."""
        record = self.records.get((run, key))
        if record is not None and record.end is not None:
            items, all_told = record.told
            said = output(record.stdout)
            return StepResult(
                key, record.end, stdout=said, replayed=True, items=items, all_told=all_told
            )
        if self.current is not None:
            return StepResult(key, "running")
        return StepResult(key, "absent" if record is None else "interrupted")

    def item_record(self, run: str, key: str, item: str) -> ItemRecord | None:
        """What the disk has about an item of that foreach step."""
        return self.items.get((run, key, item))

    def kill(self, run: str) -> bool:
        """Stop the step of this run that is under way; False when none is."""
        return self.current is not None and self.current.run == run and self.current.kill()

    def reboot(self) -> None:
        """Every process and connection is gone; what was begun stays begun."""
        self.boot += 1
        self.thaws_s = 0.0
        ended = [self.current, *self.queue]
        self.current = None
        self.queue.clear()
        for segment in ended:
            if segment is not None:
                segment.die()
        for record in self.records.values():
            record.told = ((), False)  # what was said is not written through to the disk
        for line in list(self.lines):
            line.cut("closed", "the host went down")
        self.lines.clear()

    def freeze(self, seconds: float, patience_s: float) -> None:
        """Nothing moves here for so long; who waits longer than its patience gives up."""
        self.thaws_s = max(self.thaws_s, self.world.now_s() + seconds)
        for line in self.lines:
            self.watch_silence(line, patience_s)

    def watch_silence(self, line: Line, patience_s: float) -> None:
        """Give the connection up when the host is frozen after so long."""

        def lose_patience() -> None:
            if self.frozen:
                line.cut("silence", "the host stopped answering")

        self.world.at(patience_s, lose_patience)
