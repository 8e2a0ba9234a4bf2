"""`fleetctl runs`: look at runs; take one up again, approve its gates, or stop it."""

from __future__ import annotations

from typing import NamedTuple

import click

from fleetctl.base.errors import ExitCode, Refused, UsageError
from fleetctl.base.hostrange import fold
from fleetctl.base.names import did_you_mean
from fleetctl.cli.account import Account, read_account
from fleetctl.cli.gathering import gather
from fleetctl.cli.journal import journal_option, open_journal
from fleetctl.cli.lock import carry_option, lease_option
from fleetctl.cli.logs import LOG_COLUMNS, log_lines, log_rows, pick_logs
from fleetctl.cli.output import emit, output_option, write
from fleetctl.cli.picture import hosts_word, wall_text
from fleetctl.cli.recap import accounted
from fleetctl.cli.selection import inventory_option, open_fleet
from fleetctl.cli.upkeep import backup, verify
from fleetctl.cli.watching import tell
from fleetctl.journal.rows import RunRow
from fleetctl.journal.store import Journal
from fleetctl.playbook.operations import Approval

LIST_COLUMNS = ("run", "opened", "title", "hosts", "state", "exit", "by")
run_argument = click.argument("run", metavar="RUN")


@click.group(short_help="Look at runs; resume, approve or stop one; keep the journal.")
def runs() -> None:
    """Look at runs; resume, approve or stop one; verify and back up the journal.

    RUN is a run's id, the beginning of one, or `last`.
    """


runs.add_command(verify)
runs.add_command(backup)


@runs.command("list")
@click.option("--most", default=20, show_default=True, type=click.IntRange(1), help="How many.")
@journal_option
@output_option
def list_runs(most: int, journal: str | None, output: str) -> None:
    """The newest runs, newest first."""
    with open_journal(journal) as opened:
        rows = [_run_row(opened, row) for row in opened.runs(most)]
    if not rows and output == "table":
        click.echo("no runs yet", err=True)
        return
    emit(rows, LIST_COLUMNS, output)


@runs.command()
@run_argument
@journal_option
@output_option
def show(run: str, journal: str | None, output: str) -> ExitCode:
    """The recap of a run so far: every host accounted for. Exits as the run did."""
    from fleetctl.cli.results import tell_result

    with open_journal(journal) as opened:
        row = opened.find(run)
        holder = opened.lock(row.id).holder()
        if holder:
            click.echo(f"this run is live: {holder}", err=True)
        return tell_result(read_account(opened, row.id).view, output)


@runs.command()
@run_argument
@click.option("--host", multiple=True, metavar="HOST", help="Only hosts of these names or globs.")
@click.option("--step", default="", metavar="TEXT", help="Only steps whose title or key has this.")
@journal_option
@output_option
def logs(run: str, host: tuple[str, ...], step: str, journal: str | None, output: str) -> None:
    """What the steps of a run said."""
    with open_journal(journal) as opened:
        account = read_account(opened, opened.find(run).id)
    picked = pick_logs(account, host, step)
    if output != "table":
        emit(log_rows(account, picked), LOG_COLUMNS, output)
        return
    words = [] if host or step else account.view.words
    for line in log_lines(account, picked, words):
        if not write(line):
            return


class Resuming(NamedTuple):
    """How to go on."""

    failed: bool
    take_over: bool
    carry: bool
    no_lease: bool
    inventory: str | None
    journal: str | None
    output: str


@runs.command()
@run_argument
@click.option("--failed", is_flag=True, help="Try the lost hosts again, nothing else.")
@click.option("--take-over", is_flag=True, help="Go on with a run of another machine.")
@click.option("--yes", is_flag=True, help="Do not ask; for scripts.")
@carry_option
@lease_option
@inventory_option
@journal_option
@output_option
@gather("how", Resuming)
def resume(run: str, yes: bool, how: Resuming) -> ExitCode:
    """Go on with a run that was interrupted, stopped or cut off, where it was.

    What succeeded on a host does not run there again; what may have happened is asked first.

    With --take-over the journal is fetched from the hosts that carry it (the fleet's bastions),
    every host is asked what ran there, and the controller that had the run is fenced off: should
    it come back, it stops with exit code 7. See docs/handover.md.
    """
    from fleetctl.cli.confirm import confirm
    from fleetctl.cli.session import Manner

    failed = how.failed
    manner = Manner(how.output, how.journal, leased=not how.no_lease, carried=how.carry)
    with open_journal(how.journal) as opened:
        if how.take_over:
            _refuse_both(how)
            from fleetctl.cli.handover import take_over

            return take_over(opened, run, open_fleet(how.inventory), manner, yes)
        row = opened.find(run)
        _refuse_live(opened, row)
        account = read_account(opened, row.id)
        hosts = account.view.to_do(failed)
        if not hosts and (failed or account.view.ended is not None):
            raise _nothing_left(account, failed)
        tell(accounted(account.view))
        if hosts:
            tell(f"to do: {hosts_word(len(hosts))}: {fold(hosts)}")
            confirm(len(hosts), yes)
        else:
            tell("to do: gates not answered yet, and its end")
        from fleetctl.cli.session import resume_run

        return resume_run(opened, row.id, manner, failed, how.inventory)


def _refuse_both(how: Resuming) -> None:
    if how.failed or how.no_lease:
        raise UsageError(
            "--take-over goes on with all of a run, and takes its leases",
            hint="leave out --failed and --no-lease; then: fleetctl resume RUN --failed",
        )


@runs.command()
@run_argument
@click.option("--kill", is_flag=True, help="Also stop what runs on the hosts now.")
@journal_option
def abort(run: str, kill: bool, journal: str | None) -> None:
    """Stop a live run from another terminal: nothing new starts, what is in flight ends."""
    from fleetctl.cli.identity import whoami

    with open_journal(journal) as opened:
        row = opened.find(run)
        holder = _live_holder(opened, row)
        opened.give_order(row.id, "kill" if kill else "abort", whoami())
    click.echo(f"asked {holder} to stop run {row.id}", err=True)


@runs.command()
@run_argument
@click.argument("gate", metavar="[GATE]", required=False)
@click.option("--no", "refused", is_flag=True, help="Refuse instead: the run stops there.")
@journal_option
def approve(run: str, gate: str | None, refused: bool, journal: str | None) -> None:
    """Answer the approval gate a live run is asking, from another terminal."""
    from fleetctl.cli.identity import whoami

    with open_journal(journal) as opened:
        row = opened.find(run)
        _live_holder(opened, row)
        account = read_account(opened, row.id)
        key = _open_gate(account, gate)
        word = "refuse" if refused else "approve"
        opened.give_order(row.id, word, whoami(), key)
    answer = "no" if refused else "yes"
    click.echo(f"answered {answer} to `{account.view.titles[key]}` of run {row.id}", err=True)


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


def _live_holder(journal: Journal, row: RunRow) -> str:
    holder = journal.lock(row.id).holder()
    if not holder:
        raise Refused(
            f"run {row.id} is not live",
            why="it has ended" if row.exit_code is not None else "its controller is gone",
            hint=f"fleetctl runs show {row.id}",
        )
    return holder


def _refuse_live(journal: Journal, row: RunRow) -> None:
    holder = journal.lock(row.id).holder()
    if holder:
        from fleetctl.base.errors import LockHeld

        raise LockHeld(
            f"run {row.id} is being driven already",
            why=f"by {holder}",
            hint=f"stop it with: fleetctl runs abort {row.id}",
        )


def _nothing_left(account: Account, failed: bool) -> Refused:
    view = account.view
    hint = ""
    if view.to_do(not failed):
        hint = f"fleetctl runs resume {view.run}" + ("" if failed else " --failed")
    what = "no lost host to try again" if failed else "nothing left to do"
    return Refused(f"run {view.run} has {what}", why=accounted(view), hint=hint)


def _open_gate(account: Account, named: str | None) -> str:
    view = account.view
    gates = {gate.key: gate for phase in view.plan.phases for gate in phase.gates}
    asked = [phase.gate for phase in view.phases.values() if phase.gate]
    open_ = [key for key in asked if isinstance(gates[key].probe, Approval)]
    if named is None and len(open_) == 1:
        return open_[0]
    for key in open_:
        if named in (key, gates[key].title):
            return key
    if not open_:
        raise Refused(f"run {view.run} asks for no approval now")
    if named is None:
        raise UsageError("several gates ask for approval", hint=f"name one of: {', '.join(open_)}")
    raise UsageError(f'no gate "{named}" asks for approval', hint=did_you_mean(named, open_))
