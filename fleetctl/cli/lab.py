"""`fleetctl lab`: a local fleet of real SSH servers, their faults, and a first push on them."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click

from fleetctl.base.errors import ExitCode, UsageError
from fleetctl.cli.output import emit, output_option, tell, write
from fleetctl.cli.picture import hosts_word
from fleetctl.cli.selection import inventory_option, open_fleet
from fleetctl.lab.faults import FAULTS

if TYPE_CHECKING:
    from fleetctl.inventory.model import Fleet
    from fleetctl.lab.layout import Layout, ServerKind

Command = TypeVar("Command", bound=Callable[..., Any])
STATUS_COLUMNS = ("name", "tier", "address", "port", "connections", "processes", "faults")
FOLDER = ".lab"


def folder_option(command: Command) -> Command:
    """`--dir FOLDER`, passed to the command as `folder`."""
    return click.option(
        "--dir",
        "folder",
        metavar="FOLDER",
        default=FOLDER,
        show_default=True,
        help="Where the lab's files are.",
    )(command)


def _layout(folder: str) -> Layout:
    from fleetctl.lab.layout import Layout

    path = Path(folder).expanduser().resolve()
    if path.exists() and not path.is_dir():
        raise UsageError("the lab needs a folder, and this is a file", where=str(path))
    return Layout(path)


@click.group()
@click.help_option("-h", "--help")
def lab() -> None:
    """A local fleet of real SSH servers to rehearse on.

    Every host of the inventory becomes an SSH server on a loopback address of its own, with its own
    host key, home and processes; no root is needed. `lab up` writes an inventory that stands for
    yours: use it with --inventory or FLEETCTL_INVENTORY.
    """


@lab.command()
@inventory_option
@click.option(
    "--server",
    type=click.Choice(("embedded", "openssh")),
    default="embedded",
    show_default=True,
    help="All servers in one small process, or a real sshd a host.",
)
@click.option(
    "--port",
    type=click.IntRange(1, 65535),
    default=2222,
    show_default=True,
    help="Where every host listens, each on its own address.",
)
@click.option("--playbook", metavar="FILE", help="Default playbook instead of the original's.")
@click.option(
    "--var", "variables", metavar="K=V", multiple=True, help="A variable laid over every host's."
)
@click.option("--no-throttle", is_flag=True, help="Leave the inventory's throttles out.")
@folder_option
def up(
    inventory: str | None,
    server: ServerKind,
    port: int,
    playbook: str | None,
    variables: tuple[str, ...],
    no_throttle: bool,
    folder: str,
) -> None:
    """Start the lab; prints the path of its inventory."""
    from fleetctl.lab.inventory import InventoryChanges
    from fleetctl.lab.lifecycle import up as start
    from fleetctl.lab.prepare import LabRequest

    layout, fleet = _layout(folder), open_fleet(inventory)
    began = time.monotonic()
    default_playbook = str(Path(playbook).resolve()) if playbook else ""
    laid_over = _pairs(variables)
    _check_settings(fleet, playbook, laid_over)
    changes = InventoryChanges(default_playbook, laid_over, throttled=not no_throttle)
    state = start(layout, fleet, LabRequest(server, port, changes))
    took = time.monotonic() - began
    tell(
        f"{len(state.hosts)} hosts up on 127.{state.block}.0.0/16, port {state.port} "
        f"({state.server}), in {took:.1f} s"
    )
    path = os.path.relpath(layout.inventory)
    tell(f"next: export FLEETCTL_INVENTORY={path}; fleetctl inventory list")
    write(path)


def _check_settings(fleet: Fleet, playbook: str | None, variables: Mapping[str, str]) -> None:
    """Raise for a playbook that cannot be read, and for a variable that nothing knows."""
    from fleetctl.base.names import did_you_mean
    from fleetctl.playbook.load import load_playbook

    known = {name for host in fleet.hosts.values() for name in host.variables}
    if playbook or (variables.keys() - known and fleet.playbook):
        book = load_playbook(Path(playbook or fleet.playbook))
        known.update(book.variables)
        known.update(
            used.name.partition(".")[2]
            for phase in book.phases
            for used in phase.used
            if used.name.startswith("var.")
        )
    for name in variables:
        if name not in known:
            raise UsageError(
                f'neither the inventory nor the playbook knows a variable "{name}"',
                where="--var",
                hint=did_you_mean(name, known),
            )


def _pairs(texts: tuple[str, ...]) -> dict[str, str]:
    pairs = {}
    for text in texts:
        name, equals, value = text.partition("=")
        if not (name and equals):
            raise click.UsageError(f'--var "{text}" is not of the form K=V')
        pairs[name] = value
    return pairs


@lab.command()
@click.option("--wipe", is_flag=True, help="Remove its files too.")
@folder_option
def down(folder: str, wipe: bool) -> None:
    """Stop the lab and every process of every host."""
    from fleetctl.lab.lifecycle import down as stop

    layout = _layout(folder)
    count = stop(layout, wipe)
    kept = "its files are gone" if wipe else f"its files stay in {os.path.relpath(layout.folder)}"
    tell(f"the lab is down; {count} processes ended; {kept}")


@lab.command()
@folder_option
@output_option
def status(folder: str, output: str) -> None:
    """Show each host: address, connections, processes, faults."""
    from fleetctl.lab.faults import in_words
    from fleetctl.lab.lifecycle import describe

    state, answer = describe(_layout(folder))
    rows = []
    for host in state.hosts:
        seen = answer.hosts[host.name]
        faults = [in_words(fault) for fault in seen.faults]
        rows.append(
            {
                "name": host.name,
                "tier": host.tier,
                "address": host.address,
                "port": state.port,
                "connections": seen.connections,
                "processes": seen.processes,
                "faults": faults,
            }
        )
    emit(rows, STATUS_COLUMNS, output)
    faulty = sum(1 for seen in answer.hosts.values() if seen.faults)
    tell(
        f"{len(rows)} hosts up ({state.server}), {faulty} with faults; "
        f"keeper {answer.memory_kb / 1000:.0f} MB"
    )


@lab.command(context_settings={"ignore_unknown_options": True})
@click.argument("host")
@click.argument("command", nargs=-1, type=click.UNPROCESSED)
@folder_option
def shell(host: str, command: tuple[str, ...], folder: str) -> None:
    """Log in to HOST with ssh, or run COMMAND there (its words joined, as ssh does)."""
    from fleetctl.lab.lifecycle import pick_one
    from fleetctl.lab.shell import ssh_argv

    layout = _layout(folder)
    state, lab_host = pick_one(layout, host)
    argv = ssh_argv(layout, state, lab_host, command)
    os.execv(argv[0], argv)  # noqa: S606  # the login takes over this very process


@lab.command(
    epilog="\b\nKinds of fault:\n"
    + "\n".join(f"  {kind.value:15} {words.does}" for kind, words in FAULTS.items())
    + "\n  off             takes every fault from the host"
)
@click.argument("host")
@click.argument("kind")
@click.option("--off", is_flag=True, help="Take this fault back.")
@click.option("--after", metavar="TIME", help="cut, freeze: each connection this long after login.")
@click.option("--latency", metavar="TIME", help="slow: added to each round trip.")
@click.option("--bandwidth", metavar="SIZE", help="slow: bytes a second each way, such as 64k.")
@click.option("--size", metavar="SIZE", help="full-disk: largest file. flood: bytes a stream.")
@click.option("--command", metavar="GLOB", help="fail, flood: which commands, such as 'tar *'.")
@click.option("--exit", metavar="N", help="fail: the exit status.  [default: 1]")
@click.option("--startups", metavar="A:B:C", help="maxstartups.  [default: 10:30:100]")
@folder_option
def fault(host: str, kind: str, off: bool, folder: str, **options: str | None) -> None:
    """Give HOST (a name, glob or range) a fault, at once and until taken back."""
    from fleetctl.lab.control import ClearFaults, SetFaults, ask
    from fleetctl.lab.faults import in_words, parse_fault, parse_kind
    from fleetctl.lab.layout import require_state
    from fleetctl.lab.lifecycle import pick_hosts

    layout = _layout(folder)
    state = require_state(layout)
    names = pick_hosts(state, host)
    if off or kind == "off":
        word = "" if kind == "off" else parse_kind(kind).value
        ask(layout, ClearFaults(names, word))
        tell(f"{hosts_word(len(names))}: {word or 'every fault'} taken back")
        return
    given = {name: value for name, value in options.items() if value is not None}
    parsed = parse_fault(kind, given, state.server)
    ask(layout, SetFaults(names, parsed))
    tell(f"{hosts_word(len(names))}: {in_words(parsed)}: {FAULTS[parsed.kind].does}")


@lab.command()
@click.option("--keep", is_flag=True, help="Leave the lab up afterwards.")
@click.option(
    "--dir",
    "folder",
    metavar="FOLDER",
    default=f"{FOLDER}/demo",
    show_default=True,
    help="Where the demonstration's files are.",
)
@click.option(
    "--instances",
    type=click.IntRange(1, 400),
    default=25,
    show_default=True,
    help="Of each repo host; each has three pools of daemons.",
)
def demo(keep: bool, folder: str, instances: int) -> int:
    """Push two releases to 44 hosts on this machine and prove it; no root, under a minute."""
    import signal
    import sys

    from fleetctl.lab.demo.show import show_demo
    from fleetctl.lab.demo.stage import Ended

    # Told to end, it still takes its lab down.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(ExitCode.INTERRUPTED))
    try:
        show_demo(_layout(folder), click.echo, keep, instances)
    except Ended as ended:
        tell(str(ended))
        return ended.code
    return 0
