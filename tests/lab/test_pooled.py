"""The daemon of the demonstration: no task of it is lost, however it is asked to leave."""

from __future__ import annotations

import signal
import sqlite3
import subprocess
import sys
import time
from pathlib import Path

BIN = Path(__file__).parents[2] / "fleetctl/lab/demo/application/bin"
WITHIN_S = 20.0


def test_a_task_that_was_taken_is_done_before_it_leaves(tmp_path: Path) -> None:
    """The overseer may ask a daemon to leave before it has heard that this one took a task."""
    file = str(tmp_path / "tasks.db")
    add = [sys.executable, "-S", str(BIN / "tasks.py"), "add", file, "acme", "pull"]
    subprocess.run(add, check=True, stdout=subprocess.DEVNULL)
    daemon = subprocess.Popen([sys.executable, "-S", str(BIN / "pooled.py"), "pull", "acme", file])
    base = sqlite3.connect(file, timeout=10)
    end = time.monotonic() + WITHIN_S
    while not base.execute("SELECT count(*) FROM task WHERE taken_until > 0").fetchone()[0]:
        assert time.monotonic() < end
        assert daemon.poll() is None
    daemon.send_signal(signal.SIGINT)
    assert daemon.wait(WITHIN_S) == 0
    assert base.execute("SELECT count(*) FROM task").fetchone()[0] == 0
