"""`fleetctl resume`: going on with a run, here or from another machine."""

from __future__ import annotations

import time
from typing import Literal, NamedTuple

import click

from fleetctl.base.errors import ExitCode, LockHeld, Refused, UsageError
from fleetctl.base.hostrange import fold
from fleetctl.base.names import did_you_mean
from fleetctl.base.outcome import Outcome
from fleetctl.cli.account import Account, read_account
from fleetctl.cli.advice import advised
from fleetctl.cli.gathering import gather
from fleetctl.cli.journal import journal_option, open_journal
from fleetctl.cli.lock import carry_option, lease_option
from fleetctl.cli.output import output_option, tell
from fleetctl.cli.overtaken import heed
from fleetctl.cli.picture import hosts_word
from fleetctl.cli.recap import accounted
from fleetctl.cli.schedule import read_slot, window_option
from fleetctl.cli.selection import inventory_option, open_fleet
from fleetctl.cli.unended import unended
from fleetctl.journal.rows import RunRow
from fleetctl.journal.store import Journal
from fleetctl.rollout.records import Told


class Resuming(NamedTuple):
    """How to go on."""

    failed: bool
    done: tuple[str, ...]
    again: tuple[str, ...]
    take_over: bool
    carry: bool
    no_lease: bool
    inventory: str | None
    journal: str | None
    output: str
    window: str | None


@click.command()
@click.argument("run", metavar="RUN")
@click.option("--failed", is_flag=True, help="Try the lost hosts again, nothing else.")
@click.option(
    "--done",
    multiple=True,
    metavar="HOST[:ITEM]",
    help="You looked: the unknown step (or item of it) of this host was done.",
)
@click.option(
    "--again",
    multiple=True,
    metavar="HOST[:ITEM]",
    help="You looked: the unknown step (or item) of this host is to run once more.",
)
@click.option("--take-over", is_flag=True, help="Go on with a run of another machine.")
@click.option("--yes", is_flag=True, help="Do not ask; for scripts.")
@window_option
@carry_option
@lease_option
@inventory_option
@journal_option
@output_option
@gather("how", Resuming)
def resume(run: str, yes: bool, how: Resuming) -> ExitCode:
    """Go on with a run that was interrupted, stopped or cut off, where it was.

    What succeeded on a host does not run there again; what may have happened is asked first. Where
    the host cannot know either (it went down in the middle of a step), look there and say so, with
    --failed and --done or --again; a host that knows its end is not overruled.

    With --take-over the journal is fetched from the hosts that carry it (the fleet's bastions),
    every host is asked what ran there, and the controller that had the run is fenced off: should
    it come back, it stops with exit code 7. See docs/handover.md.
    """
    from fleetctl.cli.confirm import confirm
    from fleetctl.cli.session import Manner

    failed = how.failed
    slot = read_slot(None, how.window, time.time())
    manner = Manner(
        how.output, how.journal, leased=not how.no_lease, carried=how.carry, until_s=slot.until_s
    )  # fmt: skip
    with open_journal(how.journal) as opened:
        if how.take_over:
            _refuse_both(how)
            from fleetctl.cli.handover import take_over

            return take_over(opened, run, open_fleet(how.inventory), manner, yes)
        row = opened.find(run)
        _refuse_live(opened, row)
        account = read_account(opened, row.id)
        told = _told(account, how)
        hosts = account.view.to_do(failed)
        ended = account.view.ended is not None and not account.view.undone()
        if not hosts and (failed or ended):
            raise _nothing_left(opened, account, failed)
        tell(accounted(account.view))
        if hosts:
            tell(f"to do: {hosts_word(len(hosts))}: {fold(hosts)}")
            heed(account.view, opened.live(account.view.plan.fleet), hosts, yes)
            confirm(len(hosts), yes)
        else:
            tell("to do: gates not answered yet, and its end")
        from fleetctl.cli.session import resume_run
        from fleetctl.rollout.driver import Wanted

        return resume_run(opened, row.id, manner, Wanted(failed, told), how.inventory)


def _refuse_both(how: Resuming) -> None:
    if how.failed or how.done or how.again or how.no_lease:
        raise UsageError(
            "--take-over goes on with all of a run, and takes its leases",
            hint="leave out --failed and --no-lease; then: fleetctl resume RUN --failed",
        )


def _told(account: Account, how: Resuming) -> tuple[Told, ...]:
    """What is said of unknown hosts; raises UsageError for what cannot be meant."""
    told = [_said(word, "done") for word in how.done] + [_said(w, "again") for w in how.again]
    if told and not how.failed:
        raise UsageError("--done and --again are about lost hosts", hint="add --failed")
    outcomes = account.view.outcomes()
    for one in told:
        if one.host not in outcomes:
            hint = did_you_mean(one.host, outcomes)
            raise UsageError(f'run {account.view.run} has no host "{one.host}"', hint=hint)
        if _has_unknown_item(account, one):
            continue
        if one.item:
            where = f"{one.host}:{one.item}"
            raise UsageError(f"{where} is not unknown", hint="look at: fleetctl runs show")
        if outcomes[one.host] is not Outcome.UNKNOWN:
            word = outcomes[one.host] or "not accounted for"
            raise UsageError(f"{one.host} is not unknown, but {word}", hint="leave it out")
    for host in set(how.done) & set(how.again):
        raise UsageError(f"{host} cannot be both --done and --again")
    return tuple(told)


def _said(text: str, word: Literal["done", "again"]) -> Told:
    host, _, item = text.partition(":")
    return Told(host, word, item)


def _has_unknown_item(account: Account, told: Told) -> bool:
    """Whether an item of the host that is meant has no known end."""
    return any(
        end.outcome is Outcome.UNKNOWN and told.item in ("", end.item)
        for host in account.view.hosts.values()
        if host.host == told.host
        for items in host.items.values()
        for end in items.lost
    )


def _refuse_live(journal: Journal, row: RunRow) -> None:
    holder = journal.lock(row.id).holder()
    if holder:
        raise LockHeld(
            f"run {row.id} is being driven already",
            why=f"by {holder}",
            hint=f"stop it with: fleetctl runs abort {row.id}",
        )


def _nothing_left(journal: Journal, account: Account, failed: bool) -> Refused:
    view = account.view
    hint = "; ".join(
        f"{one.words}: {advised(one.next)}"
        for one in unended(journal, view.plan.fleet)
        if not one.holder
    )
    if view.to_do(not failed):
        hint = advised(f"fleetctl runs resume {view.run}" + ("" if failed else " --failed"))
    what = "no lost host to try again" if failed else "nothing left to do"
    return Refused(f"run {view.run} has {what}", why=accounted(view), hint=hint)
