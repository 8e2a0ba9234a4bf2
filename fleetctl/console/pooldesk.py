"""The status of pools as pages read it: the file of what was told last, asked anew if wanted."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from fleetctl.base.errors import FleetError
from fleetctl.console.poolsview import STALE_S, Instances
from fleetctl.inventory.model import Fleet
from fleetctl.pools.cache import Remembered, cache_path, read_cache
from fleetctl.pools.tallies import Tally

LOOKED_AT_S = 60.0
"""Instances are asked for as long as somebody looked at their page so lately."""
MISSED_MAX = 3
"""A word is no word about now when so many looks in a row brought none."""
Refresh = Callable[[bool], Mapping[str, Tally]]
"""Asks all overseers and puts what they told into the file; given True, also by instance, which
it answers."""
Count = Callable[[str, Sequence[str]], Sequence[str]]
"""Those of the hosts that have pools of the kind, or of which that is not known, asked now."""
OnBug = Callable[[Exception], str]
"""Keeps for us what nobody expected; what pages say of it."""


def log_bug(error: Exception) -> str:
    """Where nothing better is at hand."""
    logging.getLogger(__name__).error("a look at the pools broke", exc_info=error)
    return f"a bug of fleetctl ({type(error).__name__})"


class PoolDesk:
    """What is known of a fleet's pools. Safe to share between threads."""

    def __init__(
        self, folder: Path, fleet: Fleet, refresh: Refresh | None = None, every_s: float = 0.0, *,
        count: Count | None = None, on_bug: OnBug = log_bug,
    ) -> None:  # fmt: skip
        """`folder`: of the journal; `refresh`: None: pages tell what others asked."""
        self.keepers = tuple(name for name, host in fleet.hosts.items() if host.pools is not None)
        self.every_s = every_s if refresh is not None else 0.0
        self.trouble = ""
        """Why the last look brought nothing."""
        self._fleet = fleet
        self._folder = folder
        self._refresh = refresh
        self._count = count
        self._on_bug = on_bug
        self._broken = ""
        self._guard = threading.Lock()
        self._known: tuple[tuple[int, ...], Remembered] | None = None
        self._instances: Instances | None = None
        self._looks = 0
        self._wanted_s = 0.0
        self._ending = threading.Event()
        self._soon = threading.Event()
        self._thread: threading.Thread | None = None

    @property
    def stale_s(self) -> float:
        """From which age on a word is no word about now."""
        return MISSED_MAX * max(self.every_s, 1.0) if self.every_s else STALE_S

    def remembered(self) -> Remembered:
        """What was told last; nothing, when nobody ever asked."""
        with self._guard:
            stamp = self._file_stamp()
            if self._known is None or self._known[0] != stamp:
                self._known = stamp, read_cache(self._folder, self._fleet.name)
            return self._known[1]

    def having(self, kind: str, hosts: Sequence[str]) -> Sequence[str]:
        """Those of the hosts that are not known to have no pools of that kind."""
        told = self.remembered().hosts
        return tuple(
            host for host in hosts
            if host not in told or told[host].silent or kind in told[host].groups
        )  # fmt: skip

    def silent(self, hosts: Sequence[str]) -> Sequence[str]:
        """Those of the hosts of which nothing is known: they told nothing when last asked."""
        told = self.remembered().hosts
        return tuple(host for host in hosts if host not in told or told[host].silent)

    def having_now(self, kind: str, hosts: Sequence[str]) -> Sequence[str]:
        """The same, as overseers tell it at this moment, where somebody can ask them."""
        return (self._count or self.having)(kind, hosts)

    def instances(self) -> Instances | None:
        """The last look by instance; None: nobody has looked yet, somebody will if they can."""
        with self._guard:
            fresh = time.monotonic() - self._wanted_s < LOOKED_AT_S
            self._wanted_s = time.monotonic()
        if not fresh:
            self._soon.set()
        return self._instances

    def stamp(self) -> tuple[int, ...]:
        """Differs when there is something new."""
        return (*self._file_stamp(), self._looks)

    def start(self) -> None:
        """Ask again and again, beside everything else; nothing when there is nobody to ask."""
        if self._refresh is not None and self.keepers:
            self._thread = threading.Thread(target=self._look, name="pools", daemon=True)
            self._thread.start()

    def close(self) -> None:
        """Ask no more; a look under way is not waited for."""
        self._ending.set()
        self._soon.set()

    def _look(self) -> None:
        assert self._refresh is not None
        while not self._ending.is_set():
            self._soon.clear()
            wanted = time.monotonic() - self._wanted_s < LOOKED_AT_S and self._wanted_s > 0
            try:
                told = self._refresh(wanted)
                self._instances = Instances(told, time.time()) if wanted else None
                self.trouble = self._broken = ""
            except FleetError as error:
                self.trouble = error.what
            except Exception as error:  # noqa: BLE001 - pages go on, and say that this does not
                self._tell_broken(error)
            self._looks += 1
            self._soon.wait(self.every_s)

    def _tell_broken(self, error: Exception) -> None:
        """Tell it on pages, and where bugs are told, as long as it is the same one once."""
        said = f"{type(error).__name__}: {error}"
        if said != self._broken:
            self._broken = said
            self.trouble = self._on_bug(error)

    def _file_stamp(self) -> tuple[int, ...]:
        try:
            found = cache_path(self._folder, self._fleet.name).stat()
        except OSError:
            return (0, 0)
        return (found.st_mtime_ns, found.st_ino)
