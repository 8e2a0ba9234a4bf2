"""What earlier runs say about how long a step takes: on a host, or on hosts of its tier. Pure.

The estimate of a plan, the live view's time left and what is called slow all ask here.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Literal, NamedTuple

SAMPLES_MIN = 3
"""Fewer earlier times say nothing about what is usual."""
SLOW_FACTOR = 2.0
SLOW_EXTRA_S = 5.0
"""A step is slow when it takes this many times as long as usual, and this much longer."""


class Sample(NamedTuple):
    """How long a step took on a host in one run."""

    title: str
    tier: str
    host: str
    run: int
    """Number of the run in its journal: a later one is greater."""
    seconds: float


class Usual(NamedTuple):
    """What a step usually takes."""

    seconds: float
    """The median."""
    samples: int
    whose: Literal["its own", "its tier's", "the others'"]
    """its own: of earlier runs on the host; the others': of hosts of its tier in the same run."""


class History:
    """The last times of steps in earlier runs."""

    def __init__(self, samples: Iterable[Sample] = ()) -> None:
        self._of_host: dict[tuple[str, str], list[float]] = {}
        self._of_tier: dict[tuple[str, str], list[float]] = {}
        self._runs: dict[str, set[int]] = {}
        self._usual: dict[tuple[str, str, str], Usual | None] = {}
        for title, tier, host, run, seconds in samples:
            self._of_host.setdefault((title, host), []).append(seconds)
            self._of_tier.setdefault((title, tier), []).append(seconds)
            self._runs.setdefault(title, set()).add(run)

    def runs_of(self, title: str) -> int:
        """In how many earlier runs the step was timed."""
        return len(self._runs.get(title, ()))

    def expected_s(self, title: str, tier: str) -> float | None:
        """The median over hosts of the tier, from one time on; None: never timed there."""
        times = self._of_tier.get((title, tier))
        return median(times) if times else None

    def usual(self, title: str, tier: str, host: str) -> Usual | None:
        """What the step usually takes on this host, else on its tier; None: too few times."""
        place = (title, tier, host)
        if place not in self._usual:
            self._usual[place] = self._look(*place)
        return self._usual[place]

    def _look(self, title: str, tier: str, host: str) -> Usual | None:
        own = self._of_host.get((title, host), ())
        if len(own) >= SAMPLES_MIN:
            return Usual(median(own), len(own), "its own")
        others = self._of_tier.get((title, tier), ())
        if len(others) >= SAMPLES_MIN:
            return Usual(median(others), len(others), "its tier's")
        return None


def is_slow(seconds: float, usual: Usual) -> bool:
    """Whether it is worth telling a person."""
    return seconds >= usual.seconds * SLOW_FACTOR and seconds >= usual.seconds + SLOW_EXTRA_S


def median(times: Iterable[float]) -> float:
    """The middle one, or halfway between the two; of at least one time."""
    ordered = sorted(times)
    half = len(ordered) // 2
    return ordered[half] if len(ordered) % 2 else (ordered[half - 1] + ordered[half]) / 2
