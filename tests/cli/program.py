"""The real program in a process of its own, in a folder of its own, over a lab."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

from tests.labfixture import RunningLab

CALL = "from fleetctl.cli.main import main; main()"
PATIENCE_S = 60.0


class Program:
    """`fleetctl` with its own journal and releases, its inventory being a lab's."""

    def __init__(self, folder: Path, lab: RunningLab) -> None:
        self.folder = folder
        self.lab = lab
        self.environ = {
            **os.environ,
            "FLEETCTL_INVENTORY": str(lab.inventory),
            "FLEETCTL_JOURNAL": str(folder / "journal.db"),
            "FLEETCTL_RELEASES": str(folder / "releases"),
            "XDG_STATE_HOME": str(folder / "state"),
        }

    def write(self, name: str, text: str) -> Path:
        """A file in the folder."""
        path = self.folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
        return path

    def call(self, *words: str, stdin: str = "") -> subprocess.CompletedProcess[str]:
        """Run it to its end."""
        return subprocess.run([sys.executable, "-c", CALL, *words], cwd=self.folder, input=stdin,
                              env=self.environ, capture_output=True, text=True,
                              timeout=PATIENCE_S, check=False)  # fmt: skip

    def start(self, *words: str) -> subprocess.Popen[str]:
        """Start it in a session of its own; the caller ends it."""
        return subprocess.Popen([sys.executable, "-c", CALL, *words], cwd=self.folder,
                                env=self.environ, stdin=subprocess.DEVNULL,
                                stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
                                start_new_session=True)  # fmt: skip

    def lines(self, host: str, name: str) -> list[str]:
        """Lines of a file in the host's home; none when it is not there."""
        path = self.lab.home(host) / name
        return path.read_text().splitlines() if path.exists() else []


def wait_until(holds: Callable[[], bool], what: str) -> None:
    """Return as soon as it holds; fails the test when it never does."""
    end_s = time.monotonic() + PATIENCE_S
    while not holds():
        assert time.monotonic() < end_s, f"never came: {what}"
        time.sleep(0.05)


def end(process: subprocess.Popen[str]) -> None:
    """Kill it if it still runs."""
    if process.poll() is None:
        process.send_signal(signal.SIGKILL)
    process.communicate(timeout=PATIENCE_S)
