"""Foreach steps over real SSH servers, as a person meets them."""

from __future__ import annotations

import json
import signal
from pathlib import Path

import pytest

from fleetctl.base.errors import ExitCode
from tests.cli.program import PATIENCE_S, Program, end, wait_until
from tests.labfixture import StartLab

pytestmark = pytest.mark.slow

HOSTS = ("db001", "db002")
NAMES = [f"shop {n}'s" for n in range(1, 8)]
PLAYBOOK = """\
title: upgrade
phases:
  - name: up
    hosts: tier=db
    batches: [1]
    budget: {phase: 0, items: 1}
    steps:
      - run: |
          echo {{item}} >> done; echo "upgrading" {{item}}
          [ {{item}} != "shop 3's" ] || [ ! -e broken ] || { echo "no such table" >&2; exit 3; }
          while [ -e hold ]; do sleep 0.1; done
        name: upgrade
        foreach: {list: cat list, concurrency: 2, noun: instance}
      - run: echo after >> done
"""


@pytest.fixture
def program(tmp_path: Path, lab_fleet: StartLab) -> Program:
    """Two db hosts that list instances with hostile names."""
    program = Program(tmp_path, lab_fleet({"db": HOSTS}))
    program.write("push.yaml", PLAYBOOK)
    for host in HOSTS:
        program.write(str(program.lab.home(host) / "list"), "\n".join(NAMES) + "\n")
    return program


def test_killed_with_9_no_item_is_done_twice(program: Program) -> None:
    """The controller dies in the middle of a round; what its host did meanwhile counts."""
    hold = program.lab.home("db001") / "hold"
    hold.touch()
    process = program.start("push", "push.yaml", "--yes")
    try:
        wait_until(lambda: len(program.lines("db001", "done")) == 2, "db001 in its first round")
        process.send_signal(signal.SIGKILL)
        process.communicate(timeout=PATIENCE_S)
    finally:
        end(process)
    hold.unlink()
    done = program.here("runs", "resume", "last", "--yes")
    assert done.returncode == 0, done.stdout + done.stderr
    for host in HOSTS:
        assert sorted(program.lines(host, "done")) == sorted([*NAMES, "after"])
    assert "up: 14 of 14 instances accounted for: 14 changed" in done.stdout


def test_a_lost_item_is_told_and_mended(program: Program) -> None:
    """Within the budget the host goes on, and the run says what was lost, to people and programs;
    `--failed` does that one again and nothing else."""
    (program.lab.home("db001") / "broken").touch()
    done = program.here("push", "push.yaml", "--yes")
    assert done.returncode == ExitCode.HOST_FAILED, done.stdout + done.stderr
    assert "up: 14 of 14 instances accounted for: 13 changed, 1 failed" in done.stdout
    assert "1 instance failed at `upgrade`, on db001\n  db001 shop 3's\n" in done.stdout
    assert "    | no such table\n" in done.stdout
    said = program.here("runs", "logs", "last", "--item", "shop 3*", "--host", "db001")
    assert "db001 shop 3's `upgrade` failed, exit 3" in said.stdout
    assert "    upgrading shop 3's\n" in said.stdout
    rows = json.loads(program.here("runs", "show", "last", "-o", "json").stdout)
    assert rows[0]["items"] == {"listed": 7, "changed": 6, "failed": 1}
    for word in ("db001:shop 3's", "db001:shop 99"):
        refused = program.here("runs", "resume", "last", "--failed", "--done", word, "--yes")
        assert refused.returncode == ExitCode.USAGE
        assert f"{word} is not unknown" in refused.stderr
    (program.lab.home("db001") / "broken").unlink()
    again = program.here("runs", "resume", "last", "--failed", "--yes")
    assert again.returncode == 0, again.stdout + again.stderr
    lines = program.lines("db001", "done")
    assert lines.count("shop 3's") == 2
    assert len(lines) == 9


def test_a_list_that_cannot_be_meant_fails_the_host(program: Program) -> None:
    """Nothing is done with a list that names an item twice."""
    program.write(str(program.lab.home("db001") / "list"), "a\nb\na\n")
    done = program.here("push", "push.yaml", "--yes")
    assert done.returncode == ExitCode.STOPPED
    assert "'a' cannot be an item: it is listed twice" in done.stdout
    assert program.lines("db001", "done") == []
