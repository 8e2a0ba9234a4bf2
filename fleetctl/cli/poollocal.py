"""`fleetctl pools --local`: what this host's overseer keeps running, lets sleep, or gave up."""

from __future__ import annotations

import getpass
from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import click

from fleetctl.base.errors import ExitCode, UsageError
from fleetctl.cli.output import emit, output_option, printable, tell, write
from fleetctl.cli.poolflags import end_of, end_options, said_why, why_option
from fleetctl.pools.overseer.amounts import counted

if TYPE_CHECKING:
    from fleetctl.pools.local import Overseer

COLUMNS = (
    *("pool", "state", "cause", "busy", "live", "max", "for_s", "next_s", "errors_15m", "why"),
)
EVENT_COLUMNS = ("wall", "pool", "slot", "event", "to", "cause", "more")
_TOLD_APART = ("t", "w", "e", "p", "n", "x", "to", "c", "g")


def _open(ctx: click.Context) -> Overseer:
    from fleetctl.pools.local import Overseer

    return Overseer(ctx.obj)


@click.command()
@click.argument("names", nargs=-1, metavar="[POOL]...")
@click.option("--all", "every", is_flag=True, help="Also pools that sleep as they should.")
@output_option
@click.pass_context
def status(ctx: click.Context, names: tuple[str, ...], every: bool, output: str) -> ExitCode:
    """Pools that do not sleep, or those named; counts of all on stderr.

    Errors are counted, never quoted: `log POOL` shows what daemons said.
    """
    with _open(ctx) as overseer:
        told = overseer.ask("status", pools=list(names), all=every)
    counts = ", ".join(
        f"{number} {word.lower()}" for word, number in sorted(told["counts"].items())
    )
    tell(counts or "no pools")
    own = told["overseer"]
    if own["wakes"]:
        wakes = counted(own["wakes"], "wake")
        tell(f"{wakes}, p50 {own['wake_p50_s']:.3f} s, p99 {own['wake_p99_s']:.3f} s")
    warn(own)
    if told["pools"] or output != "table":
        emit(told["pools"], COLUMNS, output)
    if any(row["errors_15m"] for row in told["pools"]):
        tell("recent errors; see: fleetctl pools --local log POOL")
    return ExitCode.OK


def warn(own: dict[str, Any]) -> None:
    """What is wrong with the overseer itself."""
    if own["lookouts_failing"]:
        failing = counted(own["lookouts_failing"], "source of attention")
        tell(
            f"{failing} {'fails' if own['lookouts_failing'] == 1 else 'fail'}: pools that nothing"
            " else wakes sleep on until max_sleep; see logs/attention.* in the overseer's folder"
        )
    for pool, why in own.get("sockets_lost", {}).items():
        tell(f"the socket of {pool} cannot be opened: {printable(why)}")
    hint = own.get("unknown_hint")
    if hint:
        from fleetctl.cli.picture import wall_text

        tell(
            f"a hint ({hint['source']}) named {printable(hint['pool'])}, which no pool is called:"
            f" {hint['count']} such, the latest {wall_text(hint['at'])}"
        )
    for line in lacks(own):
        tell(line)
    if own["log_failing"]:
        tell("the log of events cannot be written: is the disk full?")
    if own["in_line"]:
        tell(f"{counted(own['in_line'], 'start')} in line")


def lacks(own: Mapping[str, Any]) -> list[str]:
    """Kinds that cannot be started, a line each."""
    from fleetctl.pools.overseer.programs import in_words

    return [printable(line) for line in in_words(own.get("programs_missing", {}))]


@click.command()
@click.argument("names", nargs=-1, metavar="[POOL]...")
@click.option(
    "--last", type=click.IntRange(0), default=20, show_default=True, help="How many to show."
)
@click.option("--follow", "-f", is_flag=True, help="Go on with what happens, until Ctrl-C.")
@output_option
@click.pass_context
def events(
    ctx: click.Context, names: tuple[str, ...], last: int, follow: bool, output: str
) -> ExitCode:
    """What happened to pools, oldest first."""
    with _open(ctx) as overseer:
        told = overseer.ask("events", pools=list(names), last=last, follow=follow)
        emit([event_row(event) for event in told["events"]], EVENT_COLUMNS, output)
        if not follow:
            return ExitCode.OK
        for event in overseer.follow():
            if not names or event.get("p") in names:
                row = event_row(event)
                if output == "table":
                    write(event_line(row))
                else:
                    emit([row], EVENT_COLUMNS, "jsonl")
    return ExitCode.OK


def event_row(event: dict[str, Any]) -> dict[str, Any]:
    """An event of the log in words."""
    more = {key: value for key, value in event.items() if key not in _TOLD_APART and value}
    wall_s = event.get("w")
    if wall_s is not None and "t" in event and isinstance(more.get("u"), (int, float)):
        more["until"] = _wall(wall_s + more.pop("u") - event["t"])  # `u` is of the clock of `t`
    return {
        "wall": None if wall_s is None else _wall(wall_s),
        "pool": event.get("p"),
        "slot": event.get("n"),
        "event": event.get("x") or event["e"],
        "to": event.get("to"),
        "cause": event.get("c") or None,
        "more": " ".join(f"{key}={value}" for key, value in more.items()) or None,
    }


def event_line(row: dict[str, Any]) -> str:
    """A row without those above it: what it does not have takes no place."""
    return "  ".join(str(value) for value in row.values() if value is not None)


def _wall(wall_s: float) -> str:
    """Local date and time with thousandths of a second, for much happens within one."""
    from fleetctl.cli.picture import wall_text

    thousandths = round(wall_s * 1000)
    return f"{wall_text(thousandths // 1000)}.{thousandths % 1000:03d}"


def _change(
    ctx: click.Context, do: str, names: Sequence[str], yes: bool, **more: Any
) -> dict[str, Any]:
    """Ask for a change of pools, when a person has agreed to how many they are."""
    from fleetctl.cli.confirm import confirm

    with _open(ctx) as overseer:
        found = overseer.ask("status", pools=list(names))["pools"]
        if len(found) > 1:
            tell(f"{do}: {len(found)} pools, {found[0]['pool']} to {found[-1]['pool']}")
            confirm(len(found), yes, things="pools")
        told = overseer.ask(do, pools=[row["pool"] for row in found], **more)
        tell(f"{do}: {len(found)} pools" if len(found) > 1 else f"{do}: {found[0]['pool']}")
        return told


def _names(command: Any) -> Any:
    """`POOL...` and `--yes`."""
    command = click.argument("names", nargs=-1, required=True, metavar="POOL...")(command)
    return click.option("--yes", is_flag=True, help="Do not ask; for scripts.")(command)


@click.command()
@_names
@click.pass_context
def hibernate(ctx: click.Context, names: tuple[str, ...], yes: bool) -> ExitCode:
    """End idle daemons; their pools sleep until there is work. Busy ones end when done."""
    told = _change(ctx, "hibernate", names, yes)
    if told["left_busy"]:
        tell(f"{told['left_busy']} busy daemons go to sleep when their task is done")
    return ExitCode.OK


@click.command()
@_names
@click.pass_context
def wake(ctx: click.Context, names: tuple[str, ...], yes: bool) -> ExitCode:
    """Start a daemon of each pool that sleeps."""
    told = _change(ctx, "wake", names, yes)
    for name in told["held_back"]:
        tell(f"{name} is held back; it wakes when it is resumed")
    return ExitCode.OK


def _bounded(command: Any) -> Any:
    """`--why`, `--for` and `--until`."""
    return why_option(end_options(command))


def _stop(ctx: click.Context, do: str, names: Sequence[str], yes: bool, **flags: Any) -> ExitCode:
    """Pause or drain, as the flags of `_bounded` say."""
    why, ends = said_why(flags["why"]), end_of(flags["for_text"], flags["until"])
    _change(ctx, do, names, yes, why=why, by=getpass.getuser(), **ends)
    return ExitCode.OK


@click.command()
@_bounded
@_names
@click.pass_context
def pause(ctx: click.Context, /, names: tuple[str, ...], yes: bool, **flags: Any) -> ExitCode:
    """Start nothing more for pools; what runs goes on. Work that comes is remembered."""
    return _stop(ctx, "pause", names, yes, **flags)


@click.command()
@_bounded
@_names
@click.pass_context
def drain(ctx: click.Context, /, names: tuple[str, ...], yes: bool, **flags: Any) -> ExitCode:
    """As pause; idle daemons are ended now, busy ones when their task is done."""
    return _stop(ctx, "drain", names, yes, **flags)


@click.command()
@_names
@click.pass_context
def resume(ctx: click.Context, names: tuple[str, ...], yes: bool) -> ExitCode:
    """End a pause or a drain; what was asked for in between is done now."""
    _change(ctx, "resume", names, yes, by=getpass.getuser())
    return ExitCode.OK


@click.command()
@_names
@click.pass_context
def retry(ctx: click.Context, names: tuple[str, ...], yes: bool) -> ExitCode:
    """Forget the errors of pools and try them again now."""
    _change(ctx, "retry", names, yes)
    return ExitCode.OK


@click.command()
@click.option("--min", "least", type=click.IntRange(0, 1000), help="Processes kept at least.")
@click.option("--max", "most", type=click.IntRange(1, 1000), help="Processes there may be.")
@click.option("--reset", is_flag=True, help="What the specs say again.")
@_names
@click.pass_context
def scale(
    ctx: click.Context,
    names: tuple[str, ...],
    yes: bool,
    least: int | None,
    most: int | None,
    reset: bool,
) -> ExitCode:
    """Other numbers for pools than their specs'; kept until --reset."""
    if reset == (most is not None):
        raise UsageError("say either --max (and --min), or --reset", where="scale")
    bounds = {} if most is None else {"min": least or 0, "max": most}
    _change(ctx, "scale", names, yes, **bounds)
    return ExitCode.OK


@click.command()
@click.pass_context
def reload(ctx: click.Context) -> ExitCode:
    """Read the specs anew; only what changed is touched, and nothing if there is a mistake."""
    with _open(ctx) as overseer:
        told = overseer.ask("reload")
    tell(", ".join(f"{number} {word}" for word, number in told.items()))
    return ExitCode.OK


@click.command()
@click.argument("names", nargs=-1, required=True, metavar="POOL...")
@click.pass_context
def explain(ctx: click.Context, names: tuple[str, ...]) -> ExitCode:
    """Why pools have the processes they have: every input, the law, and what binds."""
    with _open(ctx) as overseer:
        for told in overseer.ask("explain", pools=list(names))["explained"]:
            for line in explained_lines(told):
                write(line)
    return ExitCode.OK


def explained_lines(told: dict[str, Any]) -> Iterator[str]:
    """One pool's answer to `explain`, for people."""
    yield f"{told['pool']}: {told['state']} {told['cause']}".rstrip()
    yield f"  law      {told['law']}"
    for key, value in told["inputs"].items():
        yield f"  {key:<20} {value}"
    yield f"  grows by {told['grows_by']}, because: {told['binding']}"
    for slot in told["slots"]:
        yield "  slot " + " ".join(f"{k}={v}" for k, v in slot.items() if v != "")


@click.command()
@click.argument("names", nargs=-1, required=True, metavar="POOL...")
@click.pass_context
def log(ctx: click.Context, names: tuple[str, ...]) -> ExitCode:
    """What the daemons of pools printed last. It may hold secrets, so it stays on the host."""
    with _open(ctx) as overseer:
        for slot, text in overseer.ask("log", pools=list(names))["log"].items():
            write(f"== {slot}")
            for line in printed(text):
                write(line)
    return ExitCode.OK


def printed(text: str) -> list[str]:
    """What a daemon printed, line by line; a daemon that printed nothing is no missing log."""
    return text.splitlines() or ["(nothing is printed yet)"]


@click.command()
@click.argument("injury", type=click.Choice(["hang", "error", "kill", "poison"]))
@_names
@click.pass_context
def debug(ctx: click.Context, injury: str, names: tuple[str, ...], yes: bool) -> ExitCode:
    """Really hurt the daemons of pools, to see that it is noticed.

    `poison` is a task that fails: whoever takes the next one is ended at it, three times.
    """
    told = _change(ctx, "debug", names, yes, injury=injury)
    poison = injury == "poison"
    hurt = counted(told["hurt"], "pool" if poison else "process")
    tell(f"{hurt} {'poisoned' if poison else 'hurt'}")
    return ExitCode.OK


@click.command()
@click.pass_context
def metrics(ctx: click.Context) -> ExitCode:
    """Figures in the text format of Prometheus."""
    with _open(ctx) as overseer:
        write(overseer.ask("metrics")["text"].rstrip("\n"))
    return ExitCode.OK
