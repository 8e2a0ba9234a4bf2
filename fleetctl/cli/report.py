"""`fleetctl runs report`: one file that tells a whole run, or its summary as text."""

from __future__ import annotations

import os
from pathlib import Path

import click

from fleetctl.base.errors import UsageError
from fleetctl.cli.journal import journal_option, kept_journal
from fleetctl.cli.output import tell, write


@click.command()
@click.argument("run", metavar="RUN")
@click.option("--to", "-o", "to", metavar="FILE", help="Where to; `-` is standard output.")
@click.option("--text", is_flag=True, help="A summary in a few lines instead, for chat.")
@journal_option
def report(run: str, to: str | None, text: bool, journal: str | None) -> None:
    """One HTML file with everything about a run: no script, nothing is fetched when it is opened.

    Without a FILE it is written to `fleetctl-RUN.html` here, and `--text` to standard output.
    """
    from fleetctl.plan.history import History
    from fleetctl.report.page import render_page, slow_of
    from fleetctl.report.reading import read_entries
    from fleetctl.report.story import RunStory
    from fleetctl.report.summary import summary_lines

    with kept_journal(journal) as opened:
        row = opened.find(run)
        story = RunStory(opened.plan_of(row.id)).take(read_entries(opened, row.id))
        stored = opened.stored(row.id)
        history = History(opened.times(row.fleet, before=row.id))
    seal = stored.head.chain.hex() if stored.head is not None else ""
    if text:
        page = "\n".join(summary_lines(story, slow_of(story, history)))
    else:
        page = render_page(story, history, seal)
    if to == "-" or (text and not to):
        write(page)
        return
    path = Path(to or f"fleetctl-{row.id}.html")
    keep(path, page)
    tell(f"written: {path}")


def keep(path: Path, text: str) -> None:
    """Write a file its owner alone may read: it has what hosts said."""
    try:
        with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w") as file:
            file.write(text)
    except OSError as error:
        raise UsageError(f"cannot write {path}", why=error.strerror or str(error)) from None
