"""What the console is started with: where everything it shows comes from."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Mapping
from typing import NamedTuple

from fleetctl.console.actions import Launcher
from fleetctl.console.pooldesk import PoolDesk
from fleetctl.console.shelf import Shelf
from fleetctl.inventory.model import Fleet


class Sources(NamedTuple):
    """Read by pages, changed by others."""

    fleet: Fleet
    shelf: Shelf
    pins: Callable[[], tuple[Mapping[str, str], str]]
    """Tier -> release that is pinned, and why it cannot be read."""
    pins_stamp: Callable[[], Hashable]
    """Differs when pins have changed since."""
    desk: PoolDesk
    launcher: Launcher | None = None
    """None: nothing can be changed from a page."""

    def stamp(self) -> Hashable:
        """Differs when anything shown has changed since."""
        return self.shelf.stamp(), self.pins_stamp(), self.desk.stamp(), self._acted()

    def _acted(self) -> Hashable:
        return self.launcher.started() if self.launcher is not None else ()
