"""Hosts that took much longer over a step than they use to. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import NamedTuple

from fleetctl.base.durations import format_duration
from fleetctl.base.outcome import Outcome
from fleetctl.plan.history import History, Usual, is_slow, median
from fleetctl.rollout.records import StepSettled

PEERS_MIN = 5
"""Hosts of a tier it takes in one run to say that one of them is slow, when nothing is known of
earlier runs."""


class Timed(NamedTuple):
    """A step that did something on a host, and how long it took."""

    phase: str
    host: str
    tier: str
    title: str
    name: str
    """Under which its times are kept."""
    seconds: float


class Slow(NamedTuple):
    """A step that took a host much longer than usual."""

    timed: Timed
    usual: Usual

    @property
    def factor(self) -> float:
        return self.timed.seconds / self.usual.seconds if self.usual.seconds else 0.0

    @property
    def words(self) -> str:
        """`repo007: 4x its own median at "deploy" (12 s -> 48 s)`."""
        times = f"{self.factor:.0f}x" if self.factor >= 1.5 else "far beyond"
        before, now = map(format_duration, (self.usual.seconds, self.timed.seconds))
        return (
            f"{self.timed.host}: {times} {self.usual.whose} median at `{self.timed.title}` "
            f"({before} -> {now})"
        )


def timed_step(
    record: StepSettled, tier: str, titles: Mapping[str, str], names: Mapping[str, str]
) -> Timed | None:
    """What a step's end says about its time; None when it did nothing, or failed.

    `titles` and `names` by the step's key.
    """
    did = record.outcome in (Outcome.CHANGED, Outcome.OK) and record.duration_s > 0
    if not did or record.replayed or record.undo or record.restore:
        return None
    key = record.key
    return Timed(
        record.phase, record.host, tier, titles.get(key, key), names.get(key, key),
        record.duration_s,
    )  # fmt: skip


def slow_steps(timed: Iterable[Timed], history: History) -> list[Slow]:
    """The slow ones, the worst first."""
    steps = list(timed)
    peers: dict[tuple[str, str], list[float]] = {}
    for one in steps:
        peers.setdefault((one.title, one.tier), []).append(one.seconds)
    others = {
        place: Usual(median(times), len(times), "the others'")
        for place, times in peers.items()
        if len(times) >= PEERS_MIN
    }
    found = []
    for one in steps:
        usual = history.usual(one.name, one.tier, one.host) or others.get((one.title, one.tier))
        if usual is not None and is_slow(one.seconds, usual):
            found.append(Slow(one, usual))
    return sorted(found, key=lambda slow: (-slow.factor, slow.timed.host, slow.timed.title))
