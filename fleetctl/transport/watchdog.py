"""Deadlines for calls that know none: what they wait on is closed under them."""

from __future__ import annotations

import contextlib
import heapq
import itertools
import threading
import time
from collections.abc import Callable, Iterator


class Watchdog:
    """One thread that calls what was not taken back in time."""

    def __init__(self) -> None:
        self._changed = threading.Condition()
        self._heap: list[tuple[float, int]] = []
        self._bites: dict[int, Callable[[], None]] = {}
        self._numbers = itertools.count()
        self._thread: threading.Thread | None = None
        self._ended = False

    @contextlib.contextmanager
    def limit(self, seconds: float, bite: Callable[[], None]) -> Iterator[None]:
        """Call `bite` (from the watchdog's thread) unless the block ends within `seconds`."""
        number = self._add(time.monotonic() + seconds, bite)
        try:
            yield
        finally:
            with self._changed:
                self._bites.pop(number, None)

    def end(self) -> None:
        """Bite no more."""
        with self._changed:
            self._ended = True
            self._changed.notify()

    def _add(self, at_s: float, bite: Callable[[], None]) -> int:
        with self._changed:
            number = next(self._numbers)
            self._bites[number] = bite
            first = not self._heap or at_s < self._heap[0][0]
            heapq.heappush(self._heap, (at_s, number))
            if self._thread is None:
                self._thread = threading.Thread(
                    target=self._run, name="fleetctl-watch", daemon=True
                )
                self._thread.start()
            elif first:
                self._changed.notify()
            return number

    def _run(self) -> None:
        while True:
            with self._changed:
                bite = self._next()
            if bite is None:
                return
            with contextlib.suppress(Exception):
                bite()

    def _next(self) -> Callable[[], None] | None:
        """The next bite that is due; None at the end."""
        while not self._ended:
            while self._heap and self._heap[0][1] not in self._bites:
                heapq.heappop(self._heap)
            if not self._heap:
                self._changed.wait()
                continue
            at_s, number = self._heap[0]
            if (left_s := at_s - time.monotonic()) > 0:
                self._changed.wait(left_s)
                continue
            heapq.heappop(self._heap)
            return self._bites.pop(number)
        return None
