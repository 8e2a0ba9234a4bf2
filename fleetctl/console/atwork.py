"""Which steps are out on which hosts of a run, from its records alone. Pure."""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple

from fleetctl.report.reading import Entry
from fleetctl.rollout import records as r


class Order(NamedTuple):
    """What a host was sent and has not ended."""

    keys: tuple[str, ...]
    since_s: float
    """Unix time since when the first of them is out."""
    way: str = ""
    """undo, restore, or nothing for the way on."""
    note: str = ""
    """Why it is not at work just now."""


class AtWork:
    """Hosts that may be at work now, by phase and host."""

    def __init__(self) -> None:
        self.orders: dict[tuple[str, str], Order] = {}

    def take(self, entries: Iterable[Entry]) -> AtWork:
        """Apply journal entries in order; itself again."""
        for entry in entries:
            self._apply(entry)
        return self

    def _apply(self, entry: Entry) -> None:
        record = entry.record
        if isinstance(record, (r.RunResumed, r.RunEnded)):
            self.orders.clear()
        elif isinstance(record, (r.SegmentSent, r.AskSent, r.AskAnswered, r.StepSettled)):
            self._order(record, entry.wall_s)
        elif isinstance(record, (r.OrderLost, r.RetryPlanned)):
            self._pause(record, entry.wall_s)
        elif isinstance(record, r.HostSettled):
            self.orders.pop((record.phase, record.host), None)

    def _order(
        self, record: r.SegmentSent | r.AskSent | r.AskAnswered | r.StepSettled, wall_s: float
    ) -> None:
        place = (record.phase, record.host)
        known = self.orders.get(place, Order((), wall_s))
        if isinstance(record, r.SegmentSent):
            way = "undo" if record.undo else "restore" if record.restore else ""
            self.orders[place] = Order(record.keys, wall_s, way)
        elif isinstance(record, r.AskSent):
            self.orders[place] = Order(record.keys, wall_s, note="asked what became of it")
        elif isinstance(record, r.AskAnswered):
            gone = {*record.absent, *record.again}
            left = tuple(key for key in known.keys if key not in gone)
            self.orders[place] = known._replace(keys=left, note="")
        else:
            left = tuple(key for key in known.keys if key != record.key)
            self.orders[place] = Order(() if record.outcome.lost else left, wall_s, known.way)

    def _pause(self, record: r.OrderLost | r.RetryPlanned, wall_s: float) -> None:
        place = (record.phase, record.host)
        known = self.orders.get(place, Order((), wall_s))
        if isinstance(record, r.OrderLost):
            known = known._replace(note=f"{record.what} ({record.cause})")
        else:
            known = known._replace(note=f"{record.reason} again in {record.after_s:.0f} s")
        self.orders[place] = known
