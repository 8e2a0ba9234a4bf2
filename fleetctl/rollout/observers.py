"""Who watches a run. An observer that blocks or raises loses sight of it; the run goes on."""

from __future__ import annotations

import queue
import threading
import time
from collections.abc import Sequence
from typing import NamedTuple, Protocol

from fleetctl.rollout.messages import ViewLost
from fleetctl.rollout.records import Record
from fleetctl.transport.protocol import Said

BACKLOG_MAX = 10_000
"""Batches of records an observer may lag behind before it is given up."""
_THREAD = "observer"
STUCK_S = 30.0
"""An observer that takes so long over one thing is given up."""


class Recorded(NamedTuple):
    """A durable record with its place in the journal."""

    seq: int
    wall_s: float
    record: Record


class Observer(Protocol):
    """Called from a thread of its own, in order; records are durable when they come."""

    name: str
    """What it is called when it is dropped: `records on stdout`."""

    def recorded(self, batch: Sequence[Recorded]) -> None: ...

    def said(self, said: Said) -> None:
        """A line of a running step; lines are left out when they come too fast."""

    def notice(self, text: str) -> None:
        """A line that is no record, such as that records cannot be kept any more."""

    def trouble(self) -> str:
        """Why it shows nothing, though it takes all it is given; asked from another thread.

        Of one that has `goes_on`: what did not get through, each told once; it is not given up.
        """


def is_any_blocked() -> bool:
    """Whether an observer of this process still sits on something."""
    return any(thread.name == _THREAD for thread in threading.enumerate())


class Watch:
    """Feeds one observer from its own thread, through a bounded queue."""

    def __init__(self, observer: Observer) -> None:
        self._observer = observer
        self._queue: queue.Queue[Sequence[Recorded] | Said | str | None] = queue.Queue(BACKLOG_MAX)
        self._thread = threading.Thread(target=self._feed, name=_THREAD, daemon=True)
        self._busy_since_s: float | None = None
        self._told = False
        self.trouble = ""
        """Why the observer sees nothing any more; empty while all is well."""
        self._thread.start()

    @property
    def name(self) -> str:
        """The observer's."""
        return self._observer.name

    @property
    def blocked(self) -> bool:
        """Whether the observer still sits on something, though it is closed."""
        return self._thread.is_alive()

    def show(self, what: Sequence[Recorded] | Said | str) -> None:
        """Never blocks: when the observer lags too far, lines are dropped, and it with records."""
        if self.trouble:
            return
        try:
            self._queue.put_nowait(what)
        except queue.Full:
            if not isinstance(what, Said):
                self.trouble = "it lagged too far behind"

    def dropped(self) -> ViewLost | None:
        """That the observer was given up, told once; or what of it did not get through."""
        told = self._observer.trouble()
        if told and getattr(self._observer, "goes_on", False):
            return ViewLost(self.name, told)
        self.trouble = self.trouble or told
        since_s = self._busy_since_s
        if not self.trouble and since_s is not None and time.monotonic() - since_s > STUCK_S:
            self.trouble = f"it took nothing for {STUCK_S:.0f} s"
        if not self.trouble or self._told:
            return None
        self._told = True
        return ViewLost(self.name, self.trouble)

    def close(self, wait_s: float) -> None:
        """Let it see the rest, for at most `wait_s`; one that was given up is not waited for."""
        if self.trouble and self._busy_since_s is not None:
            return
        end_s = time.monotonic() + wait_s
        try:
            self._queue.put(None, timeout=wait_s)
        except queue.Full:
            pass
        else:
            self._thread.join(max(0.0, end_s - time.monotonic()))
        if self._thread.is_alive():
            self.trouble = self.trouble or f"it took nothing for {wait_s:.0f} s at the end"

    def _feed(self) -> None:
        while (what := self._queue.get()) is not None:
            if self.trouble:
                continue
            self._busy_since_s = time.monotonic()
            try:
                self._hand(what)
            except Exception as error:  # noqa: BLE001 - whatever a view does, the run goes on
                self.trouble = f"{type(error).__name__}: {error}"
            self._busy_since_s = None

    def _hand(self, what: Sequence[Recorded] | Said | str) -> None:
        if isinstance(what, str):
            self._observer.notice(what)
        elif isinstance(what, Said):
            self._observer.said(what)
        else:
            self._observer.recorded(what)
