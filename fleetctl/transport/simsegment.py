"""A segment at work on a simulated host, and what the host's disk keeps of its steps."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal, NamedTuple, Protocol

import msgspec

from fleetctl.transport.protocol import (
    Event,
    Output,
    Round,
    RunSegment,
    SegmentEnded,
    StepEnd,
    StepEnded,
    StepOrder,
    StepResult,
)
from fleetctl.transport.simline import Line
from fleetctl.transport.simround import RoundWork, Told

if TYPE_CHECKING:
    from fleetctl.transport.simhost import SimHost

_WELL = ("acted", "checked")


class Tell(Protocol):
    """Sends an event back; says nothing when the connection it came over is gone."""

    def __call__(self, event: Event, after_s: float = 0.0) -> None: ...


class Verdict(NamedTuple):
    """How a step ends on a host when it runs."""

    end: Literal["acted", "checked", "failed", "timed out"] = "acted"
    duration_s: float = 1.0
    stdout: bytes = b""


class StepRecord(msgspec.Struct):
    """What a host has on disk about one step; no end: it was begun."""

    end: StepEnd | None = None
    try_no: int = 1
    stdout: bytes = b""
    told: Told = ((), False)
    """Of a round: its items; not written through to the disk as its end is."""


class Segment:
    """A segment under the host's lock. It outlives its connection and its controller."""

    def __init__(self, host: SimHost, order: RunSegment, line: Line, tell: Tell) -> None:
        self.dead = False
        self.running: tuple[str, str] | None = None
        self._host = host
        self._order = order
        self._line = line
        self._tell = tell
        self._round: RoundWork | None = None
        self._at = 0
        self._turn = 0

    @property
    def run(self) -> str:
        return self._order.run

    def begin(self) -> None:
        """The lock is ours: may we?"""
        refused = self._host.enter(self._order, self._line)
        if refused is not None:
            self._tell(refused)
            self._host.free()
            return
        self._go_on()

    def kill(self) -> bool:
        """Stop the step that runs."""
        if self.running is None:
            return False
        self._turn += 1
        if self._round is not None:
            self._host.records[self.running].told = self._round.kill()
        self._close(self.running, "killed", b"")
        return True

    def _go_on(self) -> None:
        if self._at == len(self._order.steps):
            self._end()
            return
        step = self._order.steps[self._at]
        place = (self._order.run, key_of(step))
        record = self._told_from(place, step)
        if record is not None and (record.end in _WELL or step.try_no <= record.try_no):
            self._report(place[1], record.end or "interrupted", record, replayed=True)
        elif isinstance(step.operation, Round):
            self._do_round(step, place)
        else:
            self._act(step, place)

    def _do_round(self, step: StepOrder, place: tuple[str, str]) -> None:
        host = self._host
        host.records.pop(place, None)
        host.records[place] = StepRecord(None, step.try_no)
        self.running = place
        self._turn += 1

        def over(told: Told) -> None:
            if not self.dead:
                host.records[place].told = told
                self._close(place, "acted", b"")

        self._round = RoundWork(host, self._order, step, over)
        host.later(0.0, self._round.begin)

    def _told_from(self, place: tuple[str, str], step: StepOrder) -> StepRecord | None:
        """The step's record, unless its partner (the undo, the act) has succeeded since."""
        records = self._host.records
        partner = (place[0], step.key if step.undo else f"{step.key}.undo")
        record, other = records.get(place), records.get(partner)
        if record is None or record.end is None or other is None or other.end != "acted":
            return record
        order = list(records)
        return record if order.index(place) > order.index(partner) else None

    def _act(self, step: StepOrder, place: tuple[str, str]) -> None:
        host = self._host
        verdict = host.world.verdict(host.name, step)
        host.records.pop(place, None)  # the newest record is the last one
        host.records[place] = StepRecord(None, step.try_no)
        if verdict.end != "checked":
            host.acts[place[1]] += 1
            host.world.witness.began(host.name, self._order, step, place[1])
        self.running = place
        self._turn += 1
        turn = self._turn
        host.later(verdict.duration_s, lambda: self._ended(turn, place, verdict))

    def _ended(self, turn: int, place: tuple[str, str], verdict: Verdict) -> None:
        if self.dead or turn != self._turn:
            return
        self._close(place, verdict.end, verdict.stdout)

    def _close(self, place: tuple[str, str], end: StepEnd, stdout: bytes) -> None:
        record = self._host.records[place]
        record.end, record.stdout = end, stdout
        self._host.world.witness.ended(self._host.name, self._order, place[1], end)
        self.running = self._round = None
        self._report(place[1], end, record, replayed=False)

    def die(self) -> None:
        """The host goes down: nothing of it runs any more."""
        self.dead = True
        if self._round is not None:
            self._round.dead = True

    def _report(self, key: str, end: StepEnd, record: StepRecord, *, replayed: bool) -> None:
        items, all_told = record.told
        result = StepResult(
            key, end, stdout=output(record.stdout), replayed=replayed, items=items,
            all_told=all_told,
        )  # fmt: skip
        self._tell(StepEnded(self._order.ticket, self._host.name, result))
        self._at += 1
        heard = not self._line.down or self._host.world.goes_on(self._host.name)
        if end in _WELL and heard:
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
