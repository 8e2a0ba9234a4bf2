"""The line of starts: oldest attention first, fair between instances."""

from __future__ import annotations

import heapq

from fleetctl.pools.overseer.states import RESUMED

TYPE_CHECKING = False
if TYPE_CHECKING:
    from fleetctl.pools.overseer.pools import Slot

TURN_S = 1.0
"""How much later each further start of one instance comes, while others are in the line."""


LATER_S = {"due": 30.0, "probe": 60.0, "reload": 5.0}
"""By trigger: how much later these come than somebody's work that asks at the same moment."""
RESUMED_LATER_S = 30.0
"""How much later those come that merely ran before they were held."""


class Start:
    """A wish to start a process in a slot."""

    __slots__ = ("asked_at", "cause", "grows", "place", "trigger")

    def __init__(self, trigger: str, cause: str, asked_at: float, *, grows: bool = False) -> None:
        self.trigger = trigger
        self.cause = cause
        self.asked_at = asked_at
        self.grows = grows
        """One more beside others: it must leave the memory reserve alone."""
        self.place = 0


class Starts:
    """Slots in line, each at most once."""

    def __init__(self) -> None:
        self._heap: list[tuple[float, int, Slot]] = []
        self._wishes: dict[Slot, Start] = {}
        self._turns: dict[str, float] = {}
        self._count = 0

    def __len__(self) -> int:
        return len(self._wishes)

    def __contains__(self, slot: Slot) -> bool:
        return slot in self._wishes

    def push(self, slot: Slot, start: Start) -> None:
        """Put a slot in line; one that stands there keeps its place, unless work asks for it."""
        known = self._wishes.get(slot)
        if known is not None and (start.grows or not known.grows):
            return
        asked_at = start.asked_at + LATER_S.get(start.trigger, 0.0)
        if start.cause == RESUMED:
            turn = asked_at + RESUMED_LATER_S
        else:
            instance = slot.pool.instance
            turn = max(asked_at, self._turns.get(instance, float("-inf")) + TURN_S)
            self._turns[instance] = turn
        self._wishes[slot] = start
        self._count += 1
        start.place = self._count
        heapq.heappush(self._heap, (turn, self._count, slot))

    def pop(self) -> tuple[Slot, Start] | None:
        """The next in line."""
        while self._heap:
            _, place, slot = heapq.heappop(self._heap)
            start = self._wishes.get(slot)
            if start is None or start.place != place:
                continue  # taken out of the line since
            del self._wishes[slot]
            if not self._wishes:
                self._heap.clear()
                self._turns.clear()
            return slot, start
        return None

    def drop(self, slot: Slot) -> None:
        """Take a slot out of the line."""
        self._wishes.pop(slot, None)
