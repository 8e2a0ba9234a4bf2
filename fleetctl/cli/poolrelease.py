"""`fleetctl pools release`: what a run holds that is over, and that nobody will go on with."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import TYPE_CHECKING

import click
import msgspec

from fleetctl.base.errors import ExitCode, UsageError
from fleetctl.cli.output import tell
from fleetctl.cli.poolact import STORM_S, acting_options
from fleetctl.cli.poolrun import Act, Flags, carry_out, kept_by, plan_for, show_plan
from fleetctl.cli.selection import Choice

if TYPE_CHECKING:
    from fleetctl.cli.overseers import Told

_HELD = ("down", "busy", "ending")
"""Words of an answer for pools that a token holds."""


@click.command()
@click.argument("run", metavar="RUN")
@click.argument("selector", required=False)
@acting_options
def release(run: str, selector: str | None, choice: Choice, flags: Flags) -> ExitCode:
    """Take away what RUN holds on the hosts of SELECTOR: what ran before runs again.

    For a run that is over and nobody goes on with; `runs resume RUN` lets go by itself. While RUN
    is at work it is refused. RUN may be of another machine's journal, by its whole id.
    """
    from fleetctl.cli.confirm import confirm
    from fleetctl.cli.overseers import ask_overseers
    from fleetctl.cli.poolholders import refuse_live

    run = refuse_live(run, flags.journal)
    if not re.fullmatch(r"[A-Za-z0-9._-]+", run):
        raise UsageError(f"{run!r} is no run's id", hint="fleetctl pools status tells who holds")
    both = [f"({text})" for text in (choice.limit, selector) if text]
    choice = msgspec.structs.replace(choice, limit=" and ".join(both))
    fleet, hosts, patterns = kept_by((), choice, flags.instance)
    holding = _holding(ask_overseers(fleet, hosts, "settled", token=run, lenient=True))
    if not holding:
        tell(f"no overseer of these hosts holds anything for run {run}: nothing to do")
        return ExitCode.OK
    act = Act(f"release {run}", {"do": "release", "token": run}, STORM_S)
    plan = plan_for(act, fleet, holding, patterns, flags)
    show_plan(plan)
    tell(f"who resumes run {run} after this goes on beside daemons that run")
    confirm(len(holding), flags.yes)
    return carry_out(plan, act.verb, flags)


def _holding(found: Mapping[str, Told]) -> list[str]:
    """Hosts that hold something, which is told, and those of which that is not known."""
    from fleetctl.cli.overseers import Silent
    from fleetctl.cli.picture import hosts_word

    hosts, pools = [], 0
    for host, told in found.items():
        if isinstance(told, Silent):
            tell(f"{host}: {told.state}: {told.detail}")
        count = 0 if isinstance(told, Silent) else sum(told.get(word, 0) for word in _HELD)
        unknown = isinstance(told, Silent) and told.state != "absent"
        if count or unknown or (not isinstance(told, Silent) and told.get("standing")):
            hosts.append(host)
        pools += count
    if pools:
        tell(f"held: {pools:,} {'pool' if pools == 1 else 'pools'}; {hosts_word(len(hosts))}")
    return hosts
