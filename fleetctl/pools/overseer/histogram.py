"""How long wakes took, from the moment somebody asked until the daemon was ready."""

from __future__ import annotations

BOUNDS_S = (0.001, 0.002, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.0, 5.0, 10.0, 30.0)


class Histogram:
    """Counts by upper bound, in a fixed handful of numbers."""

    __slots__ = ("count", "counts", "most_s", "sum_s")

    def __init__(self) -> None:
        self.counts = [0] * (len(BOUNDS_S) + 1)
        self.count = 0
        self.sum_s = 0.0
        self.most_s = 0.0

    def add(self, seconds: float) -> None:
        """One more wake."""
        place = sum(seconds > bound for bound in BOUNDS_S)
        self.counts[place] += 1
        self.count += 1
        self.sum_s += seconds
        self.most_s = max(self.most_s, seconds)

    def quantile_s(self, part: float) -> float:
        """The bound below which this part of the wakes stayed; the longest for the last bucket."""
        left = part * self.count
        for bound, count in zip(BOUNDS_S, self.counts):
            left -= count
            if left <= 0:
                return min(bound, self.most_s)
        return self.most_s
