"""A run in a few lines of plain text: for chat, mail and tickets. Pure."""

from __future__ import annotations

from fleetctl.base.durations import format_duration
from fleetctl.report import facts
from fleetctl.report.accounting import accounted_words, read_back_words, unaccounted_lines
from fleetctl.report.items import item_failures, tally_words
from fleetctl.report.slowness import Slow
from fleetctl.report.story import RunStory

FAILURES_MAX = 5
SLOW_MAX = 3
HOSTS_CUT = 120
"""Characters of a list of hosts."""


def summary_lines(story: RunStory, slow: list[Slow]) -> list[str]:
    """How it went, first; then what failed, who was slow, who approved, and what is next."""
    known = facts.accounting_of(story)
    code = facts.code_of_story(story)
    by = story.opened.by.partition(" ")[0] if story.opened is not None else "nobody"
    lines = [
        f"{story.plan.title} ({story.plan.fleet}): {facts.headline(story)}",
        accounted_words(known),
        *unaccounted_lines(known),
    ]
    lines += tally_words(story)
    lines += [f"NOT PUT BACK: {owed}" for owed in facts.owed_lines(story)]
    lines += [words] if (words := read_back_words(known)) else []
    for failure in facts.failures(story)[:FAILURES_MAX]:
        why = f": {failure.cause}" if failure.cause else ""
        lines.append(f"- {failure.words}: {_short(failure.hosts)}{why}")
        lines += [f"  {told}" for told in failure.runs]
    for lost in item_failures(story)[:FAILURES_MAX]:
        lines.append(f"- {lost.words}: {_short(lost.named)}: {lost.cause}")
    lines += [f"- slow: {one.words}" for one in slow[:SLOW_MAX]]
    for gate in story.gates:
        if gate.approval and gate.by:
            word = "approved" if gate.passed else "refused"
            lines.append(f"- {gate.by.partition(' ')[0]} {word}: {gate.title}")
    took = format_duration(story.worked_s)
    lines.append(f"run {story.run} by {by}, took {took}, exit {int(code)}")
    if code:
        lines.append(f"next: fleetctl runs show {story.run}")
    return lines


def _short(hosts: str) -> str:
    return hosts if len(hosts) <= HOSTS_CUT else f"{hosts[:HOSTS_CUT]}…"
