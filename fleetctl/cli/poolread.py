"""`fleetctl pools events | explain | log`: what overseers know of pools, asked across hosts."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import click

from fleetctl.base.errors import ExitCode, UsageError
from fleetctl.cli.output import emit, output_option, printable, tell, write
from fleetctl.cli.selection import Choice, selection_options

if TYPE_CHECKING:
    from fleetctl.cli.overseers import Told

EVERY_S = 2.0
FOLLOWED_MOST = 500
"""Events of a host between two looks; of more, the oldest are not shown."""


@click.command()
@click.argument("names", nargs=-1, metavar="[KIND|POOL]...")
@selection_options
@click.option(
    "--last",
    type=click.IntRange(0),
    default=20,
    show_default=True,
    help="How many of each host to show.",
)
@click.option("--follow", "-f", is_flag=True, help="Go on with what happens, until Ctrl-C.")
@output_option
def events(
    names: tuple[str, ...], choice: Choice, last: int, follow: bool, output: str
) -> ExitCode:
    """What happened to pools of all hosts, oldest first.

    With --follow every host is asked again every two seconds.
    """
    from fleetctl.cli.overseers import Overseers, guess
    from fleetctl.cli.poolrun import kept_by

    fleet, hosts, patterns = kept_by(names, choice)
    seen = Seen()
    with Overseers(fleet, hosts) as overseers:
        told = overseers.ask("events", pools=patterns, lenient=True, most=max(last, 1))
        found = seen.new(told)
        if names and not found:
            known = overseers.ask("settled", pools=patterns, lenient=True)
            _check_known(names, known, lambda: guess(fleet, hosts, patterns))
        _show(found if last else [], output)
        code = _tell_silent(told)
        try:
            while follow:
                time.sleep(EVERY_S)
                told = overseers.ask("events", pools=patterns, lenient=True, most=FOLLOWED_MOST)
                _follow(seen.new(told), output)
        except KeyboardInterrupt:
            return code
    return code


class Seen:
    """Which events of which hosts were shown."""

    def __init__(self) -> None:
        self._last: dict[str, float] = {}
        self._shown: dict[str, list[Any]] = {}
        """Of a host, those of the last moment: more of the same moment may follow."""

    def new(self, told: Mapping[str, Told]) -> list[dict[str, Any]]:
        """Events that were not shown, of all hosts in the order of their clocks."""
        found = []
        for host, answer in told.items():
            if not isinstance(answer, dict):
                continue
            for event in answer["events"]:
                wall = event.get("w", 0.0)
                last = self._last.get(host, -1.0)
                if wall < last or event in self._shown.get(host, ()):
                    continue
                if wall > last:
                    self._last[host], self._shown[host] = wall, []
                self._shown[host].append(event)
                found.append({**event, "host": host})
        return sorted(found, key=lambda event: float(event.get("w", 0.0)))


def _check_known(
    names: Sequence[str], told: Mapping[str, Told], guessed: Callable[[], str]
) -> None:
    """Raises UsageError when every host told, and none has such pools."""
    if all(isinstance(answer, dict) and not answer["pools"] for answer in told.values()):
        raise UsageError(
            f"none of these hosts is known to have {' '.join(names)}",
            hint=guessed(),
        )


def _rows(found: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
    from fleetctl.cli.poollocal import event_row

    return [{"host": event.pop("host"), **event_row(event)} for event in found]


def _follow(found: Sequence[dict[str, Any]], output: str) -> None:
    """What came since, below what is there: no further header."""
    from fleetctl.cli.poollocal import EVENT_COLUMNS, event_line

    rows = _rows(found)
    if output != "table":
        emit(rows, ("host", *EVENT_COLUMNS), "jsonl")
    for row in rows if output == "table" else ():
        write(event_line(row))


def _show(found: Sequence[dict[str, Any]], output: str) -> None:
    from fleetctl.cli.poollocal import EVENT_COLUMNS

    rows = _rows(found)
    if rows or output not in ("table", "jsonl"):
        emit(rows, ("host", *EVENT_COLUMNS), output)


@click.command()
@click.argument("names", nargs=-1, required=True, metavar="POOL...")
@selection_options
def explain(names: tuple[str, ...], choice: Choice) -> ExitCode:
    """Why pools have the processes they have, on every host that has them."""
    from fleetctl.cli.overseers import ask_overseers, guess
    from fleetctl.cli.poollocal import explained_lines
    from fleetctl.cli.poolrun import kept_by

    fleet, hosts, patterns = kept_by(names, choice)
    told = ask_overseers(fleet, hosts, "explain", pools=patterns, lenient=True)
    found = {host: answer["explained"] for host, answer in told.items() if isinstance(answer, dict)}
    if not any(found.values()):
        _tell_silent(told)
        raise UsageError(
            f"no host that answers has {' '.join(names)}", hint=guess(fleet, hosts, patterns)
        )
    for host, pools in found.items():
        if pools:
            write(f"{host}:")
        for pool in pools:
            for line in explained_lines(pool):
                write(f"  {line}")
    return _tell_silent(told)


@click.command()
@click.argument("names", nargs=-1, required=True, metavar="POOL...")
@selection_options
def log(names: tuple[str, ...], choice: Choice) -> ExitCode:
    """What the daemons of pools printed last, of one host.

    It may hold secrets: it is shown here and kept nowhere, and one host at a time is asked.
    """
    from fleetctl.cli.overseers import ask_overseers
    from fleetctl.cli.poollocal import printed
    from fleetctl.cli.poolrun import kept_by

    fleet, hosts, patterns = kept_by(names, choice)
    if len(hosts) != 1:
        raise UsageError(
            f"text of daemons is shown of one host at a time, and {len(hosts)} are meant",
            where="log", hint="--host HOST; `fleetctl pools events` tells of all what happened",
        )  # fmt: skip
    told = ask_overseers(fleet, hosts, "log", pools=patterns)
    for answer in told.values():
        for slot, text in answer["log"].items() if isinstance(answer, dict) else ():
            write(f"== {slot}")
            for line in printed(text):
                write(printable(line))
    return _tell_silent(told)


def _tell_silent(told: Mapping[str, Told]) -> ExitCode:
    """Name who told nothing: it is not known, and not nothing."""
    from fleetctl.base.outcome import Outcome, exit_code_of
    from fleetctl.cli.overseers import Silent

    silent = {host: one for host, one in told.items() if isinstance(one, Silent)}
    for host, one in silent.items():
        tell(f"{host}: {one.state}: {one.detail}")
    outcomes: Iterable[Outcome] = [one.outcome for one in silent.values()]
    return exit_code_of(outcomes)
