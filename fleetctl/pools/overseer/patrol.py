"""Pools of a source of attention that fails for long are woken in turn, to look for themselves."""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

BLIND_S = 60.0
"""A source that has not finished a look for so long (or ten times its interval) is blind."""
ROUND_S = 60.0
"""No pool is woken more often, however few there are."""


def blind(saw_at: float, every_s: float, now: float) -> bool:
    """Whether a source that last looked at `saw_at` is to be trusted no longer."""
    return now - saw_at > max(BLIND_S, 10 * every_s)


class Patrol:
    """The way through the pools of one source."""

    __slots__ = ("_at", "_began", "_names", "woken")

    def __init__(self) -> None:
        self._names: Sequence[str] = ()
        self._at = 0
        self._began = float("-inf")
        self.woken = 0

    def due(self, names: Callable[[], Sequence[str]], room: int, now: float) -> Sequence[str]:
        """Who is to be woken in this second: as many as a round in its time needs, at most `room`.

        A round goes on through the names it began with; with many pools it takes longer.
        """
        if self._at >= len(self._names):
            if now - self._began < ROUND_S:
                return ()
            self._names, self._at, self._began = names(), 0, now
        fair = -(-len(self._names) // int(ROUND_S))
        chosen = self._names[self._at : self._at + min(fair, room)]
        self._at += len(chosen)
        return chosen
