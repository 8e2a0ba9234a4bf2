"""What a run changed, read from its records: which hosts it switched, which schemas it upgraded.

Pure: nothing here opens a journal.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple

from msgspec import UNSET

from fleetctl.base.outcome import Outcome
from fleetctl.plan.goback import switches_of
from fleetctl.plan.model import Plan
from fleetctl.playbook.operations import Foreach
from fleetctl.rollout import records as r


class Changed(NamedTuple):
    """What a run did, and what it may have done."""

    hosts: frozenset[str]
    """Switched, or nobody knows; not those that were taken back."""
    items: int = 0
    """Instances whose schema it upgraded."""
    schema: int = 0
    """To which migration; 0: to the newest there was."""
    check_only: bool = False


def changed_by(plan: Plan, records: Iterable[r.Record]) -> Changed:
    """What the run of `plan` that left these records changed."""
    reader = _Reader(plan)
    for record in records:
        reader.read(record)
    return reader.changed()


class _Reader:
    def __init__(self, plan: Plan) -> None:
        self._switches = switches_of(plan)
        self._upgrades: dict[str, int] = {}
        for phase in plan.phases:
            if phase.schema is not UNSET and phase.schema.upgrades:
                steps = (step for step in phase.steps if isinstance(step.operation, Foreach))
                self._upgrades.update((step.key, phase.schema.to) for step in steps)
        self._sent: set[tuple[str, str]] = set()
        """Host and key of switches that are out, and nobody knows how they ended."""
        self._done: set[tuple[str, str]] = set()
        self._items: set[tuple[str, str]] = set()
        self._to = 0
        self._check_only = False

    def read(self, record: r.Record) -> None:
        if isinstance(record, r.RunOpened):
            self._check_only = record.check_only
        elif isinstance(record, r.SegmentSent) and not record.restore and not record.undo:
            self._sent |= {(record.host, key) for key in self._switches.intersection(record.keys)}
        elif isinstance(record, r.OrderLost) and not record.sent:
            self._sent -= {each for each in self._sent if each[0] == record.host}
        elif isinstance(record, r.AskAnswered):
            self._sent -= {(record.host, key) for key in record.absent}
        elif isinstance(record, r.StepSettled) and not record.restore:
            self._read_step(record)
        elif isinstance(record, r.ItemSettled):
            self._read_item(record)

    def _read_step(self, record: r.StepSettled) -> None:
        place = record.host, record.key
        if record.key not in self._switches:
            # The steps behind it were not begun, unless nobody knows.
            if record.outcome in (Outcome.FAILED, Outcome.TIMED_OUT) and not record.undo:
                self._sent -= {each for each in self._sent if each[0] == record.host}
            return
        self._sent.discard(place)
        if record.undo:
            if not record.outcome.lost:
                self._done.discard(place)
        elif record.outcome is Outcome.CHANGED or record.outcome.lost:
            self._done.add(place)

    def _read_item(self, record: r.ItemSettled) -> None:
        if record.key in self._upgrades and record.outcome is Outcome.CHANGED:
            self._items.add((record.host, record.item))
            self._to = max(self._to, self._upgrades[record.key])

    def changed(self) -> Changed:
        if self._check_only:
            return Changed(frozenset(), check_only=True)
        hosts = frozenset(host for host, _ in self._done | self._sent)
        return Changed(hosts, len(self._items), self._to)
