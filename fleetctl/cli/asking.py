"""Asking many hosts one read-only thing at once; every host has an answer or a reason for none."""

from __future__ import annotations

import math
import queue
import sys
import time
from collections.abc import Callable, Collection, Mapping

from fleetctl.base.durations import format_duration
from fleetctl.base.hostrange import fold
from fleetctl.cli.output import tell
from fleetctl.transport.protocol import Event, Look, Looked, Lost, Release, Sink, Transport

GRACE_S = 60.0
"""How long past the last answer's due time before the rest is given up as unknown."""
NAMED_AFTER_S = 3.0
"""A person at a terminal is told of silent hosts after this long, then twice as long, ..."""
Answer = Looked | Lost


class Unheard:
    """Says who has not answered yet, ever more rarely."""

    def __init__(self, now_s: float) -> None:
        self._since_s = now_s
        self.next_s = now_s + NAMED_AFTER_S

    def words(self, silent: Collection[str], now_s: float) -> str:
        """What there is to tell at `next_s`; the next time is as far away again."""
        past_s = now_s - self._since_s
        self.next_s = now_s + past_s
        return f"no answer for {format_duration(past_s)} from {fold(silent)}"


class Line:
    """An open transport that is asked again and again; `close` it in the end."""

    def __init__(self, open_transport: Callable[[Sink], Transport]) -> None:
        self._events: queue.SimpleQueue[Event] = queue.SimpleQueue()
        self._transport = open_transport(self._events.put)
        self._ticket = 0
        self._late: dict[int, str] = {}
        """Ticket -> host of looks that were given up; they are still under way."""

    def ask(
        self,
        scripts: Mapping[str, str],
        timeout_s: float,
        *,
        within_s: float = math.inf,
        last: bool = False,
    ) -> dict[str, Answer | None]:
        """Run each host's script on it, all at once; None: neither an answer nor a loss was told.

        `within_s`: connecting included; who has not answered by then is not waited for, nor asked
        again before an answer to this has come. `last`: a host's connection is given up as soon as
        it has answered.
        """
        answers: dict[str, Answer | None] = dict.fromkeys(scripts)
        open_ = self._submit(scripts, timeout_s)
        last_s = time.monotonic() + within_s
        end_s = min(last_s, time.monotonic() + timeout_s + GRACE_S)
        unheard = Unheard(time.monotonic()) if last and sys.stderr.isatty() else None
        try:
            while open_:
                event = self._hear(unheard, end_s, open_.values())
                if not isinstance(event, (Looked, Lost)):
                    continue
                self._late.pop(event.ticket, None)
                if open_.pop(event.ticket, None) is not None:
                    answers[event.host] = event
                    end_s = min(last_s, time.monotonic() + timeout_s + GRACE_S)
                    if last:
                        self._transport.submit(Release(event.host))
        except queue.Empty:
            self._late.update(open_)
        return answers

    def _submit(self, scripts: Mapping[str, str], timeout_s: float) -> dict[int, str]:
        """Ask whoever is not still busy with an earlier look; ticket -> host."""
        while not self._events.empty():
            event = self._events.get()
            if isinstance(event, (Looked, Lost)):
                self._late.pop(event.ticket, None)
        busy = set(self._late.values())
        asked: dict[int, str] = {}
        for host, script in scripts.items():
            if host not in busy:
                self._ticket += 1
                asked[self._ticket] = host
                self._transport.submit(Look(self._ticket, host, script, timeout_s))
        return asked

    def _hear(self, unheard: Unheard | None, end_s: float, silent: Collection[str]) -> Event:
        """The next event, who is silent being told meanwhile; raises queue.Empty at `end_s`."""
        while True:
            until_s = end_s if unheard is None else min(end_s, unheard.next_s)
            try:
                return self._events.get(timeout=max(0.0, until_s - time.monotonic()))
            except queue.Empty:
                if unheard is None or until_s == end_s:
                    raise
                tell(unheard.words(silent, until_s))

    def close(self) -> None:
        """Give up all connections."""
        self._transport.close()


def ask_hosts(
    scripts: Mapping[str, str],
    open_transport: Callable[[Sink], Transport],
    timeout_s: float,
    *,
    within_s: float = math.inf,
) -> dict[str, Answer | None]:
    """As `Line.ask`, over connections made for this alone."""
    line = Line(open_transport)
    try:
        return line.ask(scripts, timeout_s, within_s=within_s, last=True)
    finally:
        line.close()
