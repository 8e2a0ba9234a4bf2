"""`fleetctl lab` as a person types it."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from fleetctl.lab.layout import Layout
from fleetctl.lab.lifecycle import down

pytestmark = pytest.mark.slow


def _fleetctl(folder: Path, *words: str) -> subprocess.CompletedProcess[str]:
    environment = {k: v for k, v in os.environ.items() if k != "FLEETCTL_INVENTORY"}
    return subprocess.run(
        [sys.executable, "-c", "from fleetctl.cli.main import main; main()", *words],
        cwd=folder, env=environment, capture_output=True, text=True, timeout=120, check=False,
    )  # fmt: skip


def test_a_lab_from_up_to_down(tmp_path: Path) -> None:
    """Up prints its inventory's path, status shows faults, down leaves nothing running."""
    (tmp_path / "inventory.yaml").write_text(
        "fleet: f\ntiers: {web: {hosts: 'web[1-3]', via: gate}, gate: {hosts: gate}}\n"
    )
    try:
        assert _fleetctl(tmp_path, "lab", "up").stdout == ".lab/inventory.yaml\n"
        fault = _fleetctl(tmp_path, "lab", "fault", "web[1-2]", "slow", "--latency", "1ms")
        assert (fault.returncode, fault.stdout) == (0, "")
        rows = json.loads(_fleetctl(tmp_path, "lab", "status", "--output", "json").stdout)
        assert [row["faults"] for row in rows][:3] == [["slow --latency 0.001s"]] * 2 + [[]]
        assert _fleetctl(tmp_path, "lab", "fault", "*", "off").returncode == 0
        assert "slow" not in _fleetctl(tmp_path, "lab", "status").stdout
        assert _fleetctl(tmp_path, "lab", "up").returncode == 7
        assert _fleetctl(tmp_path, "lab", "down", "--wipe").returncode == 0
        assert not (tmp_path / ".lab").exists()
        assert _fleetctl(tmp_path, "lab", "status").returncode == 2
    finally:
        if (tmp_path / ".lab").exists():
            down(Layout(tmp_path / ".lab"))


def test_settings_nothing_knows_raise_no_lab(tmp_path: Path) -> None:
    """A playbook that is not there and a misspelt variable are told before anything is written."""
    (tmp_path / "inventory.yaml").write_text(
        "fleet: f\nvariables: {root: /srv}\ntiers: {web: {hosts: 'web[1-3]'}}\n"
    )
    (tmp_path / "push.yaml").write_text(
        "title: t\nvariables: {zone: a}\n"
        "phases: [{name: x, hosts: all, steps: [{run: 'ls {{var.disk}}'}]}]\n"
    )
    gone = _fleetctl(tmp_path, "lab", "up", "--playbook", "psuh.yaml")
    assert (gone.returncode, "did you mean" in gone.stderr) == (5, True), gone.stderr
    wrong = _fleetctl(tmp_path, "lab", "up", "--playbook", "push.yaml", "--var", "rooot=/x")
    assert (wrong.returncode, 'did you mean "root"' in wrong.stderr) == (2, True), wrong.stderr
    assert not (tmp_path / ".lab").exists()
    known = ("--var", "root=a", "--var", "disk=.", "--var", "zone=b")
    try:
        up = _fleetctl(tmp_path, "lab", "up", "--playbook", "push.yaml", *known)
        assert up.returncode == 0, up.stderr
    finally:
        _fleetctl(tmp_path, "lab", "down")
