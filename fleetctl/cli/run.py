"""`fleetctl run SELECTOR -- CMD`: one command on many hosts, as a journaled run like any other."""

from __future__ import annotations

from typing import NamedTuple

import click
import msgspec

from fleetctl.base.durations import parse_duration_s
from fleetctl.base.errors import ExitCode, UsageError
from fleetctl.cli.gathering import gather
from fleetctl.cli.journal import journal_option
from fleetctl.cli.lock import lease_option
from fleetctl.cli.output import output_option
from fleetctl.cli.selection import Choice, selection_options


class Flags(NamedTuple):
    """What may be said about how to run it."""

    fanout: int
    timeout: str | None
    max_failures: str
    journal: str | None
    no_lease: bool
    output: str


_AFTER = "fleetctl.words_after"


class _Run(click.Command):
    """Remembers how many words stood behind `--`: they are the command, whatever they look like."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        if "--" in args:
            ctx.meta[_AFTER] = len(args) - args.index("--") - 1
        return super().parse_args(ctx, args)


@click.command(cls=_Run)
@click.argument("words", metavar="[SELECTOR] -- CMD...", nargs=-1)
@selection_options
@click.option("--fanout", "-f", type=click.IntRange(1), default=50, show_default=True,
              help="Most hosts at once.")  # fmt: skip
@click.option("--timeout", metavar="TIME", help="Deadline of the command on each host, e.g. 30s.")
@click.option("--max-failures", metavar="N", default="", help="Lost hosts before it stops.")
@click.option("--yes", is_flag=True, help="Do not ask; for scripts.")
@lease_option
@journal_option
@output_option
@gather("flags", Flags)
def run(words: tuple[str, ...], choice: Choice, yes: bool, flags: Flags) -> ExitCode:
    """Run a command on the hosts picked by SELECTOR or flags; equal answers are told once.

    One word after `--` is a sh text, several are taken literally as program and arguments. Names
    such as {{host.name}} are put in. Pairs, floors and limits of tiers hold as in a push.

    \b
      fleetctl run 'tier=web and not web003' -- uptime
      fleetctl run --tier web --exclude web003 -- uptime
    """
    from fleetctl.cli.confirm import confirm
    from fleetctl.cli.session import Manner, start_run
    from fleetctl.plan.adhoc import adhoc_plan
    from fleetctl.plan.request import Overrides

    chosen, command = _read(words, choice)
    fleet, names = chosen.pick()
    _check_amount(flags.max_failures)
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


def _read(words: tuple[str, ...], choice: Choice) -> tuple[Choice, tuple[str, ...]]:
    """The hosts meant, and the command; raises UsageError when either is missing."""
    after = click.get_current_context().meta.get(_AFTER)
    if after is None:
        after = len(words) - (not choice.given)
    selectors, command = words[: len(words) - after], words[len(words) - after :]
    if len(selectors) > 1:
        raise UsageError(
            f"several selectors: {' '.join(selectors)}", hint="join them: 'A or B', 'A and not B'"
        )
    if not selectors and not choice.given:
        raise UsageError(
            "it is not said which hosts", hint="--tier TIER, or a selector; '*' means every host"
        )
    if not command:
        raise UsageError("it is not said what to run", hint="fleetctl run SELECTOR -- CMD...")
    both = [f"({text})" for text in (choice.limit, *selectors) if text]
    return msgspec.structs.replace(choice, limit=" and ".join(both)), command


def _announce(names: list[str], command: tuple[str, ...]) -> None:
    import shlex

    from fleetctl.base.hostrange import fold
    from fleetctl.cli.output import tell
    from fleetctl.cli.picture import hosts_word

    shown = command[0] if len(command) == 1 else shlex.join(command)
    tell(f"{hosts_word(len(names))}: {fold(names)}\nwill run: {shown}")


def _check_amount(text: str) -> None:
    from fleetctl.playbook.units import Amount

    try:
        if text:
            Amount.read(text)
    except ValueError as error:
        raise UsageError(str(error), where="--max-failures") from error


def _timeout_s(text: str | None) -> float | None:
    if text is None:
        return None
    try:
        return parse_duration_s(text)
    except ValueError as error:
        raise UsageError(str(error), where="--timeout") from error
