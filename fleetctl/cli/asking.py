"""Asking many hosts one read-only thing at once; every host has an answer or a reason for none."""

from __future__ import annotations

import queue
import time
from collections.abc import Callable, Mapping

from fleetctl.transport.protocol import Event, Look, Looked, Lost, Release, Sink, Transport

GRACE_S = 60.0
"""How long past the last answer's due time before the rest is given up as unknown."""
Answer = Looked | Lost


class Line:
    """An open transport that is asked again and again; `close` it in the end."""

    def __init__(self, open_transport: Callable[[Sink], Transport]) -> None:
        self._events: queue.SimpleQueue[Event] = queue.SimpleQueue()
        self._transport = open_transport(self._events.put)
        self._ticket = 0

    def ask(
        self, scripts: Mapping[str, str], timeout_s: float, *, last: bool = False
    ) -> dict[str, Answer | None]:
        """Run each host's script on it, all at once; None: neither an answer nor a loss was told.

        `last`: a host's connection is given up as soon as it has answered.
        """
        answers: dict[str, Answer | None] = dict.fromkeys(scripts)
        open_: set[int] = set()
        for host, script in scripts.items():
            self._ticket += 1
            open_.add(self._ticket)
            self._transport.submit(Look(self._ticket, host, script, timeout_s))
        end_s = time.monotonic() + timeout_s + GRACE_S
        try:
            while open_:
                event = self._events.get(timeout=max(0.0, end_s - time.monotonic()))
                if isinstance(event, (Looked, Lost)) and event.ticket in open_:
                    open_.remove(event.ticket)
                    answers[event.host] = event
                    end_s = time.monotonic() + timeout_s + GRACE_S
                    if last:
                        self._transport.submit(Release(event.host))
        except queue.Empty:
            return answers
        return answers

    def close(self) -> None:
        """Give up all connections."""
        self._transport.close()


def ask_hosts(
    scripts: Mapping[str, str], open_transport: Callable[[Sink], Transport], timeout_s: float
) -> dict[str, Answer | None]:
    """As `Line.ask`, over connections made for this alone."""
    line = Line(open_transport)
    try:
        return line.ask(scripts, timeout_s, last=True)
    finally:
        line.close()
