"""A round of items at work on a simulated host, and what the host's disk keeps of items."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from typing import TYPE_CHECKING

import msgspec

from fleetctl.transport.protocol import (
    ItemEnd,
    ItemOrder,
    Round,
    RunSegment,
    StepEnd,
    StepOrder,
)

if TYPE_CHECKING:
    from fleetctl.transport.simhost import SimHost

WELL = ("acted", "checked")
Told = tuple[tuple[ItemEnd, ...], bool]
"""Items with their ends, and whether all are told."""


class ItemRecord(msgspec.Struct):
    """What a host has on disk about one item; no end: it was begun."""

    try_no: int
    end: StepEnd | None = None


class RoundWork:
    """One round; what it changes on the host's disk outlives it."""

    def __init__(
        self, host: SimHost, order: RunSegment, step: StepOrder, over: Callable[[Told], None]
    ) -> None:
        assert isinstance(step.operation, Round)
        self.dead = False
        self._host = host
        self._order = order
        self._step = step
        self._round = step.operation
        self._over = over
        self._pending: deque[ItemOrder] = deque()
        self._running: dict[str, ItemRecord] = {}
        self._ends: list[ItemEnd] = []
        self._lost = 0

    def begin(self) -> None:
        """Tell what the disk knows, in any case; then begin."""
        for item in self._round.items:
            record = self._host.item_record(self._order.run, self._round.key, item.name)
            if record is not None and (record.end in WELL or item.try_no <= record.try_no):
                self._tell(item.name, record.end or "interrupted", replayed=True)
            else:
                self._pending.append(item)
        self.go_on()

    def go_on(self) -> None:
        """Begin what may begin; over when nothing runs and nothing may begin."""
        while (
            self._pending
            and len(self._running) < self._round.concurrency
            and self._lost <= self._round.lose
            and len(self._host.items) < self._host.items_max
        ):
            self._take(self._pending.popleft())
        if not self._running and not self.dead:
            self.dead = True
            self._over((tuple(self._ends), True))

    def kill(self) -> Told:
        """End every item that runs."""
        self.dead = True
        for name, record in self._running.items():
            self._end(name, record, "killed")
        return tuple(self._ends), True

    def _take(self, item: ItemOrder) -> None:
        place = (self._order.run, self._round.key, item.name)
        verdict = self._host.world.item(self._host.name, self._step, item.name)
        record = self._host.items[place] = ItemRecord(item.try_no)
        if verdict.end != "checked":
            witness = self._host.world.witness
            witness.item_began(self._host.name, self._order, self._step, item)
        self._running[item.name] = record
        self._host.later(verdict.duration_s, lambda: self._ended(item.name, record, verdict.end))

    def _ended(self, name: str, record: ItemRecord, end: StepEnd) -> None:
        if self.dead:
            return
        del self._running[name]
        self._end(name, record, end)
        self.go_on()

    def _end(self, name: str, record: ItemRecord, end: StepEnd) -> None:
        record.end = end
        self._host.world.witness.item_ended(self._host.name, self._order, self._step, name, end)
        self._tell(name, end, replayed=False)

    def _tell(self, name: str, end: StepEnd, *, replayed: bool) -> None:
        self._lost += end not in WELL
        self._ends.append(ItemEnd(name, end, duration_s=1.0, replayed=replayed))
