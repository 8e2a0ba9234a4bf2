"""A broken release on real SSH servers: its first batch goes back, nobody else is touched."""

from __future__ import annotations

from pathlib import Path

import pytest

from fleetctl.base.errors import ExitCode
from tests.cli.program import Program
from tests.labfixture import StartLab

pytestmark = pytest.mark.slow

HOSTS = ("web001", "web002", "web003", "web004")
PLAYBOOK = """\
title: deploy
phases:
  - name: web
    hosts: tier=web
    batches: [2, 100%]
    on_failure: { host: rollback, batch: rollback }
    gates:
      - command: grep -q good app/current/version
        timeout: 30s
        interval: 30s
    steps:
      - run: touch stopped
        restore: rm -f stopped
      - deploy: { to: app }
"""


def test_a_batch_its_gate_refuses_goes_back(tmp_path: Path, lab_fleet: StartLab) -> None:
    """Its hosts serve the old release again, read back; nothing stays stopped anywhere."""
    program = Program(tmp_path, lab_fleet({"web": HOSTS}))
    program.write("deploy.yaml", PLAYBOOK)
    for release, word in (("r1", "good"), ("r2", "bad")):
        (tmp_path / release).mkdir()
        (tmp_path / release / "version").write_text(f"{word}\n")
        assert program.here("releases", "add", release, "--id", release).returncode == 0
    assert program.here("releases", "pin", "web", "r1").returncode == 0
    done = program.here("push", "deploy.yaml", "--yes")
    assert done.returncode == 0, done.stderr
    assert program.here("releases", "pin", "web", "r2").returncode == 0
    done = program.here("push", "deploy.yaml", "--yes")
    assert done.returncode == ExitCode.STOPPED, done.stderr
    said = done.stdout + done.stderr
    assert "rolled back with its batch" in said
    assert "web001 failed, runs r1" in said
    home = program.lab.home
    assert [(home(h) / "app/current").readlink().name for h in HOSTS] == ["r1"] * 4
    there = [(home(host) / "app/releases/r2").exists() for host in HOSTS]
    assert there == [True, True, False, False]
    assert not any((home(host) / "stopped").exists() for host in HOSTS)
