"""The systemd units we show are units systemd takes."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest

UNITS = Path(__file__).parents[2] / "docs" / "systemd"
ANALYZE = shutil.which("systemd-analyze")


@pytest.mark.skipif(ANALYZE is None, reason="systemd-analyze is not installed")
def test_systemd_takes_the_units(tmp_path: Path) -> None:
    """No unknown key, no bad calendar; the program is put where this machine has one."""
    assert ANALYZE is not None
    for path in UNITS.iterdir():
        text = path.read_text().replace("/usr/local/bin/fleetctl", "/bin/true")
        (tmp_path / path.name).write_text(text)
    units = [str(tmp_path / path.name) for path in sorted(UNITS.iterdir())]
    done = subprocess.run(
        [ANALYZE, "verify", "--man=no", *units],
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    ours = [line for line in done.stderr.splitlines() if "fleetctl-push" in line]
    assert (done.returncode, ours) == (0, [])


def test_the_units_belong_together() -> None:
    """The timer starts the service of its name, which has a window and asks nobody to type."""
    names = {path.name for path in UNITS.iterdir()}
    assert names == {"fleetctl-push.service", "fleetctl-push.timer"}
    service = (UNITS / "fleetctl-push.service").read_text()
    assert "--yes --window 3h" in service
    assert "KillMode=mixed" in service
