"""The items of foreach steps in a run's story: what was done for each, and how it ended. Pure."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from typing import TYPE_CHECKING, Any, NamedTuple

import msgspec

from fleetctl.base.hostrange import fold
from fleetctl.base.outcome import Outcome
from fleetctl.base.plaintext import last_lines_of, printable
from fleetctl.plan.words import counted, noun_of
from fleetctl.report.accounting import counts_text
from fleetctl.report.causes import LAST_LINES, Loss, fold_losses
from fleetctl.report.pieces import HostStory, Mark, Span
from fleetctl.rollout import records as r

if TYPE_CHECKING:
    from fleetctl.report.story import RunStory

NAMED_MAX = 12


class ItemsStory(msgspec.Struct):
    """The items of one step on one host."""

    key: str
    ends: dict[str, r.ItemSettled | None]
    """None: it has no end."""
    rounds: int = 0

    @property
    def lost(self) -> list[r.ItemSettled]:
        return [end for end in self.ends.values() if end is not None and end.outcome.lost]


def _listed(story: RunStory, record: r.ItemsListed) -> None:
    host = story.host(record.phase, record.host)
    host.items[record.key] = ItemsStory(record.key, dict.fromkeys(record.items))


def _settled(story: RunStory, record: r.ItemSettled) -> None:
    host = story.host(record.phase, record.host)
    items = host.items.setdefault(record.key, ItemsStory(record.key, {}))
    items.ends[record.item] = None if record.again else record
    if record.again:
        text = f"{printable(record.item)} again: {record.cause}"
        host.marks.append(Mark("retry", story.now_s, text, record.host))
        host.retries += 1


def _round_ended(story: RunStory, record: r.RoundEnded) -> None:
    host = story.host(record.phase, record.host)
    title = story.titles.get(record.key, record.key)
    host.spans.append(Span("step", host.at_s, story.now_s, f"{title}: a round", Outcome.CHANGED))
    host.at_s = story.now_s


def _sent(story: RunStory, record: r.ItemsSent) -> None:
    items = story.host(record.phase, record.host).items.get(record.key)
    if items is not None:
        items.rounds += 1


TELL: Mapping[type, Callable[[Any, Any], None]] = {
    r.ItemsListed: _listed,
    r.ItemsSent: _sent,
    r.ItemSettled: _settled,
    r.RoundEnded: _round_ended,
}


class ItemRow(NamedTuple):
    """The items of a step on a host, as a row of a table."""

    phase: str
    host: str
    step: str
    words: str
    """`23 of 25 instances, 2 failed: acme, bolt`"""
    lost: bool
    seconds: float
    """Of all of them together."""


class ItemFailure(NamedTuple):
    """Items lost in the same way."""

    words: str
    named: str
    """`db003 acme, db003 bolt and 3 more`"""
    cause: str
    said: tuple[str, ...]


def item_rows(story: RunStory) -> list[ItemRow]:
    """Every host that listed items, in the order of the plan."""
    rows = []
    for phase in story.plan.phases:
        noun = noun_of(phase)
        for host in (one for one in story.hosts.values() if one.phase == phase.name):
            for items in host.items.values():
                ends = [end for end in items.ends.values() if end is not None]
                rows.append(
                    ItemRow(
                        phase.name, host.host, story.titles.get(items.key, items.key),
                        _words(items, noun), bool(items.lost) or len(ends) < len(items.ends),
                        sum(end.duration_s for end in ends),
                    )
                )  # fmt: skip
    return rows


def _words(items: ItemsStory, noun: str) -> str:
    listed = len(items.ends)
    counts = Counter(end.outcome for end in items.ends.values() if end is not None)
    well = sum(count for outcome, count in counts.items() if not outcome.lost)
    words = f"{well} of {counted(listed, noun)} well" if listed else f"no {noun}s"
    lost = Counter({outcome: count for outcome, count in counts.items() if outcome.lost})
    words += f", {counts_text(lost)}" if lost else ""
    missing = listed - sum(counts.values())
    words += f", {missing} without an end" if missing else ""
    names = [printable(end.item) for end in items.lost]
    more = f" and {len(names) - NAMED_MAX} more" if len(names) > NAMED_MAX else ""
    return words + (f": {', '.join(names[:NAMED_MAX])}{more}" if names else "")


def tally_words(story: RunStory) -> Iterator[str]:
    """`db: 375 of 376 instances accounted for: 375 changed`, for each phase with items."""
    for phase in story.plan.phases:
        all_ = [
            end
            for host in story.hosts.values()
            if host.phase == phase.name
            for items in host.items.values()
            for end in items.ends.values()
        ]
        if all_:
            counts = Counter(end.outcome for end in all_ if end is not None)
            known = sum(counts.values()) - counts[Outcome.UNKNOWN]
            noun = counted(len(all_), noun_of(phase))
            yield f"{phase.name}: {known} of {noun} accounted for: {counts_text(counts)}"


def item_failures(story: RunStory) -> list[ItemFailure]:
    """Lost items folded by cause, the largest group first."""
    losses = [
        Loss(host.phase, end.item, end.outcome, end.key, end.cause,
             tuple(last_lines_of(end.said, b"", LAST_LINES)), end.host)
        for host in story.hosts.values()
        for items in host.items.values()
        for end in items.lost
    ]  # fmt: skip
    return [_failure(story, group) for group in fold_losses(losses)]


def _failure(story: RunStory, group: list[Loss]) -> ItemFailure:
    first = group[0]
    noun = noun_of(story.phases[first.phase].plan)
    title = story.titles.get(first.key, first.key)
    hosts = fold(dict.fromkeys(loss.address for loss in group))
    same = ", same error" if len(group) > 1 else ""
    named = ", ".join(f"{loss.address} {printable(loss.host)}" for loss in group[:NAMED_MAX])
    more = f" and {len(group) - NAMED_MAX} more" if len(group) > NAMED_MAX else ""
    words = f"{counted(len(group), noun)} {first.outcome} at “{title}”{same}, on {hosts}"
    return ItemFailure(words, named + more, first.cause, first.said)


def lost_items(host: HostStory) -> int:
    """How many of the host's items are lost."""
    return sum(len(items.lost) for items in host.items.values())
