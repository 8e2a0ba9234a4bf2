"""Speaking to the overseer of this very host, over its control socket."""

from __future__ import annotations

import json
import socket
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from fleetctl.base.errors import Refused, Unreachable

DEADLINE_S = 30.0


class Overseer:
    """A connection to the overseer that works in `home`."""

    def __init__(self, home: Path) -> None:
        self._sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self._sock.settimeout(DEADLINE_S)
        try:
            self._sock.connect(str(home / "control.sock"))
        except OSError as error:
            self._sock.close()
            raise Unreachable(
                f"no overseer answers in {home}",
                why=error.strerror or str(error),
                hint="start fleetctl-overseer, or name its folder with --home",
            ) from error
        self._lines = self._sock.makefile("rb")

    def __enter__(self) -> Overseer:
        return self

    def __exit__(self, *_: object) -> None:
        self._lines.close()
        self._sock.close()

    def ask(self, do: str, **request: Any) -> dict[str, Any]:
        """Ask for one thing; raises Refused when the overseer will not."""
        self._sock.sendall(json.dumps({"do": do, **request}).encode() + b"\n")
        line = self._lines.readline()
        if not line.endswith(b"\n"):
            raise Unreachable("the overseer closed the connection", hint="look at its own log")
        told: dict[str, Any] = json.loads(line)
        if not told.pop("ok"):
            raise Refused(str(told["error"]))
        return told

    def follow(self) -> Iterator[dict[str, Any]]:
        """Every event from now on, as it happens; ends with the overseer."""
        self._sock.settimeout(None)
        for line in self._lines:
            yield json.loads(line)
