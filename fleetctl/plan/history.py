"""What earlier runs say about how long a step takes: on a host, or on hosts of its tier. Pure.

The estimate of a plan, the live view's time left and what is called slow all ask here.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Literal, NamedTuple

from fleetctl.plan.model import Plan

SAMPLES_MIN = 3
"""Fewer earlier times say nothing about what is usual."""
SLOW_FACTOR = 2.0
SLOW_EXTRA_S = 5.0
"""A step is slow when it takes this many times as long as usual, and this much longer."""


def names_of(plan: Plan) -> dict[str, str]:
    """Step key -> the name its times are kept under: its title, whatever the release."""
    return {
        step.key: step.title.replace(phase.release, "RELEASE") if phase.release else step.title
        for phase in plan.phases
        for step in phase.steps
    }


class Sample(NamedTuple):
    """How long a step took on a host in one run."""

    name: str
    """See `names_of`."""
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


class _Times:
    """All times of one step."""

    def __init__(self, samples: Iterable[Sample]) -> None:
        self.hosts: dict[str, list[float]] = {}
        self.tiers: dict[str, list[float]] = {}
        self.medians: dict[str, float] = {}
        """Tier -> median, once it was asked for."""
        self.runs: dict[str, dict[int, list[float]]] = {}
        """Tier -> run -> times."""
        for _, tier, host, run, seconds in samples:
            self.hosts.setdefault(host, []).append(seconds)
            self.tiers.setdefault(tier, []).append(seconds)
            self.runs.setdefault(tier, {}).setdefault(run, []).append(seconds)


class History:
    """The last times of steps in earlier runs; a step is looked into when it is asked for."""

    def __init__(self, samples: Iterable[Sample] = ()) -> None:
        self._samples: dict[str, list[Sample]] = {}
        self._times: dict[str, _Times] = {}
        self._usual: dict[tuple[str, str, str], Usual | None] = {}
        for sample in samples:
            self._samples.setdefault(sample.name, []).append(sample)

    def _of(self, name: str) -> _Times:
        if name not in self._times:
            self._times[name] = _Times(self._samples.get(name, ()))
        return self._times[name]

    def runs_of(self, name: str) -> int:
        """In how many earlier runs the step was timed."""
        return len({run for runs in self._of(name).runs.values() for run in runs})

    def medians_of_runs(self, name: str, tier: str) -> list[float]:
        """The median over hosts of the tier, of each earlier run that timed it."""
        return [median(times) for times in self._of(name).runs.get(tier, {}).values()]

    def expected_s(self, name: str, tier: str) -> float | None:
        """The median over hosts of the tier, from one time on; None: never timed there."""
        times = self._of(name)
        if tier in times.tiers and tier not in times.medians:
            times.medians[tier] = median(times.tiers[tier])
        return times.medians.get(tier)

    def usual(self, name: str, tier: str, host: str) -> Usual | None:
        """What the step usually takes on this host, else on its tier; None: too few times."""
        place = (name, tier, host)
        if place not in self._usual:
            self._usual[place] = self._look(*place)
        return self._usual[place]

    def _look(self, name: str, tier: str, host: str) -> Usual | None:
        own = self._of(name).hosts.get(host, ())
        if len(own) >= SAMPLES_MIN:
            return Usual(median(own), len(own), "its own")
        count = len(self._of(name).tiers.get(tier, ()))
        expected_s = self.expected_s(name, tier)
        if expected_s is None or count < SAMPLES_MIN:
            return None
        return Usual(expected_s, count, "its tier's")


def is_slow(seconds: float, usual: Usual) -> bool:
    """Whether it is worth telling a person."""
    return seconds >= usual.seconds * SLOW_FACTOR and seconds >= usual.seconds + SLOW_EXTRA_S


def median(times: Iterable[float]) -> float:
    """The middle one, or halfway between the two; of at least one time."""
    ordered = sorted(times)
    half = len(ordered) // 2
    return ordered[half] if len(ordered) % 2 else (ordered[half - 1] + ordered[half]) / 2
