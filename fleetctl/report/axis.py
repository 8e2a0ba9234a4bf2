"""Time on paper: from Unix time to a place on a line. Pure.

The time between two legs of a run, when no controller was at it, is folded to a narrow gap.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import NamedTuple

GAP = 18.0
"""Width of a folded stretch."""
_NICE_S = (0.1, 0.2, 0.5, 1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1800, 3600, 7200, 14400,
           21600, 43200, 86400)  # fmt: skip
TICKS = 10


class Piece(NamedTuple):
    """A stretch of time that is shown, and where."""

    begin_s: float
    end_s: float
    left: float
    right: float


class Tick(NamedTuple):
    """A mark on the axis."""

    x: float
    seconds: float
    """Since the run began, as the clock goes."""


class Axis:
    """Maps Unix times between `left` and `right`."""

    def __init__(
        self, stretches: Sequence[tuple[float, float]], left: float, right: float,
        begin_s: float | None = None,
    ) -> None:  # fmt: skip
        """`stretches`: begin and end of each, in order, at least one.

        `begin_s`: when the clock of the ticks starts; left out, with the first stretch.
        """
        self.begin_s = stretches[0][0] if begin_s is None else begin_s
        self.left, self.right = left, right
        shown_s = sum(max(0.0, end - begin) for begin, end in stretches) or 1.0
        room = right - left - GAP * (len(stretches) - 1)
        self.per_s = room / shown_s
        self.pieces: list[Piece] = []
        at = left
        for begin, end in stretches:
            width = max(0.0, end - begin) * self.per_s
            self.pieces.append(Piece(begin, end, at, at + width))
            at += width + GAP

    def x(self, wall_s: float) -> float:
        """The place of a moment; what lies outside is drawn at the nearest edge."""
        for piece in self.pieces:
            if wall_s <= piece.end_s:
                inside_s = max(0.0, wall_s - piece.begin_s)
                return min(self.right, piece.left + inside_s * self.per_s)
        return self.pieces[-1].right

    def shows(self, begin_s: float, end_s: float) -> bool:
        """Whether any of that time is on the line."""
        return any(begin_s <= one.end_s and end_s >= one.begin_s for one in self.pieces)

    def gaps(self) -> list[tuple[float, float]]:
        """Left and right of each folded stretch."""
        pairs = zip(self.pieces, self.pieces[1:], strict=False)
        return [(before.right, after.left) for before, after in pairs]

    def ticks(self) -> list[Tick]:
        """About ten round times, none within a folded stretch."""
        shown_s = sum(piece.end_s - piece.begin_s for piece in self.pieces)
        step_s = next((nice for nice in _NICE_S if shown_s / nice <= TICKS), 86400)
        found = []
        for piece in self.pieces:
            first = math.ceil((piece.begin_s - self.begin_s) / step_s - 1e-9)
            last = math.floor((piece.end_s - self.begin_s) / step_s + 1e-9)
            for number in range(first, min(last, first + 4 * TICKS) + 1):
                found.append(Tick(self.x(self.begin_s + number * step_s), number * step_s))
        return found
