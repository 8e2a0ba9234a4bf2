"""A simulated host: lock, fence, step records as the real host side keeps them; effects counted."""

from __future__ import annotations

from collections import Counter, deque
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Literal, NamedTuple, Protocol

from fleetctl.transport.protocol import (
    Answered,
    Ask,
    Event,
    Lost,
    Output,
    Refused,
    RunSegment,
    SegmentEnded,
    StepEnd,
    StepEnded,
    StepOrder,
    StepResult,
)

_POLL_S = 0.5
_WELL = ("acted", "checked")


class Tell(Protocol):
    """Sends an event back; says nothing when the connection it came over is gone."""

    def __call__(self, event: Event, after_s: float = 0.0) -> None: ...


class Verdict(NamedTuple):
    """How a step ends on a host when it runs."""

    end: Literal["acted", "checked", "failed", "timed out"] = "acted"
    duration_s: float = 1.0
    stdout: bytes = b""


@dataclass(slots=True)
class StepRecord:
    """What a host has on disk about one step; no end: it was begun."""

    end: StepEnd | None = None
    try_no: int = 1
    stdout: bytes = b""


class Time(Protocol):
    """What a host asks of its world."""

    def at(self, after_s: float, act: Callable[[], None]) -> None: ...

    def verdict(self, host: str, step: StepOrder) -> Verdict: ...


@dataclass(slots=True)
class SimHost:
    """One host and its disk; processes die with a reboot, records do not."""

    name: str
    time: Time
    up: bool = True
    fence: int = 0
    holder: str = ""
    boot: int = 1
    records: dict[tuple[str, str], StepRecord] = field(default_factory=dict)
    """(run, key) -> record."""
    acts: Counter[str] = field(default_factory=Counter)
    """Key -> how often its act was begun here."""
    current: Segment | None = None
    """Who holds the lock."""
    queue: deque[Segment] = field(default_factory=deque)
    """Who is behind it."""

    def take(self, order: RunSegment, tell: Tell) -> None:
        """A segment arrives: it runs now, or behind the one that holds the lock."""
        self.queue.append(Segment(self, order, tell))
        self.next()

    def next(self) -> None:
        if self.current is None and self.queue:
            self.current = self.queue.popleft()
            self.current.begin()

    def free(self) -> None:
        self.current = None
        self.next()

    def refuses(self, ticket: int, run: str, fence: int) -> Refused | None:
        """Take the order's fence, or refuse it when it is older than the one obeyed."""
        if fence < self.fence or (fence == self.fence and self.holder not in ("", run)):
            return Refused(
                ticket, self.name, "fence", "an older order", self.fence, self.holder
            )  # fmt: skip
        self.fence, self.holder = fence, run
        return None

    def answer(self, ask: Ask, tell: Tell, left_s: float) -> None:
        """Answer when the lock is free, or when the asker's patience is at its end."""
        if self.current is not None and left_s > 0:
            wait_s = min(_POLL_S, left_s)
            self.time.at(wait_s, lambda: self.answer(ask, tell, left_s - wait_s))
            return
        refused = self.refuses(ask.ticket, ask.run, ask.fence)
        if refused is not None:
            tell(refused)
            return
        results = tuple(self._told(ask.run, key) for key in ask.keys)
        tell(Answered(ask.ticket, self.name, f"boot{self.boot}", results))

    def _told(self, run: str, key: str) -> StepResult:
        record = self.records.get((run, key))
        if record is None:
            return StepResult(key, "absent")
        if record.end is not None:
            return StepResult(key, record.end, stdout=output(record.stdout), replayed=True)
        running = self.current is not None and self.current.running == (run, key)
        return StepResult(key, "running" if running else "interrupted")

    def kill(self) -> bool:
        """Stop the step that runs; False when none does."""
        return self.current is not None and self.current.kill()

    def reboot(self) -> None:
        """Every process is gone; what was begun stays begun."""
        self.boot += 1
        ended = [self.current, *self.queue]
        self.current = None
        self.queue.clear()
        for segment in ended:
            if segment is not None:
                segment.die()


class Segment:
    """A segment under the host's lock."""

    def __init__(self, host: SimHost, order: RunSegment, tell: Tell) -> None:
        self.dead = False
        self.running: tuple[str, str] | None = None
        self._host = host
        self._order = order
        self._tell = tell
        self._at = 0
        self._turn = 0

    def begin(self) -> None:
        order = self._order
        refused = self._host.refuses(order.ticket, order.run, order.fence)
        if refused is not None:
            self._tell(refused)
            self._host.free()
            return
        self._go_on()

    def _go_on(self) -> None:
        if self._at == len(self._order.steps):
            self._end()
            return
        step = self._order.steps[self._at]
        place = (self._order.run, key_of(step))
        record = self._host.records.get(place)
        if record is not None and (record.end in _WELL or step.try_no <= record.try_no):
            self._report(place[1], record.end or "interrupted", record.stdout, replayed=True)
            return
        self._act(step, place)

    def _act(self, step: StepOrder, place: tuple[str, str]) -> None:
        host = self._host
        verdict = host.time.verdict(host.name, step)
        host.records[place] = StepRecord(None, step.try_no)
        if verdict.end != "checked":
            host.acts[place[1]] += 1
        self.running = place
        self._turn += 1
        turn = self._turn
        host.time.at(verdict.duration_s, lambda: self._ended(turn, place, verdict))

    def _ended(self, turn: int, place: tuple[str, str], verdict: Verdict) -> None:
        if self.dead or turn != self._turn:
            return
        self._close(place, verdict.end, verdict.stdout)

    def die(self) -> None:
        """Its process is gone, and so is the connection it came over."""
        self.dead = True
        order = self._order
        self._tell(Lost(order.ticket, order.host, True, "closed", "the host went down"))

    def kill(self) -> bool:
        """Stop the step that runs."""
        if self.running is None:
            return False
        self._turn += 1
        self._close(self.running, "killed", b"")
        return True

    def _close(self, place: tuple[str, str], end: StepEnd, stdout: bytes) -> None:
        record = self._host.records[place]
        record.end, record.stdout = end, stdout
        self.running = None
        self._report(place[1], end, stdout, replayed=False)

    def _report(self, key: str, end: StepEnd, stdout: bytes, *, replayed: bool) -> None:
        result = StepResult(key, end, stdout=output(stdout), replayed=replayed)
        self._tell(StepEnded(self._order.ticket, self._host.name, result))
        self._at += 1
        if end in _WELL:
            self._go_on()
        else:
            self._end()

    def _end(self) -> None:
        self._tell(SegmentEnded(self._order.ticket, self._host.name))
        self._host.free()


def key_of(step: StepOrder) -> str:
    """What a step is recorded under."""
    return f"{step.key}.undo" if step.undo else step.key


def output(text: bytes) -> Output:
    """A short stream, whole."""
    return Output(text, b"", len(text))
