"""Two people, two machines: one drives a run, the other watches it and takes it over."""

from __future__ import annotations

import base64
import json
import subprocess
import zlib
from pathlib import Path

import pytest

from fleetctl.base.errors import ExitCode
from tests.cli.program import Program, end, wait_until
from tests.labfixture import StartLab

pytestmark = pytest.mark.slow

HOSTS = ("db001", "db002", "db003")
PLAYBOOK = """\
title: Saturday push
phases:
  - name: db
    hosts: tier=db
    batches: [1, 1, 100%]
    steps:
      - run: echo one >> steps; while [ -e hold ]; do sleep 0.1; done; echo two >> steps
        name: upgrade
      - run: echo once >> steps
        name: migrate
        once: fleet
      - run: echo three >> steps
        name: restart
"""
ONCE = {
    "db001": ["one", "two", "once", "three"],
    "db002": ["one", "two", "three"],
    "db003": ["one", "two", "three"],
}


class Desks:
    """The fleet behind its bastion, and two machines that know it."""

    def __init__(self, folder: Path, start_lab: StartLab) -> None:
        lab = start_lab({"db": HOSTS, "bastion": ["bastion"]}, via={"db": "bastion"})
        self.ann, self.bob = (Program(folder / name, lab) for name in ("ann", "bob"))
        for program in (self.ann, self.bob):
            program.write("push.yaml", PLAYBOOK)
        self.lab = lab

    def hold(self, *hosts: str) -> None:
        """Hosts stay in their first step."""
        for host in hosts:
            (self.lab.home(host) / "hold").touch()

    def let_go(self) -> None:
        for host in HOSTS:
            (self.lab.home(host) / "hold").unlink(missing_ok=True)

    def steps(self) -> dict[str, list[str]]:
        return {host: self.ann.lines(host, "steps") for host in HOSTS}

    def start(self, at_work: str) -> subprocess.Popen[str]:
        """Ann pushes; returns once this host is at work."""
        process = self.ann.start("push", "push.yaml", "--yes")
        wait_until(lambda: bool(self.ann.lines(at_work, "steps")), f"{at_work} at work")
        return process

    def carried(self) -> list[Path]:
        """The bundles the bastion has."""
        return sorted(self.lab.home("bastion").glob(".fleetctl/carried/lab/*/leg.*/0*"))

    def told(self) -> str:
        """What the bastion knows of the run, as Bob sees it."""
        rows = json.loads(self.bob.call("attach", "-o", "json").stdout)
        return rows[0]["state"] if rows else ""

    def wait_until_carried(self, word: str) -> None:
        """Until a record of that kind about what is held is at the bastion."""
        wait_until(lambda: word in self._records(), f"{word} carried")

    def _records(self) -> str:
        text = b""
        for path in self.carried():
            text += zlib.decompress(base64.b64decode(path.read_bytes()))
        return text.decode("latin-1")


@pytest.fixture
def desks(tmp_path: Path, lab_fleet: StartLab) -> Desks:
    """Three hosts behind a bastion, Ann and Bob."""
    for name in ("ann", "bob"):
        (tmp_path / name).mkdir()
    return Desks(tmp_path, lab_fleet)


def _take_over(desks: Desks) -> subprocess.CompletedProcess[str]:
    return desks.bob.call("resume", "last", "--take-over", "--yes")


def test_a_killed_controller_is_taken_over(desks: Desks) -> None:
    """Kill -9 in the middle: another machine goes on with the run, each step exactly once."""
    desks.hold("db002")
    process = desks.start("db002")
    try:
        desks.wait_until_carried("db002")
    finally:
        end(process)
    run = json.loads(desks.ann.call("runs", "list", "-o", "json").stdout)[0]["run"]
    desks.let_go()
    done = _take_over(desks)
    assert done.returncode == 0, done.stdout + done.stderr
    assert desks.steps() == ONCE
    assert f"run {run} is held by " in done.stderr
    assert json.loads(desks.bob.call("runs", "list", "-o", "json").stdout)[0]["run"] == run
    assert desks.bob.call("runs", "verify").returncode == 0
    back = desks.ann.call("resume", run, "--yes")
    assert back.returncode == ExitCode.LOCK_HELD, back.stderr
    assert "went on elsewhere" in back.stderr
