"""Who watches a run. An observer that blocks or raises loses sight of it; the run goes on."""

from __future__ import annotations

import queue
import threading
from collections.abc import Sequence
from typing import NamedTuple, Protocol

from fleetctl.rollout.records import Record
from fleetctl.transport.protocol import Said

BACKLOG_MAX = 10_000
"""Batches of records an observer may lag behind before it is given up."""


class Recorded(NamedTuple):
    """A durable record with its place in the journal."""

    seq: int
    wall_s: float
    record: Record


class Observer(Protocol):
    """Called from a thread of its own, in order; records are durable when they come."""

    def recorded(self, batch: Sequence[Recorded]) -> None: ...

    def said(self, said: Said) -> None:
        """A line of a running step; lines are left out when they come too fast."""


class Watch:
    """Feeds one observer from its own thread, through a bounded queue."""

    def __init__(self, observer: Observer) -> None:
        self._observer = observer
        self._queue: queue.Queue[Sequence[Recorded] | Said | None] = queue.Queue(BACKLOG_MAX)
        self._thread = threading.Thread(target=self._feed, name="observer", daemon=True)
        self.trouble = ""
        """Why the observer sees nothing any more; empty while all is well."""
        self._thread.start()

    def show(self, what: Sequence[Recorded] | Said) -> None:
        """Never blocks: when the observer lags too far, lines are dropped, and it with records."""
        if self.trouble:
            return
        try:
            self._queue.put_nowait(what)
        except queue.Full:
            if not isinstance(what, Said):
                self.trouble = "it lagged too far behind"

    def close(self, wait_s: float) -> None:
        """Let it see the rest, for at most `wait_s`."""
        try:
            self._queue.put(None, timeout=wait_s)
        except queue.Full:
            return
        self._thread.join(wait_s)

    def _feed(self) -> None:
        while (what := self._queue.get()) is not None:
            if self.trouble:
                continue
            try:
                if isinstance(what, Said):
                    self._observer.said(what)
                else:
                    self._observer.recorded(what)
            except Exception as error:  # noqa: BLE001 - whatever a view does, the run goes on
                self.trouble = f"{type(error).__name__}: {error}"
