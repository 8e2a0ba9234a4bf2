"""`fleetctl inventory`: look at the fleet, check it, bring it over from elsewhere."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from fleetctl.cli.output import emit, output_option, tell, write
from fleetctl.cli.selection import Choice, inventory_option, open_inventory, selection_options

if TYPE_CHECKING:
    from fleetctl.inventory.model import Fleet, Host
    from fleetctl.inventory.reading import Reading

LIST_COLUMNS = ("name", "tier", "address", "tags", "via")
CHECK_COLUMNS = ("tier", "hosts", "names", "limit", "floor", "throttle", "timeout")


@click.group()
@click.help_option("-h", "--help")
def inventory() -> None:
    """List and check tiers and hosts."""


@inventory.command("list")
@selection_options
@click.option("--folded", is_flag=True, help="Only the names, folded: db[001-016],web001.")
@output_option
def list_hosts(choice: Choice, folded: bool, output: str) -> None:
    """List the hosts the flags pick; all when none is given."""
    fleet, names = choice.pick()
    if folded:
        from fleetctl.base.hostrange import fold

        write(fold(names))
        return
    emit((_row(fleet.hosts[name]) for name in names), LIST_COLUMNS, output)


def _row(host: Host) -> dict[str, object]:
    return {
        "name": host.name,
        "tier": host.tier,
        "address": host.address,
        "tags": host.tags,
        "via": host.login.via,
    }


@inventory.command()
@click.argument("host")
@inventory_option
@output_option
def show(host: str, inventory: str | None, output: str) -> None:
    """Show everything known of HOST, defaults applied."""
    from fleetctl.inventory.select import Selection, pick_all

    fleet = open_inventory(inventory).fleet
    names = pick_all(fleet, Selection(hosts=(host,)))
    rows = [_whole(fleet, fleet.hosts[name]) for name in names]
    if output == "table":
        for row in rows:
            emit([{"what": key, "value": row[key]} for key in row], ("what", "value"))
        return
    emit(rows, tuple(rows[0]), output)


def _whole(fleet: Fleet, host: Host) -> dict[str, object]:
    login, tier = host.login, fleet.tiers[host.tier]
    return {
        **_row(host),
        "user": login.user,
        "port": login.port or None,
        "identity": list(login.identity),
        "transport": login.transport,
        "connect_timeout_s": login.connect_timeout_s,
        "variables": host.variables,
        "limit": tier.limit,
        "floor": tier.floor,
        "throttle_per_min": tier.throttle_per_min or None,
        "timeout_s": tier.timeout_s,
    }


@inventory.command()
@inventory_option
@output_option
def check(inventory: str | None, output: str) -> None:
    """Read the inventory whole; tell every mistake in it, and what is probably not meant."""
    from fleetctl.inventory.review import review

    reading = open_inventory(inventory)
    fleet = reading.fleet
    if any(host.pools is not None for host in fleet.hosts.values()):
        from fleetctl.cli.inventorypools import check_pools

        check_pools(reading)
    emit((_tier_row(fleet, name) for name in fleet.tiers), CHECK_COLUMNS, output)
    _tell_remarks(reading)
    for sentence in (*review(fleet), *_missing_files(fleet)):
        tell(f"note: {sentence}")
    tell(
        f"{reading.file} ({reading.form}): fleet {fleet.name}, {len(fleet.hosts)} hosts in "
        f"{len(fleet.tiers)} tiers; no mistakes"
    )


def _tier_row(fleet: Fleet, name: str) -> dict[str, object]:
    from fleetctl.base.durations import format_duration
    from fleetctl.base.hostrange import fold

    tier = fleet.tiers[name]
    throttle = f"{tier.throttle_per_min:g}/min" if tier.throttle_per_min else ""
    return {
        "tier": name,
        "hosts": len(tier.hosts),
        "names": fold(tier.hosts),
        "limit": tier.limit,
        "floor": tier.floor,
        "throttle": throttle,
        "timeout": format_duration(tier.timeout_s),
    }


def _missing_files(fleet: Fleet) -> list[str]:
    files = (("playbook", fleet.playbook), ("known_hosts", fleet.known_hosts))
    return [f"{key}: there is no {path} yet" for key, path in files
            if path and not Path(path).exists()]  # fmt: skip


@inventory.command("import")
@click.argument("source", metavar="FILE")
@click.option(
    "--to", metavar="FILE", help="Write it there instead of to stdout; never over a file."
)
@click.option("--name", metavar="NAME", help="Name of the fleet; else that of the file.")
def import_(source: str, to: str | None, name: str | None) -> None:
    """Turn an Ansible inventory (INI, YAML, or a program) into a native one."""
    import msgspec

    from fleetctl.inventory.write import inventory_data, to_yaml

    reading = open_inventory(source)
    fleet = msgspec.structs.replace(reading.fleet, name=name) if name else reading.fleet
    text = f"# Brought over from {reading.file} ({reading.form}).\n{to_yaml(inventory_data(fleet))}"
    _tell_remarks(reading)
    if to is None:
        write(text.rstrip("\n"))
        return
    _write_new(Path(to), text)
    tell(f"wrote {to}: {len(fleet.hosts)} hosts in {len(fleet.tiers)} tiers")


def _write_new(path: Path, text: str) -> None:
    from fleetctl.base.errors import Refused, UsageError

    try:
        with path.open("x", encoding="utf-8") as file:
            file.write(text)
    except FileExistsError:
        raise Refused(f"{path} exists already", hint="name another file, or move it away") from None
    except OSError as error:
        raise UsageError(f"{path} cannot be written", why=str(error.strerror)) from None


def _tell_remarks(reading: Reading) -> None:
    for remark in reading.remarks:
        tell(f"not carried over: {remark}")


@inventory.command()
def schema() -> None:
    """Print the JSON Schema of native inventories, for editors."""
    import json

    from fleetctl.inventory.schema import inventory_schema

    write(json.dumps(inventory_schema(), indent=2))
