"""`fleetctl pools hibernate | wake | pause ...`: what changes pools of many hosts, as a run."""

from __future__ import annotations

from typing import Any, TypeVar

import click

from fleetctl.base.errors import ExitCode, UsageError
from fleetctl.cli.gathering import gather
from fleetctl.cli.journal import journal_option
from fleetctl.cli.lock import lease_option
from fleetctl.cli.output import output_option
from fleetctl.cli.poolflags import end_of, end_options, said_why, why_option
from fleetctl.cli.poolrun import Act, Flags, act_on
from fleetctl.cli.selection import Choice, selection_options

Command = TypeVar("Command", bound=Any)
LOOKS_S = 20.0
"""How long a host may take for what needs no work to be done, before it says how it stands."""
STORM_S = 300.0
"""The same for starts."""
PROCESSES_MOST = 1000


def acting_options(command: Command) -> Command:
    """Which pools, of which hosts, and how to go about it."""
    command = gather("flags", Flags)(command)
    for option in (
        output_option,
        journal_option,
        lease_option,
        click.option("--yes", is_flag=True, help="Do not ask for the number of hosts."),
        click.option("--max-failures", metavar="N|N%", default="0", show_default=True,
                     help="Hosts that may be lost before it stops."),
        click.option("--throttle", metavar="N/min", help="Most host starts in a time."),
        click.option("--fanout", "-f", type=click.IntRange(1), help="Most hosts at once."),
        click.option("--batch", metavar="N|N%", help="Batch sizes.  [default: 1,25%,100%]"),
        why_option,
        selection_options,
        click.option("--instance", multiple=True, metavar="NAME", help="Pools of this instance."),
    ):  # fmt: skip
        command = option(command)
    return command


def _pools(command: Command) -> Command:
    """`KIND|POOL...` behind the flags."""
    return click.argument("names", nargs=-1, metavar="[KIND|POOL]...")(acting_options(command))


@click.command()
@_pools
@click.option("--now", is_flag=True, help="Also end busy daemons; says first which.")
def hibernate(names: tuple[str, ...], choice: Choice, flags: Flags, now: bool) -> ExitCode:
    """End idle daemons; their pools sleep until there is work. Busy ones end when done.

    KIND as in specs, POOL as instance/kind; * and ? may stand for more, in quotes.
    """
    request = {"do": "hibernate", **({"now": True} if now else {})}
    return act_on(Act("hibernate", request, LOOKS_S, interrupts=now), names, choice, flags)


@click.command()
@_pools
def wake(names: tuple[str, ...], choice: Choice, flags: Flags) -> ExitCode:
    """Start a daemon of each pool that sleeps, in a throttled storm."""
    return act_on(Act("wake", {"do": "wake"}, STORM_S), names, choice, flags)


@click.command()
@_pools
@end_options
def pause(names: tuple[str, ...], choice: Choice, flags: Flags, **ends: str | None) -> ExitCode:
    """Start nothing more for pools; what runs goes on. Work that comes is remembered."""
    return act_on(_bounded("pause", flags, ends), names, choice, flags)


@click.command()
@_pools
@end_options
def drain(names: tuple[str, ...], choice: Choice, flags: Flags, **ends: str | None) -> ExitCode:
    """As pause; idle daemons are ended now, busy ones when their task is done."""
    return act_on(_bounded("drain", flags, ends), names, choice, flags)


def _bounded(verb: str, flags: Flags, ends: dict[str, str | None]) -> Act:
    said_why(flags.why)
    return Act(verb, {"do": verb, **end_of(ends.get("for_text"), ends.get("until"))}, LOOKS_S)


@click.command()
@_pools
def resume(names: tuple[str, ...], choice: Choice, flags: Flags) -> ExitCode:
    """End a pause or a drain: what ran before runs again, what slept sleeps on."""
    return act_on(Act("resume", {"do": "resume"}, STORM_S), names, choice, flags)


@click.command()
@_pools
def retry(names: tuple[str, ...], choice: Choice, flags: Flags) -> ExitCode:
    """Forget the errors of pools and try them again now."""
    return act_on(Act("retry", {"do": "retry"}, STORM_S), names, choice, flags)


@click.command()
@_pools
def restart(names: tuple[str, ...], choice: Choice, flags: Flags) -> ExitCode:
    """Replace what runs, one process of a pool at a time, busy ones when their task is done."""
    return act_on(Act("restart", {"do": "restart"}, STORM_S), names, choice, flags)


@click.command()
@click.argument("words", nargs=-1, metavar="[MIN MAX] [KIND|POOL]...")
@acting_options
@click.option("--reset", is_flag=True, help="What the specs say again; without MIN and MAX.")
def scale(words: tuple[str, ...], choice: Choice, flags: Flags, reset: bool) -> ExitCode:
    """Other numbers of processes for pools than their specs'; kept until --reset."""
    if reset and len(words) > 1 and all(word.isdigit() for word in words[:2]):
        raise UsageError("say either MIN and MAX, or --reset", where="scale")
    if reset:
        return act_on(Act("scale reset", {"do": "scale"}, LOOKS_S), words, choice, flags)
    least, most = _bounds(words)
    act = Act(f"scale {least} {most}", {"do": "scale", "min": least, "max": most}, LOOKS_S)
    return act_on(act, words[2:], choice, flags)


def _bounds(words: tuple[str, ...]) -> tuple[int, int]:
    """The first two words; raises UsageError for what are no numbers of processes."""
    if len(words) < 2:
        raise UsageError("say either MIN and MAX, or --reset", where="scale")
    for word, name, lowest in zip(words, ("MIN", "MAX"), (0, 1), strict=False):
        if not (word.isascii() and word.isdigit() and lowest <= int(word) <= PROCESSES_MOST):
            raise UsageError(
                f"{word!r} is no {name}: a number from {lowest} to {PROCESSES_MOST}",
                where="scale", hint="fleetctl pools scale MIN MAX [KIND|POOL]..., or --reset",
            )  # fmt: skip
    least, most = int(words[0]), int(words[1])
    if least > most:
        raise UsageError(f"MIN is {least}, more than MAX, {most}", where="scale")
    return least, most


@click.command()
@acting_options
def reload(choice: Choice, flags: Flags, **_: Any) -> ExitCode:
    """Have overseers read their specs anew; only what changed is touched."""
    return act_on(Act("reload", {"do": "reload"}, 0.0), (), choice, flags)
