"""`fleetctl rehearse`: a push as it would be, on a lab twin of the fleet, with faults."""

from __future__ import annotations

import signal
import sys
from typing import Any, NamedTuple

import click

from fleetctl.base.errors import ExitCode, UsageError
from fleetctl.cli.assemble import wish_of, wish_options
from fleetctl.cli.gathering import gather
from fleetctl.cli.output import output_option
from fleetctl.cli.selection import Choice, selection_options
from fleetctl.lab.faults import FAULTS


class Play(NamedTuple):
    """How a rehearsal is to be played."""

    fault: tuple[str, ...]
    real: tuple[str, ...]
    answer: tuple[str, ...]
    items: int
    fast: bool
    yes: bool
    keep: bool
    folder: str | None
    output: str


def play_options(command: Any) -> Any:
    """The flags of a Play, passed as `play`."""
    command = gather("play", Play)(command)
    for option in (
        output_option,
        click.option("--dir", "folder", metavar="FOLDER", help="Where its files are; else a "
                     "folder of its own for as long as it takes."),
        click.option("--keep", is_flag=True, help="Leave the lab up and its journal there."),
        click.option("--yes", is_flag=True, help="Approve whatever is asked."),
        click.option("--fast", is_flag=True, help="Divide every wait by 60: what stand-ins take, "
                     "pauses, soaks, pauses between a gate's tries, throttles."),
        click.option("--items", default=3, show_default=True, type=click.IntRange(0, 10_000),
                     metavar="N", help="Items a host lists for each foreach step."),
        click.option("--answer", multiple=True, metavar="NAME=CHOICE",
                     help="Answer one question, such as 'Upgrade the databases?=refuse'."),
        click.option("--real", multiple=True, metavar="GLOB",
                     help="Run steps and gates of this title, key or text as they are, here."),
        click.option("--fault", multiple=True, metavar="HOST=KIND@STEP[:N|:TIME]",
                     help="Give HOST a fault when it gets to STEP: always, at the first N tries, "
                     "or for a TIME."),
    ):  # fmt: skip
        command = option(command)
    return command


@click.command(
    epilog="\b\nKinds of fault:\n"
    + "\n".join(f"  {kind.value:15} {words.does}" for kind, words in FAULTS.items())
)
@click.argument("playbook", required=False, metavar="[PLAYBOOK]")
@selection_options
@wish_options
@play_options
def rehearse(playbook: str | None, choice: Choice, play: Play, **words: Any) -> ExitCode:
    """Push PLAYBOOK on a lab twin of the fleet: the very plan, with stand-ins for commands.

    Nothing reaches a real host, and no command of the playbook is run but with --real. Connections,
    order, batches, gates, budgets and approvals are what they are in a push. Exits as the push
    would have.
    """
    from fleetctl.cli.rehearsal import Script, play_through
    from fleetctl.cli.standing import Answers

    # Told to end, it still takes its lab down.
    for number in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, lambda *_: sys.exit(ExitCode.INTERRUPTED))
    if play.keep and play.folder is None:
        raise UsageError("--keep needs a folder", hint="name one with --dir")
    wish = wish_of(choice, playbook, words)
    return play_through(Script(wish, play, Answers(play.answer, play.yes)))
