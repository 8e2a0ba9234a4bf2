"""`fleetctl pools install | upgrade | uninstall`: overseers put on hosts, renewed, taken away."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple, TypeVar

import click
import msgspec

from fleetctl.base.errors import ExitCode, UsageError
from fleetctl.cli.gathering import gather
from fleetctl.cli.journal import journal_option
from fleetctl.cli.lock import lease_option
from fleetctl.cli.output import output_option, tell
from fleetctl.cli.poolflags import why_option
from fleetctl.cli.selection import Choice, selection_options

if TYPE_CHECKING:
    from fleetctl.inventory.model import Fleet
    from fleetctl.plan.model import Plan

Command = TypeVar("Command", bound=Any)


class Flags(NamedTuple):
    """How to go about it."""

    batch: str | None
    max_failures: str
    yes: bool
    no_lease: bool
    journal: str | None
    output: str
    why: str


def _flags(command: Command) -> Command:
    """SELECTOR, and the flags of Flags, passed as `flags`."""
    command = gather("flags", Flags)(command)
    for option in (
        output_option,
        journal_option,
        lease_option,
        click.option("--yes", is_flag=True, help="Do not ask for the number of hosts."),
        click.option("--max-failures", metavar="N|N%", default="0", show_default=True,
                     help="Hosts that may be lost before it stops."),
        click.option("--batch", metavar="N|N%", help="Batch sizes.  [default: 1,25%,100%]"),
        why_option,
        selection_options,
        click.argument("selector", required=False),
    ):  # fmt: skip
        command = option(command)
    return command


_SOAK = click.option(
    "--soak", metavar="TIME", default="3s", show_default=True,
    help="How long pools must stay well before the next batch begins.",
)  # fmt: skip


@click.command()
@_flags
@_SOAK
def install(selector: str | None, choice: Choice, flags: Flags, soak: str) -> ExitCode:
    """Put the overseer and its specs on the hosts of SELECTOR whose tier keeps pools.

    What would change is shown first, and the number of hosts is typed. Where all is as it should
    be, nothing is done. No daemon is restarted but those whose own specs have changed.
    """
    return _install("Install", selector, choice, flags, soak)


@click.command()
@_flags
@_SOAK
def upgrade(selector: str | None, choice: Choice, flags: Flags, soak: str) -> ExitCode:
    """As install, on those hosts of SELECTOR that have an overseer already."""
    return _install("Upgrade", selector, choice, flags, soak)


@click.command()
@_flags
def uninstall(selector: str | None, choice: Choice, flags: Flags) -> ExitCode:
    """End all daemons of the overseers of SELECTOR gently, then remove them and all they kept."""
    from fleetctl.cli.poollook import Looker, dying_line
    from fleetctl.playbook.poolsinstall import leaving

    fleet, hosts = _pick(selector, choice)
    found = Looker(fleet, hosts).look()
    there = [host for host in hosts if found[host].laid]
    if not there:
        tell("no overseer is installed on these hosts: nothing to do")
        return ExitCode.OK
    tell("\n".join(dying_line(host, found[host]) for host in there))
    tell("specs, logs and the log of events are removed with them")
    recipe = leaving(_titled("Uninstall overseers", flags), flags.max_failures)
    plan = _plan(fleet, there, {}, recipe, flags)
    return _go(plan, there, flags)


def _install(verb: str, selector: str | None, choice: Choice, flags: Flags, soak: str) -> ExitCode:
    from fleetctl.base.durations import parse_duration_s
    from fleetctl.cli.overseers import ask_overseers
    from fleetctl.cli.poollook import Looker, change_lines, change_of
    from fleetctl.playbook.poolsinstall import ORDER, installing
    from fleetctl.pools.packing import version

    try:
        soak_s = parse_duration_s(soak)
    except ValueError as error:
        raise UsageError(str(error), where="--soak") from None
    fleet, hosts = _pick(selector, choice)
    looker = Looker(fleet, hosts)
    looker.check_here()
    found = looker.look()
    if verb == "Upgrade":
        hosts = _having(hosts, [host for host in hosts if found[host].laid])
    wished = {host: looker.wished(host, found[host]) for host in hosts}
    changes = [change_of(host, found[host], wished[host]) for host in hosts]
    tell("\n".join(change_lines(changes)))
    changing = [change.host for change in changes if change.any]
    if not changing:
        _tell_lacks({host: found[host].own for host in hosts})
        tell("nothing to do")
        return ExitCode.OK
    recipe = installing(
        _titled(f"{verb} overseers", flags),
        str(_packed(version())),
        version(),
        soak_s,
        flags.max_failures,
    )
    orders = {host: {ORDER: wished[host].order()} for host in changing}
    code = _go(_plan(fleet, changing, orders, recipe, flags), changing, flags)
    if code is ExitCode.OK:
        told = ask_overseers(fleet, changing, "status")
        _tell_lacks({h: one["overseer"] for h, one in told.items() if isinstance(one, dict)})
    return code


def _tell_lacks(owns: Mapping[str, Mapping[str, Any]]) -> None:
    """Kinds whose program is not on the host yet: nothing is wrong with that until they wake."""
    from fleetctl.base.hostrange import fold
    from fleetctl.cli.poollocal import lacks

    found: dict[str, list[str]] = {}
    for host, own in owns.items():
        for line in lacks(own):
            found.setdefault(line, []).append(host)
    for line, hosts in found.items():
        tell(f"warning: {fold(hosts)}: {line}")


def _titled(title: str, flags: Flags) -> str:
    """What `runs list` shows."""
    return f"{title}: {flags.why}" if flags.why else title


def _having(hosts: Sequence[str], having: list[str]) -> list[str]:
    """Those that have one; says which have none."""
    from fleetctl.base.hostrange import fold

    without = [host for host in hosts if host not in having]
    if without:
        tell(f"no overseer is installed on {fold(without)}: left out")
    return having


def _pick(selector: str | None, choice: Choice) -> tuple[Fleet, list[str]]:
    """The fleet, and the hosts meant that keep pools; raises UsageError when there is none."""
    from fleetctl.cli.overseers import keeping, none_keeps

    both = [f"({text})" for text in (choice.limit, selector) if text]
    fleet, hosts = msgspec.structs.replace(choice, limit=" and ".join(both)).pick()
    kept = keeping(fleet, hosts)
    if not kept:
        raise none_keeps(fleet, hosts)
    return fleet, kept


def _packed(version: str) -> Any:
    """The program as a file in the user's cache."""
    from platformdirs import user_cache_path

    from fleetctl.pools.packing import pack

    path = user_cache_path("fleetctl") / f"overseer-{version}.pyz"
    try:
        if not path.is_file():
            path.parent.mkdir(parents=True, exist_ok=True)
            import os

            half = path.with_suffix(f".{os.getpid()}")
            pack(half).replace(path)
    except OSError as error:
        why = error.strerror or str(error)
        raise UsageError("cannot pack the overseer", where=str(path), why=why) from None
    return path


def _plan(
    fleet: Fleet,
    hosts: Sequence[str],
    variables: Mapping[str, Mapping[str, str]],
    recipe: Any,
    flags: Flags,
) -> Plan:
    from fleetctl.base.marked import Document
    from fleetctl.cli.assemble import Wish, overrides_of
    from fleetctl.cli.poollook import with_variables
    from fleetctl.plan.compile import compile_plan
    from fleetctl.plan.request import PlanRequest
    from fleetctl.playbook.load import from_document

    playbook = from_document(Document(recipe, None, "command line"), "/")
    return compile_plan(
        PlanRequest(
            fleet=with_variables(fleet, variables),
            playbook=playbook,
            measure=_measured,
            read_file=_no_file,
            artifact=_no_artifact,
            hosts=hosts,
            overrides=overrides_of(Wish(batch=flags.batch)),
        )
    )


def _measured(path: str) -> tuple[str, int]:
    import hashlib
    from pathlib import Path

    data = Path(path).read_bytes()
    return hashlib.sha256(data).hexdigest(), len(data)


def _no_file(path: str) -> str:
    raise FileNotFoundError(path)


def _no_artifact(release: str) -> Any:
    raise AssertionError(f"an overseer is no release: {release}")


def _go(plan: Plan, hosts: Sequence[str], flags: Flags) -> ExitCode:
    """Show the batches, have the number typed, do it, tell how it went."""
    from fleetctl.cli.confirm import confirm
    from fleetctl.cli.output import room
    from fleetctl.cli.planview import WIDTH, plan_lines
    from fleetctl.cli.session import Manner, start_run

    tell("\n".join(("", *plan_lines(plan, room(WIDTH)))))
    confirm(len(hosts), flags.yes)
    manner = Manner(flags.output, flags.journal, leased=not flags.no_lease, carried=False)
    return start_run(plan, manner)
