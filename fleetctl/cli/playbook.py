"""`fleetctl playbook`: a list of commands as it is kept today, made into a playbook."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING

import click

from fleetctl.base.errors import Refused, UsageError
from fleetctl.base.names import did_you_mean, did_you_mean_file
from fleetctl.cli.output import tell, write
from fleetctl.cli.selection import inventory_option, open_fleet

if TYPE_CHECKING:
    from fleetctl.inventory.model import Fleet
    from fleetctl.playbook.runbook import Runbook

_FOLDER = "playbooks"
_SHOWN = 8


@click.group()
@click.help_option("-h", "--help")
def playbook() -> None:
    """Make playbooks of what is typed by hand today."""


@playbook.command("import")
@click.argument("runbook", metavar="RUNBOOK")
@click.option("-o", "--output-file", "target", metavar="FILE",
              help="The playbook; else playbooks/NAME.yaml. `-`: standard output.")  # fmt: skip
@inventory_option
def import_runbook(runbook: str, target: str | None, inventory: str | None) -> None:
    """Make a playbook of RUNBOOK, a text of commands: every line becomes a manual step.

    Headings become phases; hosts are recognized from the inventory where a line says `ssh HOST` or
    has a prompt of one. Nothing is dropped, and no file is overwritten. See docs/importing.md.
    """
    from fleetctl.playbook.importing import chunk_up, write_playbook
    from fleetctl.playbook.load import read_playbook
    from fleetctl.playbook.runbook import read_runbook

    source = Path(runbook)
    text = _read(source)
    path = None if target == "-" else Path(target) if target else _default(source)
    if path is not None and path.exists():
        hint = "name another file with -o, or take it away"
        raise Refused(f"{path} is there already; it is not overwritten", hint=hint)
    fleet = open_fleet(inventory)
    read = read_runbook(text, _names(fleet))
    if not read.entries:
        raise UsageError("nothing to do was found in it", where=runbook)
    tiers = {name: host.tier for name, host in fleet.hosts.items()}
    made = write_playbook(source.stem, source.name, read, tiers)
    read_playbook(made, str(path or "-"), str(Path.cwd()))
    if path is None:
        write(made.rstrip("\n"))
    else:
        path.parent.mkdir(parents=True, exist_ok=True)
        with path.open("x", encoding="utf-8") as file:
            file.write(made)
    _tell_what_came(read, fleet, len(chunk_up(read.entries)))
    if path is not None:
        tell(f"written to {path}; next: fleetctl plan {path}")


def _read(source: Path) -> str:
    try:
        data = sys.stdin.buffer.read() if str(source) == "-" else source.read_bytes()
        return data.decode("utf-8-sig")
    except OSError as error:
        hint = "" if source.exists() else did_you_mean_file(source)
        raise UsageError(
            f"cannot read {source}", why=error.strerror or str(error), hint=hint
        ) from None
    except UnicodeDecodeError as error:
        raise UsageError(f"{source} is no UTF-8 text", why=str(error)) from None


def _default(source: Path) -> Path:
    name = f"{source.stem if str(source) != '-' else 'runbook'}.yaml"
    return Path(_FOLDER) / name if Path(_FOLDER).is_dir() else Path(name)


def _names(fleet: Fleet) -> dict[str, str]:
    """Every name a line may use for a host; a short name of two hosts is nobody's."""
    found = {name: name for name in fleet.hosts}
    for host in fleet.hosts.values():
        found.setdefault(host.address, host.name)
    return found


def _tell_what_came(read: Runbook, fleet: Fleet, phases: int) -> None:
    from fleetctl.base.names import sounds_secret

    hosts = {entry.host for entry in read.entries if entry.host}
    on_hosts = sum(bool(entry.host) for entry in read.entries)
    commands = sum(bool(entry.command) for entry in read.entries)
    tell(
        f"imported {len(read.entries)} steps in {phases} phases: {commands} commands, "
        f"{len(read.entries) - commands} texts; {on_hosts} on {len(hosts)} hosts"
    )
    _tell_lines("taken for text", {e.line: e.text for e in read.entries if not e.command})
    _tell_lines("left as comments", read.left_out)
    for line, name in read.strange.items():
        tell(f"line {line}: no host {name} in the inventory; {did_you_mean(name, fleet.hosts)}")
    for entry in read.entries:
        if any(sounds_secret(word) for word in entry.command.split() if "=" in word):
            tell(
                f"warning: line {entry.line} may hold a secret, which stands in the playbook now"
                "\n  hint: take it out, and declare it under `secrets:` (docs/secrets.md)"
            )


def _tell_lines(what: str, lines: object) -> None:
    assert isinstance(lines, dict)
    if not lines:
        return
    shown = [f"{line}: {' '.join(text.split())[:60]}" for line, text in lines.items()]
    more = f"\n  and {len(shown) - _SHOWN} more" if len(shown) > _SHOWN else ""
    tell(f"{what}:\n  " + "\n  ".join(shown[:_SHOWN]) + more)
