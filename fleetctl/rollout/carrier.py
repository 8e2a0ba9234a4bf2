"""Carrying a run's journal to hosts of the fleet while it is driven, for who looks from elsewhere.

A thread of its own reads durable records from the journal and sends what is new. It keeps nothing
in memory but how far it got, and neither delays nor stops the run.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Mapping, Sequence
from itertools import islice

import msgspec

from fleetctl.base.errors import FleetError
from fleetctl.journal.rows import RunRow, StoredRecord
from fleetctl.journal.store import Journal
from fleetctl.plan.model import Plan
from fleetctl.rollout import carried
from fleetctl.rollout.carried import BUNDLE_BYTES, Link
from fleetctl.rollout.ground import Reply
from fleetctl.rollout.observers import Recorded
from fleetctl.rollout.records import RunEnded, RunResumed
from fleetctl.transport import carriage
from fleetctl.transport.carriage import LegName
from fleetctl.transport.protocol import Looked, Lost, Said

PAUSE_S = 1.0
"""Between two sendings: most news are so late."""
BEAT_S = 5.0
"""Without news a sign of life is sent so often."""
_AGAIN_S = 3.0
_WITHIN_S = 15.0
_RECORDS_MAX = 500
Look = Callable[[Mapping[str, str], float], Mapping[str, Reply]]
"""Asks hosts, each its text, within so many seconds (`Ground.look`)."""


class _Keeper:
    """How far one host has got."""

    def __init__(self, parts: Sequence[tuple[str, bytes]], begun: Link) -> None:
        self.parts = list(parts)
        """Of the head: not there yet."""
        self.link = begun
        self.next: tuple[Link, tuple[int, bytes]] | None = None
        """A bundle on its way; it is sent again as it is until an answer comes."""
        self.exit_told: int | None = None
        self.not_before_s = 0.0
        self.sent_parts = 0
        """Of the head, in the look that is out."""
        self.sent_records = False
        """Whether that look also has records, or a sign of life."""


class Carrier:
    """An observer whose view is elsewhere."""

    name = "the carried journal"

    def __init__(
        self,
        hosts: Sequence[str],
        look: Look,
        journal: Journal,
        head: tuple[RunRow, Plan],
        leg: LegName,
        tell: Callable[[str], None],
    ) -> None:
        row, plan = head
        blob = msgspec.msgpack.encode(plan)
        pieces = carried.pack_plan(blob)
        # The row comes last: what is listed is whole.
        parts = [(f"plan.{n}.{len(pieces)}", piece) for n, piece in enumerate(pieces)]
        parts.append(("row", carried.pack_row(row)))
        begun = carried.begin(row, blob)
        self._hosts = {host: _Keeper(parts, begun) for host in hosts}
        self._look, self._journal, self._tell = look, journal, tell
        self._row, self._leg = row, leg
        self._last_seq = 0
        self._exit_code: int | None = None
        self._told = False
        self._wake, self._closing = threading.Event(), threading.Event()
        self._thread = threading.Thread(target=self._carry, name="fleetctl-carrier", daemon=True)
        self._thread.start()

    # ---- an observer

    def recorded(self, batch: Sequence[Recorded]) -> None:
        """There is news: how far the journal goes is all that is kept."""
        if not batch:
            return
        for _, _, record in batch:
            if isinstance(record, RunEnded):
                self._exit_code = record.exit_code
            elif isinstance(record, RunResumed):
                self._exit_code = None
        self._last_seq = batch[-1].seq
        self._wake.set()

    def said(self, said: Said) -> None:
        """Lines of running steps stay here."""

    def notice(self, text: str) -> None:
        """What is no record stays here."""

    def trouble(self) -> str:
        """Trouble with a host is told once, by itself, and mended when it can be."""
        return ""

    def close(self, wait_s: float) -> None:
        """Send the rest, for at most `wait_s`."""
        self._closing.set()
        self._wake.set()
        self._thread.join(wait_s)

    # ---- its thread

    def _carry(self) -> None:
        while True:
            self._wake.wait(BEAT_S)
            closing = self._closing.is_set()
            self._wake.clear()
            try:
                self._round(closing)
            except (FleetError, OSError) as error:
                self._tell_once(str(error))
                return
            if closing:
                return
            self._closing.wait(PAUSE_S)

    def _round(self, closing: bool) -> None:
        """Send every host what it has not, until all have all or do not answer."""
        beat = True
        while True:
            now_s = time.monotonic()
            texts = {}
            for host, keeper in self._hosts.items():
                if (closing or now_s >= keeper.not_before_s) and (text := self._text(keeper, beat)):
                    texts[host] = text
            if not texts:
                return
            replies = self._look(texts, _WITHIN_S)
            for host in texts:
                self._heed(host, replies.get(host))
            beat = False
            if closing and not all(
                _is_kept(replies.get(host), self._hosts[host]) for host in texts
            ):
                return

    def _text(self, keeper: _Keeper, beat: bool) -> str:
        """What this host is sent next; empty when it has all."""
        fleet, run = self._row.fleet, self._row.id
        orders = self._head(keeper)
        keeper.sent_parts, keeper.sent_records = len(orders), False
        if len(orders) == len(keeper.parts) and (order := self._news(keeper, beat)):
            orders.append(order)
            keeper.sent_records = True
        return carriage.send_text(fleet, run, *orders) if orders else ""

    @staticmethod
    def _head(keeper: _Keeper) -> list[str]:
        """Orders for what is missing of row and plan, as much as goes into one look."""
        orders: list[str] = []
        for part in keeper.parts:
            orders.append(carriage.keep(*part))
            if sum(map(len, orders)) > carriage.PART_CHARS:
                break
        return orders

    def _news(self, keeper: _Keeper, beat: bool) -> str:
        """The order for the next records, or for a sign of life; empty when there is no need."""
        if keeper.next is None and keeper.link.seq < self._last_seq:
            records = self._records(keeper.link.seq)
            link, data = carried.bundle(keeper.link, records)
            keeper.next = link, (records[0].seq, data)
        code = self._exit_code
        if keeper.next is None:
            if not beat and keeper.exit_told == code:
                return ""
            return carriage.add(self._leg, code, None)
        if keeper.next[0].seq < self._last_seq:
            code = None  # more is to come
        return carriage.add(self._leg, code, keeper.next[1])

    def _records(self, after: int) -> list[StoredRecord]:
        found: list[StoredRecord] = []
        size = 0
        for record in islice(self._journal.records(self._row.id, after), _RECORDS_MAX):
            size += len(record.body)
            if found and size > BUNDLE_BYTES:
                break
            found.append(record)
        return found

    def _heed(self, host: str, reply: Reply | None) -> None:
        keeper = self._hosts[host]
        if not _is_kept(reply, keeper):
            keeper.not_before_s = time.monotonic() + _AGAIN_S
            self._tell_once(f"{host}: {_trouble(reply)}")
            return
        del keeper.parts[: keeper.sent_parts]
        if not keeper.sent_records:
            return
        if keeper.next is not None:
            keeper.link, keeper.next = keeper.next[0], None
            keeper.exit_told = self._exit_code if keeper.link.seq == self._last_seq else None
        else:
            keeper.exit_told = self._exit_code

    def _tell_once(self, why: str) -> None:
        if not self._told:
            self._told = True
            self._tell(f"the journal is not carried just now, the run goes on: {why}")


def _is_kept(reply: Reply | None, keeper: _Keeper) -> bool:
    orders = keeper.sent_parts + keeper.sent_records
    return isinstance(reply, Looked) and carriage.is_kept(reply.stdout.head, orders)


def _trouble(reply: Reply | None) -> str:
    if isinstance(reply, Looked):
        return "its disk takes nothing" if b"disk" in reply.stdout.head else "it did not take it"
    return reply.detail if isinstance(reply, Lost) else "no answer"
