"""The controller's clock jumps by hours, between turns and between runs.

On hosts nothing asks a wall clock: deadlines follow the uptime, old runs go by their fences.
"""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

from fleetctl.base.errors import ExitCode
from fleetctl.journal.examine import examine
from fleetctl.transport.session import program as host_program
from tests.cli.program import PATIENCE_S, Program, end, wait_until
from tests.faults import jumping
from tests.labfixture import StartLab

pytestmark = pytest.mark.slow
HOSTS = ("h1", "h2", "h3")
ONCE = ["one", "two"]
PLAYBOOK = """\
title: x
phases:
  - name: db
    hosts: tier=db
    batches: [1, 100%]
    gates:
      - command: "true"
        soak: 1s
    steps:
      - run: echo one >> marks; while [ -e hold ]; do sleep 0.05; done
      - run: echo two >> marks
        idempotent: true
"""


@pytest.fixture
def program(tmp_path: Path, lab_fleet: StartLab) -> Program:
    program = Program(tmp_path, lab_fleet({"db": HOSTS}))
    program.write("push.yaml", PLAYBOOK)
    return program


def _start(program: Program, hours: str, *words: str) -> subprocess.Popen[str]:
    words = (sys.executable, jumping.__file__, hours, *words, "--yes")
    return subprocess.Popen(words, cwd=program.folder, env=program.environ, text=True,
                            stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                            stderr=subprocess.PIPE)  # fmt: skip


def _call(program: Program, hours: str, *words: str) -> tuple[int, str]:
    process = _start(program, hours, *words)
    try:
        stdout, stderr = process.communicate(timeout=PATIENCE_S)
    finally:
        end(process)
    return process.returncode, stdout + stderr


def _marks(program: Program) -> dict[str, list[str]]:
    return {host: program.lines(host, "marks") for host in HOSTS}


def test_jumps_within_a_push_change_nothing(program: Program) -> None:
    """Forward and backward by hours at every reading: no deadline moves, nothing is lost.

    A wait that took the clock's hours for its own would outlast the patience of the call.
    """
    code, told = _call(program, "0,5,-7,0.5,-72", "push", "push.yaml")
    assert code == 0, told
    assert _marks(program) == dict.fromkeys(HOSTS, ONCE)
    assert examine(program.folder / "journal.db").damages == ()
    shown = program.call("runs", "show", "last")
    assert shown.returncode == 0
    assert not re.search(r"took -|[( ]-\d", shown.stdout + told), told


def test_a_resume_by_a_clock_set_back_still_rules(program: Program) -> None:
    """The fence grows by the journal, not by the clock: hosts obey the resume of three days ago."""
    hold = program.lab.home("h1") / "hold"
    hold.touch()
    process = _start(program, "0", "push", "push.yaml")
    try:
        wait_until(lambda: bool(program.lines("h1", "marks")), "at work")
    finally:
        end(process)
    hold.unlink()
    code, told = _call(program, "-72", "runs", "resume", "last")
    assert code == 0, told
    assert _marks(program) == dict.fromkeys(HOSTS, ONCE)


def test_a_run_from_a_clock_that_is_behind_is_refused_by_the_hosts(program: Program) -> None:
    """Another person's journal and a clock of yesterday: an older order, which changes nothing."""
    code, told = _call(program, "0", "push", "push.yaml")
    assert code == 0, told
    program.environ["FLEETCTL_JOURNAL"] = str(program.folder / "another.db")
    code, told = _call(program, "-24", "push", "push.yaml")
    assert code == ExitCode.LOCK_HELD, told
    assert "newer" in told
    assert _marks(program) == dict.fromkeys(HOSTS, ONCE)


def test_hosts_are_never_asked_for_the_time_of_day() -> None:
    """No part of what runs a step there looks at a wall clock or at files' times."""
    text = host_program("processes.sh", "lock.sh", "runner.sh", "kill.sh")
    assert not re.search(
        r"\bdate\b|\bls -t|-nt\b|-ot\b|stat -c|\btouch\b|find .*-m(time|min)", text
    )
