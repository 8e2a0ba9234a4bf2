"""The line of starts: oldest attention first, fair between instances.

While the line is long, in turn with the youngest: whoever comes while a thousand stand there is
served after a few of them, and they all the same. And who comes by itself then may start beside as
many as may at once, if no other does: in the very turn in which it is heard of.
"""

from __future__ import annotations

import heapq

from fleetctl.pools.overseer.states import RESUMED

TYPE_CHECKING = False
if TYPE_CHECKING:
    from fleetctl.pools.overseer.pools import Slot

TURN_S = 1.0
"""How much later each further start of one instance comes, while others are in the line."""


LONG = 16
"""With more in line than this, every second start is that of whoever came last."""

FEW = 4
"""So many that come in one turn come by themselves; more are a storm."""
LATE_MOST = 64

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
        self._latest: list[tuple[int, Slot]] = []
        """In the order they came; those whose start is nobody's work stand in the heap alone."""
        self._came: list[tuple[int, Slot]] = []
        """Who came to a long line since the last turn."""
        self._late: list[tuple[int, Slot]] = []
        """Who came to it by itself, and may still stand there."""
        self._even = False

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
        if start.trigger not in LATER_S and not start.grows:
            self._latest.append((self._count, slot))
            if self.long:
                self._came.append((self._count, slot))
            if len(self._latest) > 2 * len(self._wishes) + LONG:
                self._latest = [known for known in self._latest if self._stands(known[1], known[0])]

    @property
    def long(self) -> bool:
        """So many stand there that who comes last should not have to wait for all."""
        return len(self._wishes) > LONG

    def turn(self) -> None:
        """A turn is over: who came in it came by itself, or in a storm."""
        if len(self._came) <= FEW:
            self._late = [*self._late, *self._came][-LATE_MOST:]
        self._came.clear()

    def pop(self, *, late: bool = False) -> tuple[Slot, Start] | None:
        """The next in line; `late`: of a long one, only who came to it by itself."""
        if not self.long:
            slot = self._oldest()
        elif late:
            slot = self._youngest(self._late)
        else:
            self._even = not self._even
            slot = (self._youngest(self._latest) if self._even else None) or self._oldest()
        if slot is None:
            return None
        start = self._wishes.pop(slot)
        if not self._wishes:
            for known in (self._heap, self._turns, self._latest, self._late, self._came):
                known.clear()
        return slot, start

    def peek(self) -> tuple[Slot, Start] | None:
        """Whose turn it is by the time they asked; it stays in line."""
        while self._heap:
            _, place, slot = self._heap[0]
            if self._stands(slot, place):
                return slot, self._wishes[slot]
            heapq.heappop(self._heap)
        return None

    def _youngest(self, latest: list[tuple[int, Slot]]) -> Slot | None:
        """Who came last, of those whose work somebody has: no instance can hold that place."""
        while latest:
            place, slot = latest.pop()
            if self._stands(slot, place):
                return slot
        return None

    def _oldest(self) -> Slot | None:
        """Whose turn it is by the time they asked."""
        while self._heap:
            _, place, slot = heapq.heappop(self._heap)
            if self._stands(slot, place):
                return slot
        return None

    def _stands(self, slot: Slot, place: int) -> bool:
        """It was not taken out of the line since, nor put in anew."""
        start = self._wishes.get(slot)
        return start is not None and start.place == place

    def drop(self, slot: Slot) -> None:
        """Take a slot out of the line."""
        self._wishes.pop(slot, None)
