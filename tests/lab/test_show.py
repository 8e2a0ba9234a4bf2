"""The demonstration from the first word to the last, as a newcomer sees it."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from fleetctl.lab.demo.show import OURS, next_lines
from fleetctl.lab.demo.stage import Show
from fleetctl.lab.layout import Layout, read_state
from fleetctl.lab.lifecycle import down
from fleetctl.lab.processes import find_marked

pytestmark = pytest.mark.slow

PATIENCE_S = 300
_ARGV = [sys.executable, "-c", "from fleetctl.cli.main import main; main()", "lab", "demo"]


def test_the_demonstration_proves_44_of_44(tmp_path: Path) -> None:
    """Two pushes, every host and the web hosts' own answers on release two; nothing is left."""
    outside = {**os.environ, "PATH": "/usr/bin:/bin"}
    told = subprocess.run(_ARGV, cwd=tmp_path, capture_output=True, text=True, timeout=PATIENCE_S,
                          check=False, env=outside)  # fmt: skip
    assert told.returncode == 0, told.stdout + told.stderr
    assert "44 of 44 hosts run demo-2." in told.stdout
    assert (
        len(re.findall(r"^GET http://\S+ -> web00\d runs demo-2: ALIVE$", told.stdout, re.M)) == 4
    )
    assert told.stdout.count("44 of 44 accounted for") == 2
    assert re.search(r"was at work [0-9.]+ s after the task had come, and asleep", told.stdout)
    assert not (tmp_path / ".lab" / "demo").exists()
    if sys.prefix != sys.base_prefix:
        assert "Try next:\n  . " in told.stdout  # its `fleetctl` is on no path yet


def test_a_demonstration_told_to_end_leaves_nothing(tmp_path: Path) -> None:
    """SIGTERM in the middle takes the lab down all the same."""
    layout = Layout(tmp_path / ".lab" / "demo")
    show = subprocess.Popen(_ARGV, cwd=tmp_path, stdout=subprocess.DEVNULL,
                            stderr=subprocess.DEVNULL)  # fmt: skip
    try:
        deadline = time.monotonic() + PATIENCE_S
        while not (layout.folder / "journal.db").exists():
            assert time.monotonic() < deadline
            time.sleep(0.05)
        state = read_state(layout)
        assert state is not None
        show.send_signal(signal.SIGTERM)
        assert show.wait(timeout=PATIENCE_S) != 0
        assert find_marked(state.id) == {}
        assert not layout.folder.exists()
    finally:
        if read_state(layout) is not None:
            os.kill(show.pid, signal.SIGKILL)
            down(layout)


def test_what_to_type_next_finds_what_the_demonstration_did(tmp_path: Path) -> None:
    """In the person's own shell: without its journal and releases `runs list` would be empty."""
    own = {name: f"/lab/{name}" for name in OURS}
    told = next_lines(Show(Layout(tmp_path), print, own), keep=True)
    assert {f"  export {name}=/lab/{name}" for name in OURS} < set(told)
    assert any("fleetctl runs list" in line for line in told)
