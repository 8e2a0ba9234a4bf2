"""What the steps of a run said, picked by host and step."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from fnmatch import fnmatchcase

from fleetctl.base.durations import format_duration
from fleetctl.base.errors import UsageError
from fleetctl.base.hostrange import expand
from fleetctl.base.names import did_you_mean
from fleetctl.base.plaintext import printable
from fleetctl.cli.account import Account
from fleetctl.cli.output import quoted
from fleetctl.cli.telling import back_words, word_words
from fleetctl.cli.watching import stamped
from fleetctl.rollout.records import ItemSettled, StepSettled, ViewDropped, WordTaken

LOG_COLUMNS = (
    *("time", "phase", "host", "step", "title", "outcome"),
    *("exit_status", "duration_s", "stdout", "stderr", "cause"),
)
Entry = tuple[float, StepSettled]
"""Unix time and what was said then."""
ItemEntry = tuple[float, ItemSettled]
ITEM_COLUMNS = (
    *("time", "phase", "host", "step", "item", "outcome"),
    *("exit_status", "duration_s", "said", "cause"),
)
Word = tuple[float, WordTaken | ViewDropped]


def pick_logs(account: Account, hosts: Sequence[str], step: str) -> list[Entry]:
    """Settled steps in the order of the journal; raises UsageError when a word matches nothing."""
    settled = [(wall_s, one) for _, wall_s, one in account.entries if isinstance(one, StepSettled)]
    known = set(account.view.outcomes())
    names = {name for word in hosts for name in _names(word, known)}
    titles = account.view.titles
    picked = [
        (wall_s, one)
        for wall_s, one in settled
        if (not hosts or one.host in names)
        and (not step or step in one.key or step.lower() in titles.get(one.key, "").lower())
    ]
    if step and not any(step in k or step.lower() in t.lower() for k, t in titles.items()):
        raise UsageError(f'no step "{step}" in this run', hint=did_you_mean(step, titles.values()))
    return picked


def pick_item_logs(account: Account, hosts: Sequence[str], pattern: str) -> list[ItemEntry]:
    """Items with an end whose name is, or matches, `pattern`; raises UsageError for none."""
    known = set(account.view.outcomes())
    names = {name for word in hosts for name in _names(word, known)}
    ends = [(wall_s, one) for _, wall_s, one in account.entries if isinstance(one, ItemSettled)]
    picked = [
        (wall_s, one)
        for wall_s, one in ends
        if (not hosts or one.host in names)
        and (one.item == pattern or fnmatchcase(one.item, pattern))
    ]
    if not picked:
        hint = did_you_mean(pattern, {one.item for _, one in ends})
        raise UsageError(f'no item "{printable(pattern)}" has an end in this run', hint=hint)
    return picked


def item_rows(picked: Sequence[ItemEntry]) -> list[dict[str, object]]:
    """One object an end of an item."""
    return [
        {
            "time": wall_s, "phase": one.phase, "host": one.host, "step": one.key,
            "item": one.item, "outcome": one.outcome, "exit_status": one.exit_status,
            "duration_s": one.duration_s, "said": one.said, "cause": one.cause,
        }
        for wall_s, one in picked
    ]  # fmt: skip


def item_lines(account: Account, picked: Sequence[ItemEntry]) -> Iterator[str]:
    """A headline an item, then the last of what it said."""
    for wall_s, one in picked:
        title = account.view.titles.get(one.key, one.key)
        status = "" if one.exit_status in (None, 0) else f", exit {one.exit_status}"
        again = ", from the host's record" if one.replayed else ""
        cause = f": {one.cause}" if one.cause else ""
        yield stamped(
            wall_s,
            f"{one.host} {printable(one.item)} {quoted(title)} {one.outcome}{status}, "
            f"{format_duration(one.duration_s)}{again}{cause}",
        )
        for line in one.said.decode("utf-8", "replace").splitlines():
            yield f"    {printable(line)}"


def log_rows(account: Account, picked: Sequence[Entry]) -> list[dict[str, object]]:
    """One object a settled step."""
    return [
        {
            "time": wall_s,
            "phase": one.phase,
            "host": one.host,
            "step": one.key,
            "title": account.view.titles.get(one.key, one.key),
            "outcome": one.outcome,
            "exit_status": one.exit_status,
            "duration_s": one.duration_s,
            "stdout": one.stdout,
            "stderr": one.stderr,
            "cause": one.cause,
        }
        for wall_s, one in picked
    ]


def log_lines(
    account: Account, picked: Sequence[Entry], words: Sequence[Word] = ()
) -> Iterator[str]:
    """A headline a step, then what it said; lines of stderr are marked.

    `words`: what the run was told from outside, put in where it was told.
    """
    entries: list[Entry | Word] = [*picked, *words]
    for wall_s, one in sorted(entries, key=lambda entry: entry[0]):
        if not isinstance(one, StepSettled):
            yield stamped(wall_s, word_words(one))
            continue
        yield _headline(account, wall_s, one)
        for mark, text in (("  ", one.stdout), ("! ", one.stderr)):
            for line in text.decode("utf-8", "replace").splitlines():
                yield f"  {mark}{printable(line)}"


def _headline(account: Account, wall_s: float, one: StepSettled) -> str:
    title = account.view.titles.get(one.key, one.key)
    back = back_words(one)
    status = "" if one.exit_status in (None, 0) else f", exit {one.exit_status}"
    again = ", from the host's record" if one.replayed else ""
    cause = f": {one.cause}" if one.cause else ""
    took = format_duration(one.duration_s)
    return stamped(
        wall_s, f"{one.host} {back}{quoted(title)} {one.outcome}{status}, {took}{again}{cause}"
    )


def _names(word: str, known: set[str]) -> list[str]:
    try:
        patterns = list(expand(word))
    except ValueError as error:
        raise UsageError(str(error), where="--host") from error
    found = [name for name in known if any(fnmatchcase(name, pattern) for pattern in patterns)]
    if not found:
        raise UsageError(f'no host "{word}" in this run', hint=did_you_mean(word, known))
    return found
