"""An overseer to be measured: the one file that is shipped, in a folder of its own."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from fleetctl.base.errors import FleetError
from fleetctl.pools.local import Overseer
from fleetctl.pools.packing import pack

DAEMON = Path(__file__).parent / "scripts" / "daemon.py"
TICKS_S = os.sysconf("SC_CLK_TCK")


class Measured:
    """The overseer and its folder."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.home, self.specs = folder / "home", folder / "specs"
        self.specs.mkdir()
        self.program = pack(folder / "overseer.pyz")
        self.pid = 0
        self._process: subprocess.Popen[bytes] | None = None

    def write(self, instances: int, kinds: dict[str, dict[str, Any]], **more: Any) -> None:
        """Specs: every instance has every kind."""
        groups = [{"names": [f"i[00001-{instances:05d}]"], "kinds": list(kinds)}]
        (self.specs / "pools.json").write_text(
            json.dumps({"kind": kinds, "instances": groups, **more})
        )

    def start(self) -> float:
        """Start it; the seconds until it answers."""
        command = [sys.executable, "-I", "-S", str(self.program)]
        command += ["--home", str(self.home), "--specs", str(self.specs)]
        began = time.monotonic()
        self._process = subprocess.Popen(command)
        self.pid = self._process.pid
        self.until(self._answers)
        return time.monotonic() - began

    def _answers(self) -> bool:
        with contextlib.suppress(FleetError):
            self.ask("status")
            return True
        return False

    def ask(self, do: str, **request: Any) -> dict[str, Any]:
        """One request to the control socket."""
        with Overseer(self.home) as overseer:
            return overseer.ask(do, **request)

    def figures(self) -> dict[str, Any]:
        """The overseer's own figures."""
        found: dict[str, Any] = self.ask("status")["overseer"]
        return found

    def until(self, holds: Callable[[], bool], within_s: float = 300.0) -> float:
        """Wait until something holds; the seconds that took."""
        began = time.monotonic()
        while not holds():
            if time.monotonic() - began > within_s:
                raise TimeoutError(str(holds))
            time.sleep(0.005)
        return time.monotonic() - began

    def hint(self, *names: str) -> None:
        """Say by datagram that pools have work."""
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as sock:
            for name in names:
                sock.sendto(f"X_FLEETCTL_WAKE={name}".encode(), str(self.home / "notify.sock"))

    def kill(self) -> None:
        """kill -9 of the overseer alone."""
        assert self._process is not None
        self._process.kill()
        self._process.wait()

    def stop(self) -> None:
        """End it with all its daemons."""
        assert self._process is not None
        self._process.send_signal(signal.SIGINT)
        try:
            self._process.wait(60)
        except subprocess.TimeoutExpired:
            self.kill()


@contextlib.contextmanager
def measured() -> Iterator[Measured]:
    """An overseer's folder, gone afterwards."""
    with tempfile.TemporaryDirectory() as folder:
        made = Measured(Path(folder))
        try:
            yield made
        finally:
            if made.pid:
                made.stop()


def kind(mode: str, **more: Any) -> dict[str, Any]:
    """A kind that runs the light daemon."""
    return {"command": [sys.executable, "-I", "-S", str(DAEMON), mode], **more}


def pss_mb(pid: int) -> float:
    """Proportional set size of a process."""
    for line in Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines():
        if line.startswith("Pss:"):
            return int(line.split()[1]) / 1024
    raise ValueError(pid)


def children(pid: int) -> list[int]:
    """Processes a process started."""
    return [int(c) for c in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]


def cpu_s(pid: int) -> float:
    """Processor seconds of a process so far."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / TICKS_S


def quantile(values: list[float], part: float) -> float:
    """The value below which this part lies."""
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(part * len(ordered)))]
