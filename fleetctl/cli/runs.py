"""`fleetctl runs`: look at runs; take one up again, approve its gates, or stop it."""

from __future__ import annotations

import time

import click
from click.core import ParameterSource

from fleetctl.base.errors import ExitCode
from fleetctl.cli.account import earlier_than, read_account
from fleetctl.cli.journal import journal_option, journal_path, kept_journal
from fleetctl.cli.logs import (
    ITEM_COLUMNS,
    LOG_COLUMNS,
    item_lines,
    item_rows,
    log_lines,
    log_rows,
    pick_item_logs,
    pick_logs,
)
from fleetctl.cli.output import emit, output_option, tell, write
from fleetctl.cli.picture import wall_text
from fleetctl.cli.questions import answer, approve, live_holder, tick
from fleetctl.cli.report import report
from fleetctl.cli.resume import resume
from fleetctl.cli.rundiff import diff
from fleetctl.cli.upkeep import backup, verify
from fleetctl.journal.rows import RunRow
from fleetctl.journal.store import Journal

LIST_COLUMNS = ("run", "opened", "title", "hosts", "state", "exit", "by")
run_argument = click.argument("run", metavar="RUN")


@click.group(short_help="Look at runs; resume, approve or stop one; keep the journal.")
def runs() -> None:
    """Look at runs; resume, approve or stop one; verify and back up the journal.

    RUN is a run's id, the beginning of one, or `last`.
    """


runs.add_command(resume)
runs.add_command(verify)
runs.add_command(backup)
runs.add_command(approve)
runs.add_command(answer)
runs.add_command(report)
runs.add_command(diff)
runs.add_command(tick)


@runs.command("list")
@click.option("--most", default=20, show_default=True, type=click.IntRange(1), help="How many.")
@journal_option
@output_option
def list_runs(most: int, journal: str | None, output: str) -> None:
    """The newest runs, newest first."""
    rows = []
    if _is_begun(journal):
        with kept_journal(journal) as opened:
            rows = [_run_row(opened, row) for row in opened.runs(most)]
    if not rows and output == "table":
        tell("no runs yet")
        return
    emit(rows, LIST_COLUMNS, output)


def _is_begun(journal: str | None) -> bool:
    """Whether there is a journal to list; one named on this very command line must be there."""
    source = click.get_current_context().get_parameter_source("journal")
    return source is ParameterSource.COMMANDLINE or journal_path(journal).exists()


@runs.command()
@run_argument
@journal_option
@output_option
def show(run: str, journal: str | None, output: str) -> ExitCode:
    """The recap of a run so far: every host accounted for. Exits as the run did."""
    from fleetctl.cli.results import tell_result

    with kept_journal(journal) as opened:
        row = opened.find(run)
        holder = opened.lock(row.id).holder()
        if holder:
            tell(f"this run is live: {holder}")
        view = read_account(opened, row.id).view
        if holder:
            view.now_s = max(view.now_s, time.time())  # a step that runs makes no records
        return tell_result(view, output, earlier_than(opened, view), live=bool(holder))


@runs.command()
@run_argument
@click.option("--host", multiple=True, metavar="HOST", help="Only hosts of these names or globs.")
@click.option("--step", default="", metavar="TEXT", help="Only steps whose title or key has this.")
@click.option("--item", default="", metavar="ITEM", help="Only items of this name or glob.")
@journal_option
@output_option
def logs(
    run: str, host: tuple[str, ...], step: str, item: str, journal: str | None, output: str
) -> None:
    """What the steps of a run said, or its items."""
    with kept_journal(journal) as opened:
        account = read_account(opened, opened.find(run).id)
    if item:
        found = pick_item_logs(account, host, item)
        if output != "table":
            emit(item_rows(found), ITEM_COLUMNS, output)
            return
        for line in item_lines(account, found):
            if not write(line):
                return
        return
    picked = pick_logs(account, host, step)
    if output != "table":
        emit(log_rows(account, picked), LOG_COLUMNS, output)
        return
    words = [] if host or step else account.view.words
    for line in log_lines(account, picked, words):
        if not write(line):
            return


@runs.command()
@run_argument
@click.option("--kill", is_flag=True, help="Also stop what runs on the hosts now.")
@journal_option
def abort(run: str, kill: bool, journal: str | None) -> None:
    """Stop a live run from another terminal: nothing new starts, what is in flight ends."""
    from fleetctl.cli.identity import whoami

    with kept_journal(journal) as opened:
        row = opened.find(run)
        holder = live_holder(opened, row)
        opened.give_order(row.id, "kill" if kill else "abort", whoami())
    tell(f"asked {holder} to stop run {row.id}")


def _run_row(journal: Journal, row: RunRow) -> dict[str, object]:
    return {
        "run": row.id,
        "opened": wall_text(row.opened_s),
        "title": row.title,
        "hosts": row.hosts,
        "state": _state(journal, row),
        "exit": row.exit_code,
        "by": row.by,
    }


def _state(journal: Journal, row: RunRow) -> str:
    if row.exit_code is not None:
        return "ended"
    return "live" if journal.lock(row.id).holder() else "cut off"
