"""A daemon that is handed a socket: it answers each connection with its pid, and naps when idle."""

from __future__ import annotations

import os
import select
import socket
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[4] / "fleetctl" / "pools" / "snippets"))

from overseen import Overseen  # type: ignore[import-not-found,unused-ignore]


def main() -> None:
    """Accept until nobody comes for a while."""
    if os.environ.get("LISTEN_PID") != str(os.getpid()) or os.environ.get("LISTEN_FDS") != "1":
        sys.exit("no socket was handed over")
    listener = socket.socket(fileno=3)
    overseer = Overseen()
    overseer.ready()

    def pending() -> bool:
        return bool(select.select([listener], [], [], 0)[0])

    while True:
        if select.select([listener], [], [], 0.02)[0]:
            overseer.busy()
            with listener.accept()[0] as connection:
                connection.sendall(str(os.getpid()).encode())
                connection.recv(1)  # until the other end is closed
        elif overseer.idle_s() < overseer.down_after_s:
            overseer.idle()
        elif overseer.may_sleep(pending):
            return


if __name__ == "__main__":
    main()
