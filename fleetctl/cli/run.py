"""`fleetctl run SELECTOR -- CMD`: one command on many hosts, as a journaled run like any other."""

from __future__ import annotations

from typing import NamedTuple

import click

from fleetctl.base.durations import parse_duration_s
from fleetctl.base.errors import ExitCode, UsageError
from fleetctl.cli.gathering import gather
from fleetctl.cli.journal import journal_option
from fleetctl.cli.lock import lease_option
from fleetctl.cli.output import output_option
from fleetctl.cli.selection import inventory_option, open_fleet


class Flags(NamedTuple):
    """What may be said about how to run it."""

    exclude: tuple[str, ...]
    fanout: int
    timeout: str | None
    max_failures: str
    journal: str | None
    no_lease: bool
    output: str


@click.command()
@click.argument("selector")
@click.argument("command", metavar="-- CMD...", nargs=-1, required=True)
@inventory_option
@click.option("--exclude", multiple=True, metavar="EXPR", help="Hosts to leave out.")
@click.option("--fanout", "-f", type=click.IntRange(1), default=50, show_default=True,
              help="Most hosts at once.")  # fmt: skip
@click.option("--timeout", metavar="TIME", help="Deadline of the command on each host, e.g. 30s.")
@click.option("--max-failures", metavar="N", default="", help="Lost hosts before it stops.")
@click.option("--yes", is_flag=True, help="Do not ask; for scripts.")
@lease_option
@journal_option
@output_option
@gather("flags", Flags)
def run(
    selector: str, command: tuple[str, ...], inventory: str | None, yes: bool, flags: Flags
) -> ExitCode:
    """Run a command on the hosts of SELECTOR; equal answers are told once.

    One word after `--` is a sh text, several are taken literally as program and arguments. Names
    such as {{host.name}} are put in. Pairs, floors and limits of tiers hold as in a push.

      fleetctl run 'tier=web and not web003' -- uptime
    """
    from fleetctl.cli.confirm import confirm
    from fleetctl.cli.session import Manner, start_run
    from fleetctl.inventory.select import Selection, pick_all
    from fleetctl.plan.adhoc import adhoc_plan
    from fleetctl.plan.request import Overrides

    fleet = open_fleet(inventory)
    names = pick_all(fleet, Selection(limit=selector, exclude=flags.exclude))
    plan = adhoc_plan(
        fleet,
        names,
        command[0] if len(command) == 1 else command,
        Overrides(fanout=flags.fanout),
        timeout_s=_timeout_s(flags.timeout),
        budget=flags.max_failures,
    )
    _announce(names, command)
    confirm(len(names), yes)
    leased = not flags.no_lease
    # Not carried: it would push the runs somebody may have to go on with out of what is kept.
    return start_run(
        plan, Manner(flags.output, flags.journal, folded=True, leased=leased, carried=False)
    )


def _announce(names: list[str], command: tuple[str, ...]) -> None:
    import shlex

    from fleetctl.base.hostrange import fold
    from fleetctl.cli.picture import hosts_word
    from fleetctl.cli.output import tell

    shown = command[0] if len(command) == 1 else shlex.join(command)
    tell(f"{hosts_word(len(names))}: {fold(names)}\nwill run: {shown}")


def _timeout_s(text: str | None) -> float | None:
    if text is None:
        return None
    try:
        return parse_duration_s(text)
    except ValueError as error:
        raise UsageError(str(error), where="--timeout") from error
