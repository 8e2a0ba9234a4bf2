"""The items of one foreach step on one host, and their ends. Changed by records only."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping

from fleetctl.base.outcome import Outcome
from fleetctl.rollout.records import ItemSettled, ItemsSent, RoundEnded
from fleetctl.rollout.tables import ITEM, LOST_ITEM, ItemEvent, ItemState

_EVENT = {
    Outcome.CHANGED: ItemEvent.ACT,
    Outcome.SKIPPED: ItemEvent.CHECK,
    Outcome.FAILED: ItemEvent.FAIL,
    Outcome.TIMED_OUT: ItemEvent.TIME_OUT,
    Outcome.UNKNOWN: ItemEvent.LOSE,
}


class ItemsRun:
    """What the journal says about the items; every question is answered without looking at all."""

    __slots__ = (
        "again", "counts", "first", "forgiven", "in_round", "mute", "sent_most", "spent_s",
        "states", "timed", "todo", "told", "took_s", "tries",
    )  # fmt: skip

    def __init__(self, names: Iterable[str]) -> None:
        self.states = dict.fromkeys(names, ITEM.initial)
        """In the order of the list."""
        self.todo = dict.fromkeys(self.states)
        """Not sent, and not tried before."""
        self.again: dict[str, None] = {}
        """To be sent as a new try."""
        self.first: dict[str, None] = {}
        """Sent, and without an end: what the host knows of them is asked before anything else."""
        self.in_round: tuple[str, ...] = ()
        self.counts = Counter({ItemState.TODO: len(self.states)})
        self.tries: dict[str, int] = {}
        """Item -> the number of its try, where it is not the first."""
        self.forgiven: dict[str, int] = {}
        """Item -> tries that do not count against the retry: a person asked to try again."""
        self.told: dict[str, str] = {}
        """Item -> what a person says became of it, for when the host does not know."""
        self.mute = 0
        """Rounds in a row that did not tell all."""
        self.sent_most = 0
        """Items of the largest round so far."""
        self.spent_s = 0.0
        self.timed = 0
        """How many items `spent_s` is the sum of."""
        self.took_s = 0.0
        """All rounds together."""

    @property
    def left(self) -> int:
        """Items without an end."""
        return self.counts[ItemState.TODO] + self.counts[ItemState.SENT]

    @property
    def lost(self) -> int:
        return sum(self.counts[state] for state in LOST_ITEM)

    @property
    def unknown(self) -> int:
        return self.counts[ItemState.UNKNOWN]

    def try_of(self, item: str) -> int:
        return self.tries.get(item, 1)

    def tries_made(self, item: str) -> int:
        """Those that count against the retry."""
        return self.try_of(item) - self.forgiven.get(item, 0)

    # ---- records

    def send(self, record: ItemsSent) -> None:
        self.in_round = record.items
        self.sent_most = max(self.sent_most, len(record.items))
        for item in record.items:
            self._turn(item, ItemEvent.SEND)

    def settle(self, record: ItemSettled) -> None:
        self._turn(record.item, _EVENT[record.outcome])
        if not record.replayed and record.outcome is not Outcome.UNKNOWN:
            self.spent_s += record.duration_s
            self.timed += 1
        if record.again:
            self._turn(record.item, ItemEvent.RETRY)
            self.tries[record.item] = self.try_of(record.item) + 1
            self.again[record.item] = None
        if record.again or record.outcome is not Outcome.UNKNOWN:
            self.told.pop(record.item, None)

    def end_round(self, record: RoundEnded) -> None:
        self.mute = self.mute + 1 if record.mute else 0
        self.took_s += record.duration_s
        self.leave_round()

    def leave_round(self) -> None:
        """Items of the round that have no end are to be sent again, as the try they were."""
        for item in self.in_round:
            if self.states[item] is ItemState.SENT:
                self._turn(item, ItemEvent.ABSENT)
                self.first[item] = None
        self.in_round = ()

    def reask(self) -> None:
        """The host is asked again about the round in which these were lost sight of."""
        for item in self.in_round:
            if self.states[item] is ItemState.UNKNOWN:
                self._turn(item, ItemEvent.REASK)

    def take_up(self, told: Mapping[str, str]) -> None:
        """Try lost items again: failed ones as a new try; of unknown ones the host's record says
        first what became of them, and after it `told` (item, or empty for all -> what is said)."""
        self.mute = 0
        for item, state in self.states.items():
            word = told.get(item, told.get("", ""))
            if word and state in (ItemState.UNKNOWN, ItemState.SENT):
                self.told[item] = word
            if state not in LOST_ITEM:
                continue
            self._turn(item, ItemEvent.RETRY)
            if state is not ItemState.UNKNOWN:
                self.forgiven[item] = self.try_of(item)
                self.tries[item] = self.try_of(item) + 1
            (self.first if state is ItemState.UNKNOWN else self.todo)[item] = None

    # ---- inside

    def _turn(self, item: str, event: ItemEvent) -> None:
        before = self.states[item]
        after = ITEM.advance(before, event)
        self.states[item] = after
        self.counts[before] -= 1
        self.counts[after] += 1
        if event is ItemEvent.SEND:
            for queue in (self.first, self.todo, self.again):
                queue.pop(item, None)
