"""Time as a passed object: nothing below the command line asks the machine for it."""

from __future__ import annotations

from typing import Protocol


class Clock(Protocol):
    """Two clocks: `monotonic_s` for every decision, `wall_s` (Unix time) only for people."""

    def monotonic_s(self) -> float: ...

    def wall_s(self) -> float: ...


class ManualClock:
    """A clock that moves when told to; both clocks move together."""

    def __init__(self, monotonic_s: float = 0.0, wall_s: float = 1_000_000_000.0) -> None:
        self._monotonic_s = monotonic_s
        self._wall_s = wall_s

    def monotonic_s(self) -> float:
        return self._monotonic_s

    def wall_s(self) -> float:
        return self._wall_s

    def advance(self, seconds: float) -> None:
        assert seconds >= 0
        self._monotonic_s += seconds
        self._wall_s += seconds
