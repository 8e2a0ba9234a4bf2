"""A push on a real terminal: the picture, the questions, and a window that closes."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from fleetctl.base.errors import ExitCode
from tests.cli.program import PATIENCE_S, Program, Terminal, end, wait_until
from tests.labfixture import StartLab

pytestmark = pytest.mark.slow

PLAYBOOK = """\
title: Saturday push
phases:
  - name: db
    hosts: tier=db
    batches: [1, 100%]
    gates:
      - approval: Does it look well?
    steps:
      - run: echo patching; while [ -e hold ]; do sleep 0.1; done; echo done >> steps
        name: schema upgrade
"""


@pytest.fixture
def program(tmp_path: Path, lab_fleet: StartLab) -> Program:
    """Two db hosts, the first of them held in its step."""
    program = Program(tmp_path, lab_fleet({"db": ("db001", "db002")}))
    program.write("push.yaml", PLAYBOOK)
    (program.lab.home("db001") / "hold").touch()
    return program


@pytest.fixture
def terminal(program: Program) -> Iterator[Terminal]:
    """A push that has been confirmed by typing the number of hosts."""
    terminal = program.start_on_terminal("push", "push.yaml")
    try:
        terminal.wait_for("Type the number of hosts to go on: ")
        terminal.type("2\n")
        yield terminal
    finally:
        end(terminal.process)


def _release(program: Program) -> None:
    (program.lab.home("db001") / "hold").unlink()


def test_a_push_on_a_terminal(program: Program, terminal: Terminal) -> None:
    """It says what is in flight, asks for the approval, takes the answer, and tells the recap."""
    terminal.wait_for("1 host mid `schema upgrade`")
    _release(program)
    terminal.wait_for("yes or no: ")
    assert "safe to leave: nothing in flight" in terminal.shown
    terminal.type("maybe\n")
    terminal.wait_for("please type yes or no: ")
    terminal.type("yes\n")
    terminal.wait_for("exit 0: all verified")
    assert "2 of 2 accounted for: 2 changed" in terminal.shown
    assert terminal.process.wait(timeout=PATIENCE_S) == ExitCode.OK


def test_a_no_stops_the_push(program: Program, terminal: Terminal) -> None:
    """The gate is shut by a person: exit 6, and the rest was never touched."""
    _release(program)
    terminal.wait_for("yes or no: ")
    terminal.type("no\n")
    terminal.wait_for("exit 6: stopped by gate or budget")
    assert terminal.process.wait(timeout=PATIENCE_S) == ExitCode.STOPPED
    assert program.lines("db002", "steps") == []


def test_an_approval_comes_from_another_terminal(program: Program, terminal: Terminal) -> None:
    """Whoever is elsewhere can answer, and the one who sits here sees it."""
    _release(program)
    terminal.wait_for("yes or no: ")
    assert program.here("runs", "approve", "last").returncode == 0
    terminal.wait_for("exit 0: all verified")
    assert terminal.process.wait(timeout=PATIENCE_S) == ExitCode.OK


def test_a_closed_window_drains(program: Program, terminal: Terminal) -> None:
    """The host in flight ends its step, the rest is not begun, and the journal knows why."""
    terminal.wait_for("1 host mid `schema upgrade`")
    terminal.close()
    terminal.process.send_signal(1)  # what the kernel does when the window was the login's
    wait_until(lambda: "SIGHUP" in program.here("runs", "show", "last").stdout, "the drain")
    _release(program)
    assert terminal.process.wait(timeout=PATIENCE_S) == ExitCode.INTERRUPTED
    rows = json.loads(program.here("runs", "show", "last", "-o", "json").stdout)
    assert [row["outcome"] for row in rows] == ["changed", "skipped"]
