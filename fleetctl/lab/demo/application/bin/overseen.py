"""Talks to fleetctl's overseer, or to systemd, from a daemon written in Python; copy it as it is.

    overseer = Overseen()
    overseer.ready()
    while True:
        task = take_one()
        if task:
            overseer.busy(task.id)
            work(task)
        elif overseer.idle_s() < overseer.down_after_s:
            overseer.idle()
            time.sleep(1)
        elif overseer.may_sleep(look_once_more):
            sys.exit(0)

To be startable warm as well (`warm` in the kind's spec), put imports that take long into modules
and name these there. While they are imported no instance is known: open nothing, start no thread;
read FLEETCTL_INSTANCE, arguments and settings in the script itself. Nothing else is different.

Without an overseer (no NOTIFY_SOCKET) nothing is sent, and the daemon never sleeps.
"""

from __future__ import annotations

import os
import socket
import time
from collections.abc import Callable


class Overseen:
    """This process, as its overseer knows it."""

    def __init__(self) -> None:
        self._address = os.environ.get("NOTIFY_SOCKET", "")
        if self._address.startswith("@"):
            self._address = "\0" + self._address[1:]
        self._sock = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC)
        self._state = ""
        self._since = time.monotonic()
        self.down_after_s = float(os.environ.get("FLEETCTL_DOWN_AFTER", "inf"))
        """Idle for longer than this, it should go."""

    def tell(self, *assignments: str) -> None:
        """Send a message; one that cannot be sent is lost, and the next one says it again."""
        if self._address:
            try:
                self._sock.sendto("\n".join(assignments).encode(), self._address)
            except OSError:
                return

    def ready(self) -> None:
        """Say that it can work."""
        self.tell("READY=1")

    def busy(self, task: str = "") -> None:
        """Say that it works, on what, and that it is alive."""
        self._become("busy")
        self.tell("X_FLEETCTL_STATE=busy", f"X_FLEETCTL_TASK={task}", "WATCHDOG=1")

    def idle(self) -> None:
        """Say that it has nothing to do, and that it is alive."""
        self._become("idle")
        self.tell("X_FLEETCTL_STATE=idle", "X_FLEETCTL_TASK=", "WATCHDOG=1")

    def beat(self) -> None:
        """Say that it is alive: from the loop that does the work, so that it says so much."""
        self.tell("WATCHDOG=1")

    def idle_s(self) -> float:
        """Seconds since it last was busy."""
        return time.monotonic() - self._since if self._state != "busy" else 0.0

    def may_sleep(self, has_work: Callable[[], bool], seconds: float = 0.0) -> bool:
        """Announce a nap (0: until there is work), then look once more; False if there is work.

        The order is what keeps work from being missed: whatever comes after the announcement
        wakes the pool, and whatever came before it is found by the look.
        """
        if not self._address or "FLEETCTL_SLOT" not in os.environ:
            return False
        self.tell(f"X_FLEETCTL_HIBERNATE_USEC={round(seconds * 1e6)}")
        if has_work():
            self.busy()
            return False
        return True

    def _become(self, state: str) -> None:
        if state == "busy" or self._state == "busy":
            self._since = time.monotonic()
        self._state = state
