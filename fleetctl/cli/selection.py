"""The flags every command that touches hosts takes, and the fleet and hosts they mean."""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click
import msgspec

from fleetctl.cli.output import tell

if TYPE_CHECKING:
    from fleetctl.inventory.model import Fleet
    from fleetctl.inventory.reading import Reading
    from fleetctl.inventory.select import Selection

Command = TypeVar("Command", bound=Callable[..., Any])


class Choice(msgspec.Struct, frozen=True):
    """What the flags of one command line say about which inventory and which hosts."""

    inventory: str | None = None
    tier: tuple[str, ...] = ()
    host: tuple[str, ...] = ()
    tag: tuple[str, ...] = ()
    limit: str = ""
    exclude: tuple[str, ...] = ()

    @property
    def selection(self) -> Selection:
        """The flags as the inventory room understands them."""
        from fleetctl.inventory.select import Selection

        return Selection(self.tier, self.host, self.tag, self.limit, self.exclude)

    @property
    def given(self) -> bool:
        """Whether any flag narrows the fleet."""
        return bool(self.tier or self.host or self.tag or self.limit or self.exclude)

    def fleet(self) -> Fleet:
        """The fleet of the inventory named or found; raises UsageError, InputError."""
        return open_fleet(self.inventory)

    def pick(self) -> tuple[Fleet, list[str]]:
        """The fleet and the hosts the flags pick, in inventory order; all when none is given."""
        from fleetctl.inventory.select import pick_all

        fleet = self.fleet()
        return fleet, pick_all(fleet, self.selection)


def open_fleet(named: str | None) -> Fleet:
    """The fleet of the inventory named, or found from the current folder upwards.

    Says on stderr, in one line, when a foreign inventory held what could not be carried over.
    """
    reading = open_inventory(named)
    count = len(reading.remarks)
    if count:
        things = "1 thing" if count == 1 else f"{count} things"
        tell(
            f"note: not carried over: {things} in {reading.file}; "
            "`fleetctl inventory check` tells more"
        )
    return reading.fleet


def open_inventory(named: str | None) -> Reading:
    """The fleet with what could not be carried over into it."""
    from fleetctl.inventory.load import find_inventory, read_inventory

    return read_inventory(find_inventory(Path.cwd(), named or None))


def inventory_option(command: Command) -> Command:
    """`--inventory/-i FILE`, passed to the command as `inventory`."""
    return click.option(
        "--inventory",
        "-i",
        envvar="FLEETCTL_INVENTORY",
        metavar="FILE",
        help="The inventory; else the one found from here upwards.  [env: FLEETCTL_INVENTORY]",
    )(command)


def selection_options(command: Command) -> Command:
    """The selection flags, passed to the command as one `choice: Choice`."""

    @wraps(command)
    def chosen(*args: Any, **kwargs: Any) -> Any:
        names = ("inventory", "tier", "host", "tag", "limit", "exclude")
        choice = Choice(**{name: kwargs.pop(name) for name in names})
        return command(*args, choice=choice, **kwargs)

    many: dict[str, Any] = {"multiple": True}
    for option in (
        click.option("--exclude", metavar="EXPR", help="Hosts to leave out.", **many),
        click.option("--limit", "-l", metavar="EXPR", default="", help=_LIMIT_HELP),
        click.option("--tag", metavar="KEY=VALUE", help="Hosts with this tag.", **many),
        click.option("--host", metavar="HOST", help="Hosts by name, glob or range.", **many),
        click.option("--tier", metavar="TIER", help="Hosts of this tier.", **many),
        inventory_option,
    ):
        chosen = option(chosen)
    return chosen  # type: ignore[return-value]  # same call, but for the flags made one


_LIMIT_HELP = "Only hosts of this expression, e.g. 'tier=db and not zone=b', '@hosts.txt'."
