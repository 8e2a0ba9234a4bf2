"""Rehearsing a poisoned task: whoever takes a task of the pool is ended at it, again and again."""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable

    from fleetctl.pools.overseer.book import Record

TIMES = 3
"""So many tries at it fail; then it is as if somebody had taken the task away."""


class Poison:
    """Pools with a poisoned task, and how many tries at it will still fail."""

    def __init__(self) -> None:
        self._left: dict[str, int] = {}

    def give(self, pool: str, times: int = TIMES) -> None:
        """Put a poisoned task into a pool."""
        self._left[pool] = times

    def taken(self, records: Iterable[Record]) -> list[tuple[str, int]]:
        """Slots, by pool and number, whose process has just taken a poisoned task."""
        if not self._left:
            return []
        found = []
        for record in records:
            name = record.get("p", "")
            if record["e"] == "move" and record["to"] == "busy" and name in self._left:
                self._left[name] -= 1
                found.append((name, record["n"]))
                if not self._left[name]:
                    del self._left[name]
        return found
