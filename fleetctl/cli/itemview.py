"""The items of foreach steps as somebody watches them: a model of records alone. Pure."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from typing import TYPE_CHECKING, Any, NamedTuple

import msgspec

from fleetctl.base.hostrange import fold
from fleetctl.base.outcome import Outcome
from fleetctl.base.plaintext import last_lines_of, printable
from fleetctl.cli.advice import advised
from fleetctl.cli.output import quoted
from fleetctl.plan.words import counted, noun_of
from fleetctl.report.accounting import counts_text
from fleetctl.report.causes import LAST_LINES, Loss, fold_losses
from fleetctl.rollout import records as r

if TYPE_CHECKING:
    from fleetctl.cli.progress import HostView, RunView

NAMES_MAX = 12
"""Lost items of one cause that are named, in the recap."""


class ItemsView(msgspec.Struct):
    """The items of one step on one host."""

    key: str
    ends: dict[str, r.ItemSettled | None]
    """Item -> its end; None: it has none yet."""
    sent: tuple[str, ...] = ()
    """The round that is out, or was last."""

    @property
    def lost(self) -> list[r.ItemSettled]:
        return [end for end in self.ends.values() if end is not None and end.outcome.lost]

    @property
    def done(self) -> int:
        """Items with an end."""
        return sum(end is not None for end in self.ends.values())


def _listed(view: RunView, record: r.ItemsListed) -> None:
    ends: dict[str, r.ItemSettled | None] = dict.fromkeys(record.items)
    _host(view, record).items[record.key] = ItemsView(record.key, ends)


def _sent(view: RunView, record: r.ItemsSent) -> None:
    _host(view, record).items[record.key].sent = record.items


def _settled(view: RunView, record: r.ItemSettled) -> None:
    ends = _host(view, record).items[record.key].ends
    ends[record.item] = None if record.again else record


def _round_ended(view: RunView, record: r.RoundEnded) -> None:
    host = _host(view, record)
    host.pending = [key for key in host.pending if key != record.key]
    host.sent_s, host.line = view.now_s, ""


def _host(
    view: RunView, record: r.ItemsListed | r.ItemsSent | r.ItemSettled | r.RoundEnded
) -> HostView:
    return view.hosts[record.phase, record.host]


APPLY: Mapping[type, Callable[[RunView, Any], None]] = {
    r.ItemsListed: _listed,
    r.ItemsSent: _sent,
    r.ItemSettled: _settled,
    r.RoundEnded: _round_ended,
}


class Tally(NamedTuple):
    """The items of one phase, on all hosts."""

    phase: str
    noun: str
    listed: int
    outcomes: Counter[Outcome]

    @property
    def words(self) -> str:
        """`375 of 376 instances accounted for: 370 changed, 5 failed`."""
        known = sum(self.outcomes.values()) - self.outcomes[Outcome.UNKNOWN]
        counts = counts_text(self.outcomes)
        words = f"{known} of {counted(self.listed, self.noun)} accounted for"
        return words + (f": {counts}" if counts else "")


def tallies(view: RunView) -> Iterator[Tally]:
    """One for each phase some host of which listed items."""
    for phase in view.plan.phases:
        listed, outcomes = 0, Counter[Outcome]()
        for host in view.hosts.values():
            if host.phase != phase.name:
                continue
            for items in host.items.values():
                listed += len(items.ends)
                outcomes.update(end.outcome for end in items.ends.values() if end is not None)
        if listed:
            yield Tally(phase.name, noun_of(phase), listed, outcomes)


def lost_lines(view: RunView) -> Iterator[str]:
    """Lost items folded by cause, the largest group first, with what they said last."""
    losses = [_loss(view, host, end) for host in view.hosts.values() for end in _lost(host)]
    for group in fold_losses(losses):
        first = group[0]
        noun = noun_of(view.phases[first.phase].plan)
        title = quoted(view.titles.get(first.key, first.key))
        same = ", same error" if len(group) > 1 else ""
        hosts = fold(dict.fromkeys(_place(loss)[0] for loss in group))
        words = f"{counted(len(group), noun)} {first.outcome} at {title}{same}, on {hosts}"
        yield ""
        yield words
        named = [" ".join(_place(loss)) for loss in group[:NAMES_MAX]]
        more = f" and {len(group) - NAMES_MAX} more" if len(group) > NAMES_MAX else ""
        yield f"  {', '.join(named)}{more}"
        yield f"  why: {first.cause}"
        host, item = _place(first)
        if first.said and "\n".join(first.said) not in first.cause:
            yield f"  last lines of {item}:"
            yield from (f"    | {line}" for line in first.said)
        see = f"fleetctl runs logs {view.run} --host {host} --item {quoted_word(item)}"
        yield f"  see: {advised(see)}"


def _lost(host: HostView) -> Iterator[r.ItemSettled]:
    for items in host.items.values():
        yield from items.lost


def _loss(view: RunView, host: HostView, end: r.ItemSettled) -> Loss:
    said = tuple(last_lines_of(end.said, b"", LAST_LINES))
    return Loss(host.phase, end.item, end.outcome, end.key, end.cause, said, end.host)


def _place(loss: Loss) -> tuple[str, str]:
    """The host, and the item as it can be printed."""
    return loss.address, printable(loss.host)


def quoted_word(word: str) -> str:
    """As it is typed in a shell."""
    plain = word and all(char.isalnum() or char in "_.-:/@" for char in word)
    return word if plain else "'" + word.replace("'", "'\\''") + "'"


def round_words(host: HostView) -> str:
    """`17/25` of the step at work; empty when it has no items."""
    items = host.items.get(host.pending[0]) if host.pending else None
    return f"{items.done}/{len(items.ends)}" if items is not None else ""


def item_counts(host: HostView) -> dict[str, int] | None:
    """Of all foreach steps of the host together, for programs; None when it has none."""
    if not host.items:
        return None
    ends = [end for items in host.items.values() for end in items.ends.values()]
    counts = Counter(end.outcome for end in ends if end is not None)
    return {"listed": len(ends), **{str(word): count for word, count in sorted(counts.items())}}


def unknown_lines(view: RunView) -> Iterator[str]:
    """How a person says what became of items nobody knows the end of."""
    unknown = [
        end for host in view.hosts.values() for end in _lost(host) if end.outcome is Outcome.UNKNOWN
    ]
    if unknown:
        first = unknown[0]
        place = quoted_word(f"{first.host}:{first.item}")
        yield (
            "      where it stays unknown, look, and say what you found: "
            f"--done {place}, or --again {place}; a host alone means all of its unknown items"
        )
