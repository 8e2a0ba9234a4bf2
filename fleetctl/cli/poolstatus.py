"""`fleetctl pools status`: what the pools of all hosts do, asked from their overseers at once."""

from __future__ import annotations

import sys
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import click

from fleetctl.base.errors import ExitCode, UsageError
from fleetctl.cli.gathering import gather
from fleetctl.cli.journal import journal_option, journal_path
from fleetctl.cli.output import colour_wanted, emit, output_option, room, tell, write
from fleetctl.cli.selection import Choice, selection_options

if TYPE_CHECKING:
    from fleetctl.cli.overseers import Overseers, Silent, Told
    from fleetctl.cli.poolpicture import Pen
    from fleetctl.cli.poolview import Row, Scope
    from fleetctl.inventory.model import Fleet
    from fleetctl.pools.tallies import Tally

    Answers = dict[str, Tally | Silent]

BY = ("kind", "host", "instance", "tier")
GROUPS_MOST = 5000
"""Instances of one host that are asked for, when all are wanted."""
EVERY_LEAST_S = 0.5
WIDTH_MOST = 1000


class View(NamedTuple):
    """What of the pools is shown, and how often."""

    instances: tuple[str, ...]
    by: str
    whole: bool
    watch: bool
    every: float
    timeout: str


@click.command()
@click.argument("kinds", nargs=-1, metavar="[KIND|POOL]...")
@selection_options
@click.option("--instance", "instances", multiple=True, metavar="NAME", help="Of these; * and ?.")
@click.option("--by", type=click.Choice(BY), default="kind", show_default=True, help="A line each.")
@click.option("--all", "whole", is_flag=True, help="With --by instance: also those that sleep.")
@click.option("--watch", is_flag=True, help="Ask again and again, until Ctrl-C.")
@click.option("--every", type=float, default=2.0, show_default=True, help="Seconds between looks.")
@click.option("--timeout", default="20s", show_default=True, metavar="TIME",
              help="Who has not told by then is unknown.")  # fmt: skip
@journal_option
@output_option
@gather("view", View)
def status(
    kinds: tuple[str, ...], choice: Choice, view: View, journal: str | None, output: str
) -> ExitCode:
    """What runs, what sleeps, what rests after errors, on all hosts that keep pools.

    POOL is one, as instance/kind. A host that does not tell is unknown, and is shown; nothing of
    it counts as zero. FULL is the memory in use of what may be used (all but the reserve): from
    100% on nothing grows. Errors are counted, never quoted.

    Exits 0 when all is well; 1: pools rest after errors, are held by a run that is over, or an
    overseer is missing; 3: some host, or the run that holds pools, is unknown; 4: some hosts are
    unreachable, the others are well.
    """
    from fleetctl.cli.overseers import Overseers
    from fleetctl.cli.poolview import Scope

    kinds, view = _of_one_pool(kinds, view)
    fleet, hosts = pick_keepers(choice)
    tiers = {name: fleet.hosts[name].tier for name in hosts}
    scope = Scope(view.by, tiers, kinds, view.whole or bool(view.instances))
    asked = _Question(fleet, scope, view, journal)
    if view.watch:
        if output != "table" or not sys.stdout.isatty():
            raise UsageError("--watch draws on a terminal", hint="leave out --output and pipes")
        from fleetctl.cli.poolwatch import watch_status

        with Overseers(fleet, hosts) as overseers:
            return watch_status(lambda: asked.put(overseers), scope, max(view.every, EVERY_LEAST_S))
    with Overseers(fleet, hosts) as overseers:
        answers = asked.put(overseers, last=True)
    return show(answers, scope, output)


def _of_one_pool(kinds: tuple[str, ...], view: View) -> tuple[tuple[str, ...], View]:
    """A POOL in place of kinds; raises UsageError for one beside others."""
    pool = next((word for word in kinds if "/" in word), "")
    if not pool:
        return kinds, view
    if len(kinds) > 1 or view.instances:
        raise UsageError(
            f'"{pool}" names a pool, and other words stand beside it',
            hint="name it alone, or name kinds and say --instance NAME",
        )
    instance, _, kind = pool.partition("/")
    source = click.get_current_context().get_parameter_source("by")
    by = "instance" if source is click.core.ParameterSource.DEFAULT else view.by
    return (kind,), view._replace(instances=(instance,), by=by)


def pick_keepers(choice: Choice) -> tuple[Fleet, list[str]]:
    """The fleet, and the chosen hosts that keep pools; raises UsageError when none does."""
    from fleetctl.cli.overseers import keeping

    fleet, names = choice.pick()
    hosts = keeping(fleet, names)
    if not hosts:
        chosen = "none of these hosts keeps" if choice.given else "no tier keeps"
        hint = "say `pools: {}` for the tier in the inventory"
        raise UsageError(f"{chosen} daemon pools", where=fleet.source, hint=hint)
    return fleet, hosts


class _Question:
    """What is asked of every overseer, and what becomes of the answers."""

    def __init__(self, fleet: Fleet, scope: Scope, view: View, journal: str | None) -> None:
        self._fleet = fleet
        self._scope = scope
        self._instances = instances = view.instances
        self._within_s = _within_s(view.timeout)
        self._journal = journal
        self._folder = journal_path(journal).parent
        self._request: dict[str, Any] = {}
        if instances:
            self._request["instances"] = list(instances)
        if scope.by == "instance":
            self._request.update(by="instance", kinds=list(scope.kinds))
            if scope.whole:
                self._request["most"] = GROUPS_MOST

    def put(self, overseers: Overseers, *, last: bool = False) -> Answers:
        """Ask; remember what was told, where it is all there is of a host."""
        from fleetctl.cli.poolholders import judged

        asked_s = time.time()
        answers = read(overseers.ask("tally", within_s=self._within_s, last=last, **self._request))
        refuse_unknown(answers, self._scope, self._instances)
        answers = judged(answers, self._fleet, self._journal)
        if not self._request:
            remember_answers(self._folder, self._fleet, answers, asked_s)
        return answers


def _within_s(text: str) -> float:
    """Seconds; raises UsageError for what is no time, or none at all."""
    from fleetctl.base.durations import parse_duration_s

    try:
        seconds = parse_duration_s(text)
    except ValueError as error:
        raise UsageError(str(error), where="--timeout") from None
    if not seconds:
        raise UsageError("0 s is no time to answer in", where="--timeout")
    return seconds


def read(told: Mapping[str, Told]) -> Answers:
    """Answers to `tally`, typed; one that makes no sense is unknown."""
    from fleetctl.cli.overseers import Silent
    from fleetctl.pools.tallies import tally_of

    answers: Answers = {}
    for host, one in told.items():
        if isinstance(one, Silent):
            answers[host] = one
            continue
        try:
            answers[host] = tally_of(one, host)
        except ValueError:
            answers[host] = Silent("unknown", "its overseer tells what we do not understand")
        except Exception as error:  # noqa: BLE001 - the others are told all the same
            why = f"a bug of fleetctl, reading what its overseer tells: {type(error).__name__}"
            answers[host] = Silent("unknown", why)
    return answers


def refuse_unknown(answers: Answers, scope: Scope, instances: Sequence[str]) -> None:
    """Refuse names that fit nothing; while a host is silent nobody can say that."""
    from fleetctl.base.names import did_you_mean
    from fleetctl.cli.overseers import Silent
    from fleetctl.cli.poolview import fits

    told = [answer for answer in answers.values() if not isinstance(answer, Silent)]
    if len(told) < len(answers):
        return
    known = sorted({kind for answer in told for kind in answer.kinds})
    for pattern in scope.kinds:
        if not any(fits(kind, (pattern,)) for kind in known):
            hint = did_you_mean(pattern, known)
            raise UsageError(f'no overseer keeps pools of kind "{pattern}"', hint=hint)
    if instances and not any(answer.groups or answer.left_out for answer in told):
        raise UsageError(
            f"no overseer keeps pools of instance {' or '.join(instances)}",
            hint="fleetctl pools status --by instance --all",
        )


def remember_answers(folder: Path, fleet: Fleet, answers: Answers, asked_s: float) -> None:
    """Keep what was told for views that do not connect; a full disk is told and no more."""
    from fleetctl.cli.overseers import Silent
    from fleetctl.pools.cache import HostPools, remember

    found = {}
    for host, answer in answers.items():
        tier = fleet.hosts[host].tier
        if isinstance(answer, Silent):
            found[host] = HostPools(tier, asked_s, answer.state, answer.detail)
        else:
            found[host] = HostPools(
                tier, asked_s, told_s=asked_s, groups=answer.groups, overseer=answer.overseer
            )
    try:
        remember(folder, fleet.name, found)
    except OSError as error:
        tell(f"note: what was told cannot be kept in {folder}: {error.strerror}")


def show(answers: Answers, scope: Scope, output: str) -> ExitCode:
    """Write the rows, and what they come to."""
    from fleetctl.cli.poolview import COLUMNS, as_data, rows_of, verdict

    rows = rows_of(answers, scope)
    if output != "table":
        emit([as_data(row, scope.by) for row in rows], (scope.by, *COLUMNS), output)
    else:
        from fleetctl.cli.poolpicture import picture

        write("\n".join(picture(rows, scope.by, pen())))
    tell_summary(answers, rows)
    return verdict(rows)


def pen() -> Pen:
    """What stdout can show; only a terminal has an edge."""
    from fleetctl.cli.poolpicture import Pen

    encoding = (sys.stdout.encoding or "").lower()
    width = room(WIDTH_MOST) if sys.stdout.isatty() else 0
    return Pen(colour_wanted(), encoding.startswith("utf"), width)


def summed_up(answers: Mapping[str, Tally | Silent], rows: Sequence[Row]) -> str:
    """What it comes to, in a line."""
    from fleetctl.cli.overseers import Silent
    from fleetctl.cli.poolpicture import summary

    silent = {host: one for host, one in answers.items() if isinstance(one, Silent)}
    return summary(rows, silent, len(answers) - len(silent))


def tell_summary(answers: Answers, rows: Sequence[Row]) -> None:
    """What it comes to, and where to look further."""
    from fleetctl.cli.overseers import Silent
    from fleetctl.cli.poolpicture import versions_note

    tell(summed_up(answers, rows))
    told = {host: one.version for host, one in answers.items() if not isinstance(one, Silent)}
    if versions_note(told):
        tell(versions_note(told))
    if any(row.group.errors_15m for row in rows):
        tell("recent errors; of whom: pools status --by instance; what: pools log POOL --host HOST")
