"""`fleetctl runs diff`: same as last Saturday?"""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from fleetctl.base.errors import ExitCode, UsageError
from fleetctl.cli.journal import journal_option, kept_journal
from fleetctl.cli.output import emit, output_option, tell
from fleetctl.cli.picture import wall_text

if TYPE_CHECKING:
    from fleetctl.journal.store import Journal
    from fleetctl.report.story import RunStory

COLUMNS = ("what", "where", "before", "now")
RUNS_LOOKED_AT = 500


@click.command()
@click.argument("runs", metavar="[RUN] [RUN]", nargs=-1)
@journal_option
@output_option
def diff(runs: tuple[str, ...], journal: str | None, output: str) -> ExitCode:
    """What is different between two runs: plans, ends, times, tries, and who approved.

    Of one RUN (else the last) the run before it with the same title and fleet is the other.
    Exits with 0 when every host both had ended the same way, and with 1 when one did not.
    """
    from fleetctl.report.difference import compare, is_same_outcome

    if len(runs) > 2:
        raise UsageError("two runs at most can be compared")
    with kept_journal(journal) as opened:
        now = _story(opened, opened.find(runs[-1] if runs else "last").id)
        before = _story(opened, opened.find(runs[0]).id) if len(runs) == 2 else _last(opened, now)
    found = compare(before, now)
    tell(f"before: {_words(before)}\nnow:    {_words(now)}")
    if found or output != "table":
        emit((one._asdict() for one in found), COLUMNS, output)
    same = is_same_outcome(found)
    tell("every host ended the same way" if same else "not all ended the same way")
    return ExitCode.OK if same else ExitCode.HOST_FAILED


def _story(journal: Journal, run: str) -> RunStory:
    from fleetctl.report.reading import read_entries
    from fleetctl.report.story import RunStory

    return RunStory(journal.plan_of(run)).take(read_entries(journal, run))


def _last(journal: Journal, now: RunStory) -> RunStory:
    """The newest run before it of the same playbook; looked at only when it was as well."""
    rows = journal.runs(RUNS_LOOKED_AT)
    at = next((place for place, row in enumerate(rows) if row.id == now.run), len(rows))
    for row in rows[at + 1 :]:
        if (row.fleet, row.title) == (now.plan.fleet, now.plan.title):
            story = _story(journal, row.id)
            if story.check_only == now.check_only:
                return story
    raise UsageError(
        f"no run before {now.run} is titled “{now.plan.title}”",
        hint="name two: fleetctl runs diff RUN RUN",
    )


def _words(story: RunStory) -> str:
    by = story.opened.by.partition(" ")[0] if story.opened is not None else "nobody"
    return f"run {story.run} of {wall_text(story.began_s)} by {by}: {story.plan.title}"
