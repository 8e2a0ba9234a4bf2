"""Promises about items: what a run's records say of them, held against what truly happened."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from fleetctl.base.outcome import Outcome
from fleetctl.playbook.operations import Foreach
from fleetctl.rollout import records as r
from fleetctl.transport.protocol import ItemOrder, Round, RunSegment, StepEnd, StepOrder
from tests.sim.books import WELL, HostBook, demand

if TYPE_CHECKING:
    from tests.sim.ledger import Ledger
    from tests.sim.referee import Referee

Place = tuple[str, str]
"""Host and key of a foreach step."""
_TRUE: dict[Outcome, tuple[StepEnd, ...]] = {
    Outcome.CHANGED: ("acted",),
    Outcome.SKIPPED: ("checked",),
    Outcome.FAILED: ("failed", "killed"),
    Outcome.TIMED_OUT: ("timed out",),
}


@dataclass(slots=True)
class ItemEffect:
    """The act of one item, begun; `end` is None while it runs, and for ever after a reboot."""

    ticket: int
    leg: int
    mended: int
    """How often lost hosts had been taken up when it began."""
    end: StepEnd | None = None


@dataclass(slots=True)
class ItemBook:
    """One foreach step on one host, as its records say."""

    ends: dict[str, Outcome | None]
    round: set[str] = field(default_factory=set)

    @property
    def lost(self) -> int:
        return sum(end is not None and end.lost for end in self.ends.values())


class ItemRules:
    """The referee's books of items."""

    def __init__(self, referee: Referee) -> None:
        self.books: dict[Place, ItemBook] = {}
        self.mended, self.only_failed = 0, False
        self.tickets: dict[Place, int] = {}
        self._referee = referee
        self.takers: dict[type, Callable[[Any], None]] = {
            r.ItemsListed: self._list, r.ItemsSent: self._send, r.ItemSettled: self._settle,
            r.RoundEnded: self._end_round,
        }  # fmt: skip

    def lost_in(self, phase: str) -> int:
        """Items of the phase that are lost now."""
        steps = {step.key for step in self._referee.phases[phase].plan.steps}
        return sum(book.lost for (_, key), book in self.books.items() if key in steps)

    def lost_on(self, book: HostBook) -> bool:
        """Whether the host lost items in that phase."""
        steps = self._referee.phases[book.phase].index_of
        return any(
            host == book.host and key in steps and items.lost
            for (host, key), items in self.books.items()
        )

    def budget_of(self, phase: str) -> int:
        return self._referee.phases[phase].plan.budget.items or 0

    def resume(self, *, only_failed: bool) -> None:
        self.only_failed = only_failed
        self.mended += only_failed

    def take_up(self, book: HostBook) -> None:
        """The host was lost, or items of it were: lost items are to be done again."""
        if not self.only_failed or book.way == ".undo":
            return
        steps = self._referee.phases[book.phase].index_of
        for (host, key), items in self.books.items():
            if host != book.host or key not in steps or not items.lost:
                continue
            for name, end in items.ends.items():
                items.ends[name] = None if end is not None and end.lost else end
            if book.told.get(key) is not Outcome.UNKNOWN:
                book.well.discard(key)
                book.told.pop(key, None)

    def reask(self, book: HostBook) -> None:
        """The host is asked anew about its open orders: items of rounds among them as well."""
        for key in book.open:
            items = self.books.get((book.host, key))
            if items is not None:
                for name in items.round:
                    unknown = items.ends[name] is Outcome.UNKNOWN
                    items.ends[name] = None if unknown else items.ends[name]

    def check_end(self, record: r.StepSettled, *, was_open: bool) -> None:
        """A foreach step that ended well has no item without an end."""
        items = self.books.get((record.host, record.key))
        demand(items is not None, "5: a foreach step without a list", record)
        assert items is not None
        if record.outcome in WELL:
            left = [name for name, end in items.ends.items() if end is None]
            demand(not left, "5: a foreach step ended well without", record, left)
        demand(was_open or not items.ends, "5: settled unsent, though items are listed", record)
        if record.outcome is not Outcome.UNKNOWN:
            items.round = set()

    def check_exit(self, code: int) -> None:
        """Lost items are not told as success, unknown ones as nothing less."""
        ends = Counter(end for items in self.books.values() for end in items.ends.values())
        if code == 0:
            bad = [end for end, count in ends.items() if end is not None and end.lost and count]
            demand(not bad, "5: success told, but items are", bad)

    def _list(self, record: r.ItemsListed) -> None:
        ledger, host = self._referee.ledger, record.host
        said = ledger.listed(self._referee.run, host, f"{record.key}list")
        demand(said == record.items, "3: another list than the host's", record, said)
        place = host, record.key
        demand(place not in self.books, "3: listed twice", record)
        self.books[place] = ItemBook(dict.fromkeys(record.items))

    def _send(self, record: r.ItemsSent) -> None:
        place, referee = (record.host, record.key), self._referee
        items = self.books[place]
        where = f"{record.host} {record.key}"
        demand(referee.stop is None, "1: a round sent after a stop", where)
        lost, budget = self.lost_in(record.phase), self.budget_of(record.phase)
        demand(lost <= budget, "1: a round sent over the budget for items", where, lost, budget)
        twice = [name for name in record.items if items.ends[name] is not None]
        demand(not twice, "3: an item sent that has its end", where, twice)
        items.round = set(record.items)
        ticket = referee.book(record.phase, record.host).open[record.key]
        referee.ledger.witness.announce(referee.run, ticket, items.round, budget - lost)

    def _settle(self, record: r.ItemSettled) -> None:
        items = self.books[record.host, record.key]
        where = f"{record.host} {record.item}"
        demand(record.item in items.round, "3: an end of an item that was not sent", where)
        demand(items.ends[record.item] is None, "3: an item has two ends", where)
        self._referee.ledger.witness.check_truth(self._referee.run, record)
        if not record.again:
            items.ends[record.item] = record.outcome

    def _end_round(self, record: r.RoundEnded) -> None:
        book = self._referee.book(record.phase, record.host)
        del book.open[record.key]
        self.books[record.host, record.key].round = set()
        book.close_if_told()


class ItemWitness:
    """Sees every item that truly begins on a host, and objects at once."""

    def __init__(self, ledger: Ledger) -> None:
        self.effects: dict[tuple[str, str, str, str], list[ItemEffect]] = {}
        """(run, host, key, item) -> its acts, oldest first."""
        self.ends: dict[tuple[str, str, str, str], StepEnd] = {}
        self._announced: dict[tuple[str, int], set[str]] = {}
        self._most: dict[tuple[str, int], int] = {}
        """How many items more might be lost when the round went into the journal."""
        self._ledger = ledger

    def announce(self, run: str, ticket: int, items: set[str], most: int) -> None:
        """These items of a round are in a journal."""
        self._most[run, ticket] = most
        self._announced[run, ticket] = set(items)

    def submitted(self, order: RunSegment, step: StepOrder) -> None:
        """A round leaves its controller."""
        found = step.operation
        assert isinstance(found, Round)
        names = {item.name for item in found.items}
        known = self._announced.get((order.run, order.ticket), set())
        demand(names == known, "3: a round that is not in the journal", order.host, names, known)
        most = self._most[order.run, order.ticket]
        demand(found.lose <= most, "1: a round may lose more than is left", found.lose, most)

    def began(self, host: str, order: RunSegment, step: StepOrder, item: ItemOrder) -> None:
        """The act of an item begins."""
        found = step.operation
        assert isinstance(found, Round)
        place = (order.run, host, found.key, item.name)
        where = f"{host} {found.key} {item.name}"
        number, run = self._ledger.fences.get(host, (0, ""))
        demand((order.fence, order.run) == (number, run), "4: an older order does an item", where)
        known = self._announced.get((order.run, order.ticket), set())
        demand(item.name in known, "3: an item begun that is not in the journal", where)
        referee = self._ledger.referees[order.run]
        self._check_once(referee, place, found.key)
        effect = ItemEffect(order.ticket, referee.legs, referee.items.mended)
        self.effects.setdefault(place, []).append(effect)

    def _check_once(self, referee: Referee, place: tuple[str, str, str, str], key: str) -> None:
        """Nothing that succeeded runs again, nor what may have, nor what failed unasked."""
        before = self.effects.get(place, [])
        if not before:
            return
        planned, last = referee.steps[key], before[-1]
        each = planned.operation
        assert isinstance(each, Foreach)
        retried = planned.retry is not None
        if last.end is None:
            demand(retried or bool(each.check), "3: an item begun again, its end unknown", place)
        elif last.end in ("acted", "checked"):
            demand(False, "3: an item begun again after it succeeded", place)
        elif last.mended == referee.items.mended:
            wished = retried or self._ledger.is_wished(place[0], place[1], key, place[3])
            demand(wished, "3: an item failed and begun again unasked", place)

    def ended(self, run: str, host: str, key: str, item: str, end: StepEnd) -> None:
        """An item has ended on its host."""
        place = (run, host, key, item)
        self.ends[place] = end
        acts = self.effects.get(place, [])
        if end != "checked" and acts and acts[-1].end is None:
            acts[-1].end = end

    def check_truth(self, run: str, told: r.ItemSettled) -> None:
        """What is told of an item is what its host recorded."""
        end = self.ends.get((run, told.host, told.key, told.item))
        true = told.outcome is Outcome.UNKNOWN or end in _TRUE[told.outcome]
        demand(true, "3: told of an item what did not happen", told.host, told.item, told, end)

    def must_be_untouched(self, run: str, book: HostBook) -> None:
        """No item of the host's open orders was begun."""
        mine = [
            place
            for place, acts in self.effects.items()
            if place[:2] == (run, book.host)
            and place[2] in book.open
            and acts[-1].ticket == book.open[place[2]]
        ]
        demand(not mine, "3: items were begun of an order told not to be sent", mine)

    def compare(self, referee: Referee) -> None:
        """No effect on an item is missing from the run's records."""
        for (run, host, key, item), acts in self.effects.items():
            if run != referee.run or acts[-1].end != "acted":
                continue
            items = referee.items.books[host, key]
            told = items.ends[item]
            known = told in (Outcome.CHANGED, Outcome.UNKNOWN) or item in items.round
            demand(known, "3: an item nobody tells of", host, key, item, told)
