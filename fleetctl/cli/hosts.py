"""`fleetctl hosts`: collect host keys for one review and keep what was reviewed; a shell on one."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import click

from fleetctl.base.errors import ExitCode, LockHeld, Refused, Unreachable, UsageError
from fleetctl.cli.journal import journal_option, journal_path, open_journal
from fleetctl.cli.output import emit, output_option, tell
from fleetctl.cli.selection import Choice, inventory_option, open_fleet, selection_options

if TYPE_CHECKING:
    from fleetctl.inventory.model import Fleet
    from fleetctl.transport.ssh import Shown

COLUMNS = ("host", "name", "kind", "fingerprint", "state", "detail")


@click.group()
@click.help_option("-h", "--help")
def hosts() -> None:
    """Collect host keys; open a shell on a host."""


@hosts.command()
@click.argument("selector", required=False)
@selection_options
@click.option("--file", "file", metavar="FILE", help="Where to keep them, if not the fleet's file.")
@click.option("--yes", is_flag=True, help="Trust the new keys without asking.")
@click.option(
    "--fanout",
    "-f",
    type=click.IntRange(1, 1000),
    default=50,
    show_default=True,
    help="Most connections at once.",
)
@journal_option
@output_option
def trust(
    selector: str | None,
    choice: Choice,
    file: str | None,
    yes: bool,
    fanout: int,
    journal: str | None,
    output: str,
) -> int:
    """Collect the keys that the hosts of SELECTOR show, for one review.

    What you confirm is kept in the fleet's known_hosts file. A key that differs from the known one
    is shown and never taken over.
    """
    fleet, names = _pick(selector, choice)
    path = _file(fleet, file)
    _refuse_while_pushing(fleet, journal)
    shown = _collect(fleet, names, path, fanout)
    emit((_row(one) for one in shown), COLUMNS, output)
    new = [one for one in shown if one.state == "new"]
    if new:
        from fleetctl.cli.confirm import confirm

        tell(f"{len(new)} new, {len(shown) - len(new)} other; compare the fingerprints.")
        confirm(len(new), yes)
        _keep(path, new)
        tell(f"kept in {path}")
    return _end(shown)


@hosts.command()
@click.argument("host")
@inventory_option
def shell(host: str, inventory: str | None) -> int:
    """Open a shell on HOST, on the way and with the keys the inventory names.

    Nothing of it is recorded. Ends with the shell's own exit status.
    """
    from fleetctl.base.names import did_you_mean
    from fleetctl.transport.ssh import open_shell
    from fleetctl.transport.wire import Broken

    fleet = open_fleet(inventory)
    if host not in fleet.hosts:
        raise UsageError(f'no host is named "{host}"', hint=did_you_mean(host, fleet.hosts))
    if not sys.stdin.isatty():
        raise UsageError("a shell needs a terminal", hint=f"fleetctl run {host} -- COMMAND")
    try:
        return open_shell(fleet.hosts, host, fleet.known_hosts)
    except Broken as broken:
        raise Unreachable(f"{host}: {broken.detail}") from broken


def _pick(selector: str | None, choice: Choice) -> tuple[Fleet, list[str]]:
    """The fleet and the hosts meant; raises UsageError when no host was named at all."""
    if selector and choice.limit:
        raise UsageError("SELECTOR and --limit say the same thing", hint="give one of them")
    if selector:
        choice = Choice(
            choice.inventory, choice.tier, choice.host, choice.tag, selector, choice.exclude
        )
    if not choice.given:
        raise UsageError("no hosts were named", hint="name them, or all: fleetctl hosts trust all")
    fleet, names = choice.pick()
    return fleet, [name for name in names if fleet.hosts[name].login.transport == "ssh"]


def _file(fleet: Fleet, named: str | None) -> Path:
    path = named or fleet.known_hosts
    if not path:
        raise UsageError(
            f"the inventory {fleet.source} names no known_hosts file",
            hint="add `known_hosts: known_hosts` to it, or give --file FILE",
        )
    return Path(path).expanduser()


def _refuse_while_pushing(fleet: Fleet, named: str | None) -> None:
    """Raises LockHeld while a run is live: what hosts may show must not change under it."""
    if not journal_path(named).exists():
        return
    with open_journal(named) as journal:
        for row in journal.runs():
            holder = journal.lock(row.id).holder()
            if holder and row.fleet == fleet.name:
                raise LockHeld(
                    f"run {row.id} is pushing to this fleet",
                    why=f"driven by {holder}",
                    hint="trust keys when it has ended",
                )


def _collect(fleet: Fleet, names: list[str], path: Path, fanout: int) -> list[Shown]:
    from fleetctl.transport.ssh import collect_keys

    found = {
        one.host: one for one in collect_keys(fleet.hosts, names, str(path), fanout=fanout)
    }  # fmt: skip
    return [found[name] for name in names]


def _row(one: Shown) -> dict[str, object]:
    detail = one.detail
    if one.state == "changed":
        known = ", ".join(f"{key.kind} {key.fingerprint()}" for key in one.known)
        detail = f"known: {known}"
    return {
        "host": one.host,
        "name": one.name,
        "kind": one.key.kind if one.key else "",
        "fingerprint": one.key.fingerprint() if one.key else "",
        "state": one.state,
        "detail": detail,
    }


def _keep(path: Path, new: list[Shown]) -> None:
    """Append the reviewed keys; the file is replaced whole, so a crash leaves the old one."""
    old = path.read_text("utf-8") if path.exists() else ""
    if old and not old.endswith("\n"):
        old += "\n"
    lines = [f"{one.name} {one.key.kind} {one.key.blob}\n" for one in new if one.key]
    path.parent.mkdir(parents=True, exist_ok=True)
    aside = path.with_name(f".{path.name}.{os.getpid()}")
    with aside.open("w", encoding="utf-8") as file:
        file.write(old + "".join(dict.fromkeys(lines)))
        file.flush()
        os.fsync(file.fileno())
    aside.replace(path)


def _end(shown: list[Shown]) -> int:
    """The exit code; raises Refused when a key has changed."""
    changed = [one.host for one in shown if one.state == "changed"]
    if changed:
        raise Refused(
            f"{', '.join(changed)}: the host key has changed",
            why="another machine may be answering, or the host was installed anew",
            hint="when you know why, take the old line out of known_hosts and trust again",
        )
    unreachable = any(one.state == "unreachable" for one in shown)
    return ExitCode.UNREACHABLE if unreachable else ExitCode.OK
