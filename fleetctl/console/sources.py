"""What the console is started with: where everything it shows comes from."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Mapping
from typing import NamedTuple

from fleetctl.console.shelf import Shelf
from fleetctl.inventory.model import Fleet


class Sources(NamedTuple):
    """Read by pages, changed by others."""

    fleet: Fleet
    shelf: Shelf
    pins: Callable[[], tuple[Mapping[str, str], str]]
    """Tier -> release that is pinned, and why it cannot be read."""
    stamp: Callable[[], Hashable]
    """Differs when pins or the status of pools have changed since."""

    def whole_stamp(self) -> Hashable:
        """Differs when anything shown has changed since."""
        return self.shelf.stamp(), self.stamp()
