"""What reading an inventory gives: the fleet, and what was left behind."""

from __future__ import annotations

import msgspec

from fleetctl.inventory.model import Fleet


class Remark(msgspec.Struct, frozen=True):
    """Something of a foreign inventory that could not be carried over."""

    what: str
    where: str
    """The first place it was seen."""
    count: int = 1
    """Hosts or places it concerns."""

    def __str__(self) -> str:
        many = f" ({self.count} times, first here)" if self.count > 1 else ""
        return f"{self.where}: {self.what}{many}"


class Reading(msgspec.Struct, frozen=True):
    """A fleet, and what was left behind in reading it."""

    fleet: Fleet
    file: str
    """As people know it: relative to the current folder where it lies below."""
    form: str = "native"
    """`native`, `ansible ini`, `ansible yaml` or `program`."""
    remarks: tuple[Remark, ...] = ()
