"""Timers of one run, by the clock that is passed in."""

from __future__ import annotations

import heapq

from fleetctl.rollout.messages import SetTimer, TimerFired


class Timers:
    """A heap of due times; stale ones are told by their number (see `TimerFired`)."""

    def __init__(self) -> None:
        self._heap: list[tuple[float, int, SetTimer]] = []

    def set(self, timer: SetTimer, now_s: float) -> None:
        heapq.heappush(self._heap, (now_s + timer.after_s, timer.number, timer))

    def next_s(self) -> float | None:
        """When the next one is due."""
        return self._heap[0][0] if self._heap else None

    def take_due(self, now_s: float) -> list[TimerFired]:
        """Those due, in the order of their times."""
        due: list[TimerFired] = []
        while self._heap and self._heap[0][0] <= now_s:
            _, number, timer = heapq.heappop(self._heap)
            due.append(TimerFired(timer.key, number))
        return due
