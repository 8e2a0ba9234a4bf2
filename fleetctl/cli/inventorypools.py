"""What is wrong with the spec files an inventory names, as far as no host need be asked."""

from __future__ import annotations

from pathlib import Path

from fleetctl.base.errors import InputError, InputErrors, Location
from fleetctl.base.marked import Document
from fleetctl.inventory.model import Pools
from fleetctl.inventory.reading import Reading


def check_pools(reading: Reading) -> None:
    """Raises every mistake of every tier, each told once."""
    from fleetctl.cli.poollook import Looker

    fleet, mistakes = reading.fleet, dict[str, InputError]()
    document = _Inventory(reading)
    for name, tier in fleet.tiers.items():
        hosts = [host for host in tier.hosts if fleet.hosts[host].pools is not None]
        pools = fleet.hosts[hosts[0]].pools if hosts else None
        if pools is None or not pools.specs:
            continue
        missing = _missing(pools, name, document)
        mistakes.update((str(error), error) for error in missing)
        if missing:
            continue
        try:
            Looker(fleet, hosts).check_here()
        except InputErrors as found:
            mistakes.update((str(error), error) for error in found.errors)
        except InputError as error:
            mistakes[str(error)] = error
    if mistakes:
        raise InputErrors([*mistakes.values()])


def _missing(pools: Pools, tier: str, document: _Inventory) -> list[InputError]:
    """The files and folders that are not there."""
    found = []
    if not Path(pools.specs).is_dir():
        what = f"there is no folder {pools.specs} of spec files"
        found.append(InputError(what, document.place(tier, "specs"), hint="docs/pools.md"))
    if pools.instances_file and not Path(pools.instances_file).is_file():
        what = f"there is no file {pools.instances_file} of instances"
        found.append(InputError(what, document.place(tier, "instances", "file")))
    return found


class _Inventory:
    """The inventory's file, read again only when a place in it is to be told."""

    def __init__(self, reading: Reading) -> None:
        self._reading = reading
        self._document: Document | None = None

    def place(self, tier: str, *path: str) -> Location:
        """Where something of a tier's `pools` stands."""
        from fleetctl.base.marked import read
        from fleetctl.inventory.load import read_text

        file = self._reading.file
        if self._reading.form != "native":
            return Location(file)
        if self._document is None:
            self._document = read(read_text(Path(file), file), file)
        return self._document.location(("tiers", tier, "pools", *path))
