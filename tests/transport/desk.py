"""A desk to give orders at: submits, gathers events, and hands back what belongs to an order."""

from __future__ import annotations

import queue
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from fleetctl.playbook.operations import Exec, Put
from fleetctl.transport.protocol import (
    Answered,
    Ask,
    Event,
    FinalEvent,
    Kill,
    Killed,
    Look,
    Looked,
    Lost,
    Refused,
    Release,
    RunSegment,
    SegmentEnded,
    StepEnded,
    StepOrder,
    StepResult,
    Transport,
)

FINAL = (SegmentEnded, Answered, Looked, Killed, Lost, Refused)
PATIENCE_S = 60.0
"""Far more than anything here takes, even on a machine that is busy."""
HOLD = 'while [ ! -e "$HOME/go" ]; do sleep 0.05; done'
"""A step's text that lasts until a file `go` is in the home."""


def await_that(holds: Callable[[], bool], what: str = "it") -> None:
    """Wait until it is so; that it never comes is a failure."""
    deadline_s = time.monotonic() + PATIENCE_S
    while not holds():
        assert time.monotonic() < deadline_s, f"{what} never came"
        time.sleep(0.02)


def run(key: str, act: str, *, check: str = "", undo: str = "", timeout_s: float = 50.0,
        try_no: int = 1, take_back: bool = False, keep_output: bool = True
        ) -> StepOrder:  # fmt: skip
    """A step that runs a text."""
    operation = Exec(act, check=check, undo=undo)
    return StepOrder(key, operation, timeout_s, take_back, try_no, keep_output)


def lay(key: str, put: Put, timeout_s: float = 50.0) -> StepOrder:
    """A step that lays a file down."""
    return StepOrder(key, put, timeout_s)


@dataclass
class Desk:
    """One transport and all it said."""

    transport: Transport
    events: queue.SimpleQueue[Event]
    tickets: Iterator[int]
    said: list[Event] = field(default_factory=list)

    def segment(self, *steps: StepOrder, host: str = "h1", run: str = "run-1", fence: int = 10
                ) -> int:  # fmt: skip
        """Submit a segment; its ticket."""
        ticket = next(self.tickets)
        self.transport.submit(RunSegment(ticket, host, run, fence, steps))
        return ticket

    def do(self, *steps: StepOrder, host: str = "h1", run: str = "run-1", fence: int = 10
           ) -> list[StepResult]:  # fmt: skip
        """Results of a segment that ends as it should."""
        ticket = self.segment(*steps, host=host, run=run, fence=fence)
        final = self.final(ticket)
        assert isinstance(final, SegmentEnded), final
        return self.results(ticket)

    def ask(self, *keys: str, host: str = "h1", run: str = "run-1", fence: int = 10,
            wait_s: float = 30.0, rounds: tuple[str, ...] = ()
            ) -> Sequence[StepResult]:  # fmt: skip
        """The answer to Ask."""
        ticket = next(self.tickets)
        self.transport.submit(Ask(ticket, host, run, fence, keys, wait_s, rounds=rounds))
        final = self.final(ticket)
        assert isinstance(final, Answered), final
        return final.results

    def look(self, script: str, host: str = "h1", timeout_s: float = 50.0) -> FinalEvent:
        """The answer to Look."""
        ticket = next(self.tickets)
        self.transport.submit(Look(ticket, host, script, timeout_s))
        return self.final(ticket)

    def kill(self, host: str = "h1", run: str = "run-1", fence: int = 10) -> FinalEvent:
        """The answer to Kill."""
        ticket = next(self.tickets)
        self.transport.submit(Kill(ticket, host, run, fence))
        return self.final(ticket)

    def release(self, host: str = "h1") -> None:
        """Close the host's connection."""
        self.transport.submit(Release(host))

    def until(self, wanted: Callable[[Event], bool]) -> Event:
        """The first event, told already or yet to come, that is wanted."""
        for event in self.said:
            if wanted(event):
                return event
        while True:
            event = self.events.get(timeout=PATIENCE_S)
            self.said.append(event)
            if wanted(event):
                return event

    def final(self, ticket: int) -> FinalEvent:
        """The final event of that order."""
        event = self.until(lambda e: isinstance(e, FINAL) and e.ticket == ticket)
        assert isinstance(event, FINAL)
        return event

    def results(self, ticket: int) -> list[StepResult]:
        """What was told of the steps of that order so far."""
        ends = [event for event in self.said if isinstance(event, StepEnded)]
        return [event.result for event in ends if event.ticket == ticket]


@dataclass
class Far:
    """Hosts to test a transport against."""

    open_desk: Callable[[], Desk]
    """A desk with connections of its own, closed at the end of the test."""
    home: Callable[[str], Path]
    """The home folder of a host."""
    cut: Callable[[str], None]
    """Cut all connections of a host under their users."""
