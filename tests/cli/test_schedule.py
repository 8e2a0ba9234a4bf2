"""Starting a push later: what is told, what is looked at again, and how it is left."""

from __future__ import annotations

import signal
from pathlib import Path

import pytest

from fleetctl.base.errors import ExitCode
from tests.cli.program import PATIENCE_S, Program, end, wait_until

pytestmark = pytest.mark.slow

INVENTORY = """\
fleet: nowhere
tiers:
  web: { hosts: "web[001-002]", address: 127.0.0.1+, port: 1 }
"""
RUNBOOK = """\
title: By hand
phases:
  - name: before
    steps:
      - manual: Put up the maintenance page
"""


@pytest.fixture
def nowhere(tmp_path: Path) -> Program:
    """A runbook that reaches nobody."""
    program = Program(tmp_path, tmp_path / "inventory.yaml")
    program.write("inventory.yaml", INVENTORY)
    program.write("runbook.yaml", RUNBOOK)
    return program


def test_leaving_before_the_start_leaves_nothing(nowhere: Program) -> None:
    """Confirmed by a person, then left: exit 130, and there is no run."""
    terminal = nowhere.start_on_terminal("push", "runbook.yaml", "--at", "in 1h", "--window", "3h")
    try:
        terminal.wait_for("Type the number of steps to go on: ")
        assert "starts " in terminal.shown
        assert "window until " in terminal.shown
        terminal.type("1\n")
        terminal.wait_for("Ctrl-C leaves, nothing has been done yet")
        terminal.process.send_signal(signal.SIGTERM)
        terminal.wait_for("left before the start")
        assert terminal.process.wait(timeout=PATIENCE_S) == ExitCode.INTERRUPTED
    finally:
        end(terminal.process)
    assert "no runs yet" in nowhere.here("runs", "list").stderr


def test_what_changed_meanwhile_is_not_run(nowhere: Program) -> None:
    """The plan somebody said yes to is what is run, or nothing: exit 8."""
    terminal = nowhere.start_on_terminal("push", "runbook.yaml", "--yes", "--at", "in 3s")
    try:
        terminal.wait_for("nothing has been done yet")
        nowhere.write("runbook.yaml", RUNBOOK + "      - manual: Another\n")
        terminal.wait_for("stale")
        assert terminal.process.wait(timeout=PATIENCE_S) == ExitCode.REFUSED
    finally:
        end(terminal.process)
    assert "changed: playbook" in terminal.read()


def test_it_starts_and_its_window_ends_it(nowhere: Program) -> None:
    """It waits, runs, and stops when the window is over: exit 6; a resume has its own window."""
    done = nowhere.here("push", "runbook.yaml", "--yes", "--at", "in 1s", "--window", "2s")
    assert done.returncode == ExitCode.STOPPED
    assert "stop (window): its window is over" in done.stderr + done.stdout
    process = nowhere.start("resume", "last", "--yes", "--window", "1h")
    try:
        wait_until(lambda: nowhere.here("runs", "tick", "last").returncode == 0, "the question")
        _, told = process.communicate(timeout=PATIENCE_S)
    finally:
        end(process)
    assert process.returncode == ExitCode.OK
    assert "window until" in told


def test_flags_that_mean_nothing_are_told(nowhere: Program) -> None:
    """A time that is over says which is next."""
    told = nowhere.here("push", "runbook.yaml", "--yes", "--at", "2020-01-01 06:00")
    assert told.returncode == ExitCode.USAGE
    assert "the next: --at '" in told.stderr
    told = nowhere.here("push", "runbook.yaml", "--yes", "--window", "3")
    assert told.returncode == ExitCode.USAGE
    assert "write 3h or 3m" in told.stderr
