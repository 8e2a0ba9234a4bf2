"""What a report says about a run, as rows of words: for the page and for chat. Pure."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from typing import NamedTuple

from fleetctl.base.durations import format_duration
from fleetctl.base.errors import EXIT_CODE_WORDS, ExitCode
from fleetctl.base.hostrange import fold
from fleetctl.base.outcome import Outcome
from fleetctl.base.plaintext import hosts_word, last_lines_of
from fleetctl.report.accounting import (
    Accounting,
    HostEnd,
    account_for,
    accounted_words,
    code_of,
    counts_text,
    only_held,
)
from fleetctl.report.causes import LAST_LINES, Loss, fold_losses
from fleetctl.report.pieces import HostStory
from fleetctl.report.story import RunStory
from fleetctl.rollout.heldback import held_back_in


class Failure(NamedTuple):
    """Hosts lost in the same way."""

    words: str
    """`3 hosts failed at "schema upgrade", same error`"""
    hosts: str
    cause: str
    first: str
    said: tuple[str, ...]
    """Last lines of the first host."""
    runs: tuple[str, ...]
    """What the hosts run now, as far as it is known."""


class BatchRow(NamedTuple):
    """A batch as a row of a table."""

    phase: str
    batch: str
    hosts: str
    size: int
    began_s: float
    took: str
    counts: str


class ReleaseRow(NamedTuple):
    """Hosts that went from one release to another."""

    before: str
    after: str
    hosts: str
    size: int


def accounting_of(story: RunStory) -> Accounting:
    """What is known of every host."""
    under = story.opened.under if story.opened is not None else ""
    ends = (
        HostEnd(
            *(one.phase, one.host, one.settled, one.steps),
            held_back_in(one.steps.values(), under),
        )
        for one in story.hosts.values()
    )
    return account_for(story.plan, story.outcomes(), ends, story.check_only)


def code_of_story(story: RunStory) -> ExitCode:
    """The exit code the run stands for."""
    return code_of(story.ended, accounting_of(story))


def headline(story: RunStory) -> str:
    """How the run went, in one sentence."""
    code = code_of_story(story)
    if story.ended is None:
        after = format_duration(max(0.0, story.now_s - story.began_s))
        return f"Has not ended: what follows is told up to its record {after} after it began"
    known = accounting_of(story)
    lost = sum(outcome is not None and outcome.lost for outcome in known.outcomes.values())
    if story.check_only:
        return f"Only looked: {accounted_words(known)}"
    if code is ExitCode.OK:
        changed = sum(outcome is Outcome.CHANGED for outcome in known.outcomes.values())
        return f"All verified: {hosts_word(len(known.outcomes))}, {changed} of them changed"
    if only_held(story.ended, known):
        held = {host for one in known.held_back.values() for host in one.hosts}
        return f"All verified, but daemons of {hosts_word(len(held))} are held back by another run"
    words = EXIT_CODE_WORDS[code]
    sentence = words[0].upper() + words[1:]
    cause = story.stop.cause if story.stop is not None else story.ended.cause
    sentence += f": {cause}" if cause else ""
    return sentence + (f"; {lost} of {hosts_word(len(known.outcomes))} lost" if lost else "")


def losses(story: RunStory) -> Iterator[Loss]:
    """Every host lost in a phase."""
    for host in story.hosts.values():
        end = host.settled
        if end is None or not end.outcome.lost:
            continue
        step = host.steps.get(end.key)
        said = last_lines_of(step.stderr, step.stdout, LAST_LINES) if step is not None else ()
        planned = story.plan.hosts.get(host.host)
        address = planned.address if planned is not None else ""
        yield Loss(host.phase, host.host, end.outcome, end.key, end.cause, tuple(said), address)


def failures(story: RunStory) -> list[Failure]:
    """Lost hosts folded by cause, with what they run now."""
    found = []
    for group in fold_losses(losses(story)):
        first = group[0]
        names = [loss.host for loss in group]
        title = story.titles.get(first.key, first.key)
        at = f" at “{title}”" if title else ""
        same = ", same error" if len(names) > 1 else ""
        runs: dict[str, list[str]] = {}
        for loss in group:
            runs.setdefault(runs_now(story, story.hosts[loss.phase, loss.host]), []).append(
                loss.host
            )
        told = tuple(
            words if len(runs) == 1 else f"{fold(hosts)}: {words}"
            for words, hosts in runs.items()
            if words
        )
        words = f"{hosts_word(len(names))} {first.outcome}{at} in phase {first.phase}{same}"
        found.append(Failure(words, fold(names), first.cause, first.host, first.said, told))
    return found


def runs_now(story: RunStory, host: HostStory) -> str:
    """What a lost host runs, as far as this run knows; empty when its phase deploys none."""
    wanted = story.phases[host.phase].plan.release
    if not wanted or host.settled is None:
        return ""
    if host.settled.release:
        word = "runs the planned release" if host.settled.release == wanted else "runs"
        return f"{word} {host.settled.release} (read back)"
    old = story.plan.live.get(host.host)
    switched = any(".switch" in key for key in host.steps)
    if not switched and host.settled.outcome is not Outcome.UNKNOWN and old:
        return f"still runs the OLD release {old} (not switched to {wanted})"
    last = f"; last read back {old}" if old else ""
    return f"what it runs is not known{last}"


def owed_lines(story: RunStory) -> list[str]:
    """What this run stopped on hosts and has not put back."""
    found: dict[str, list[str]] = {}
    for host in story.hosts.values():
        if host.settled is not None and host.settled.owes:
            found.setdefault(host.settled.owes, []).append(host.host)
    return [f"{words} ({fold(hosts)})" for words, hosts in found.items()]


def batch_rows(story: RunStory) -> list[BatchRow]:
    """The batches that were begun, as they were."""
    rows = []
    for batch in story.batches.values():
        ended_s = batch.ended_s or story.now_s
        found = (story.hosts.get((batch.phase, host)) for host in batch.hosts)
        ends = [host.outcome for host in found if host is not None]
        counts = counts_text(Counter(end for end in ends if end is not None))
        of = len(story.phases[batch.phase].plan.batches)
        took = format_duration(max(0.0, ended_s - batch.began_s))
        took += "" if batch.ended_s else ", not ended"
        rows.append(
            BatchRow(
                batch.phase, f"{batch.batch + 1} of {of}", fold(batch.hosts), len(batch.hosts),
                batch.began_s, took, counts or "no host has an end",
            )
        )  # fmt: skip
    return rows


def release_rows(story: RunStory) -> list[ReleaseRow]:
    """What hosts ran before, and what was read back of them, folded."""
    known = accounting_of(story)
    groups: dict[tuple[str, str], dict[str, None]] = {}
    for phase in story.plan.phases:
        for host in (host for batch in phase.batches for host in batch if phase.release):
            before = story.plan.live.get(host, "not known")
            if host in known.read:
                after = f"{known.read[host]} (read back)"
            elif host in known.unread or known.outcomes.get(host) is Outcome.UNKNOWN:
                after = "not known"
            else:
                after = f"{before} (not touched)" if before != "not known" else "not touched"
            groups.setdefault((before, after), {})[host] = None
    return [
        ReleaseRow(before, after, fold(hosts), len(hosts))
        for (before, after), hosts in groups.items()
    ]
