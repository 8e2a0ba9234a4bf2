"""`fleetctl push`: a playbook, or a plan saved earlier, over the fleet."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import click

from fleetctl.base.errors import ExitCode, UsageError
from fleetctl.cli.assemble import Wish, wish_of, wish_options
from fleetctl.cli.gathering import gather
from fleetctl.cli.lock import carry_option, lease_option
from fleetctl.cli.output import output_option
from fleetctl.cli.schedule import at_option, window_option
from fleetctl.cli.selection import Choice, selection_options

if TYPE_CHECKING:
    from fleetctl.plan.model import Plan


class Going(NamedTuple):
    """How to go about it."""

    check: bool
    yes: bool
    at: str | None
    window: str | None
    no_lease: bool
    carry: bool
    output: str


def going_options(command: Any) -> Any:
    """`--check`, `--yes`, `--at`, `--window`, `--no-lease`, `--no-carry` and `--output`, passed as
    `going`.
    """
    command = gather("going", Going)(command)
    command = carry_option(lease_option(output_option(command)))
    command = at_option(window_option(command))
    yes = "Do not ask for the number of hosts; for scripts. Approvals and manual steps "
    yes += "still ask."
    command = click.option("--yes", is_flag=True, help=yes)(command)
    check = "Run only checks and read-only probes; change nothing."
    return click.option("--check", "--dry-run", "check", is_flag=True, help=check)(command)


@click.command()
@click.argument("playbook", required=False, metavar="[PLAYBOOK]")
@click.option("--plan", "saved", metavar="FILE", help="Run this saved plan, exactly.")
@selection_options
@wish_options
@going_options
def push(
    playbook: str | None, saved: str | None, choice: Choice, going: Going, **words: Any
) -> ExitCode:
    """Run PLAYBOOK over the fleet, or else the fleet's default playbook.

    The plan is shown, and the number of hosts is typed before anything is touched. Ctrl-C once:
    nothing new starts; twice: what runs on the hosts is stopped. Both can be resumed.
    """
    wish = wish_of(choice, playbook, words)
    return go(_saved_plan(saved, wish) if saved else _made_plan(wish), going, wish.journal)


def go(plan: Plan, going: Going, journal: str | None, notes: Sequence[str] = ()) -> ExitCode:
    """Show the plan, have it confirmed, run it, tell how it went.

    `notes`: what else a person should know of it before saying yes.
    """
    import time

    from fleetctl.cli.output import room, tell
    from fleetctl.cli.planview import WIDTH, plan_lines
    from fleetctl.cli.schedule import await_start, read_slot, tell_fit
    from fleetctl.cli.session import Manner, start_run
    from fleetctl.cli.unended import cut_off_notes

    tell("\n".join(plan_lines(plan, room(WIDTH))))
    now_s = time.time()
    notes = (*notes, *cut_off_notes(journal, plan.fleet, now_s))
    if notes:
        tell("\n".join(("", *notes)))
    slot = read_slot(going.at, going.window, now_s)
    tell_fit(plan, slot, now_s)
    if not going.check:
        confirm_plan(plan, going.yes)
    await_start(plan, slot, journal)
    return start_run(
        plan,
        Manner(
            going.output, journal, going.check, leased=not going.no_lease, carried=going.carry,
            until_s=slot.until_s,
        ),
    )  # fmt: skip


def confirm_plan(plan: Plan, yes: bool) -> None:
    """The number of hosts is typed; of a plan without hosts that of its steps."""
    from fleetctl.cli.confirm import confirm
    from fleetctl.cli.planview import hosts_of

    hosts = len(hosts_of(plan))
    if hosts:
        confirm(hosts, yes)
    else:
        confirm(sum(len(phase.gates) for phase in plan.phases), yes, things="steps")


def _made_plan(wish: Wish) -> Plan:
    from fleetctl.cli.assemble import assemble

    return assemble(wish).plan


def _saved_plan(file: str, wish: Wish) -> Plan:
    from fleetctl.cli.assemble import load_plan

    narrowed = wish.playbook or wish.choice.given
    changed = (wish.release, wish.var, wish.phase, wish.batch, wish.fanout, wish.throttle)
    if narrowed or any(changed) or wish.max_failures:
        raise UsageError(
            "a saved plan is run as it was saved",
            where="--plan",
            why="other flags would make it another plan",
            hint="leave them out, or make a new plan with `fleetctl plan ... --save`",
        )
    return load_plan(Path(file), wish).plan
