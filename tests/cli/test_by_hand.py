"""What a person does in a push: asked on a terminal, answered there or in another one."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from fleetctl.base.errors import ExitCode
from tests.cli.program import PATIENCE_S, Program, end, wait_until
from tests.labfixture import StartLab

pytestmark = pytest.mark.slow

RUNBOOK = """\
title: By hand
phases:
  - name: before
    steps:
      - manual:
          text: Put up the maintenance page
          command: sudo touch /srv/maintenance
          check: [the page is up, the status page says so]
          who: support
  - name: web
    hosts: tier=web
    steps:
      - manual: { text: "Look at {{host.name}}" }
"""
UNREACHABLE = """\
fleet: nowhere
tiers:
  web: { hosts: "web[001-002]" }
defaults: { address: 127.0.0.1+, port: 1, user: nobody }
"""


@pytest.fixture
def nowhere(tmp_path: Path) -> Program:
    """Two hosts nobody can reach, and a runbook a person does."""
    program = Program(tmp_path, tmp_path / "inventory.yaml")
    program.write("inventory.yaml", UNREACHABLE)
    program.write("runbook.yaml", RUNBOOK)
    return program


def test_a_person_does_it_on_a_terminal_and_elsewhere(nowhere: Program) -> None:
    """No host is reached; boxes are ticked first; who did what is in the account."""
    terminal = nowhere.start_on_terminal("push", "runbook.yaml")
    try:
        terminal.wait_for("Type the number of hosts to go on: ")
        terminal.type("2\n")
        terminal.wait_for("TO DO BY HAND")
        terminal.wait_for("a box's number, done, skip WHY or failed WHY: ")
        assert "sudo touch /srv/maintenance" in terminal.shown
        assert "[for support]" in terminal.shown
        terminal.type("done\n")
        terminal.wait_for("not ticked yet: 1, 2: ")
        terminal.type("1\n")
        refused = wait_for_refusal(nowhere)
        assert "2: the status page says so" in refused
        assert nowhere.here("runs", "tick", "last", "--box", "2").returncode == 0
        wait_until(lambda: tick(nowhere) == 0, "every box to be ticked")
        terminal.wait_for("TO DO BY HAND  web001: Look at web001")
        asked = nowhere.here("runs", "tick", "last", "--skip", "no time")
        assert asked.returncode == ExitCode.USAGE
        assert "add --host, one of: web001, web002" in asked.stderr
        assert nowhere.here("runs", "tick", "last", "--host", "web002").returncode == 0
        terminal.type("skip\n")
        terminal.wait_for("say why: skip WHY: ")
        terminal.type("skip not today\n")
        terminal.wait_for("exit 0: all verified")
        assert terminal.process.wait(timeout=PATIENCE_S) == ExitCode.OK
    finally:
        end(terminal.process)
    shown = nowhere.here("runs", "show", "last").stdout
    assert re.search(r"done by \S+ .*Put up the maintenance page", shown)
    assert re.search(r"skipped by \S+ .*not today.*web001: Look at web001", shown)


def wait_for_refusal(program: Program) -> str:
    """What `runs tick` says when one of two boxes is ticked."""
    said: list[str] = []

    def holds() -> bool:
        said.append(program.here("runs", "tick", "last").stderr)
        return "1 of 2 boxes are not ticked" in said[-1]

    wait_until(holds, "one box ticked")
    return said[-1]


def tick(program: Program) -> int:
    return program.here("runs", "tick", "last").returncode


def test_without_a_terminal_the_question_is_told_and_yes_answers_nothing(nowhere: Program) -> None:
    """`--yes` confirms the start and no more; the line says how to answer, and Ctrl-C leaves."""
    process = nowhere.start("push", "runbook.yaml", "--yes")
    try:
        wait_until(lambda: nowhere.here("runs", "tick", "last", "--failed", "no page")
                   .returncode == 0, "the question")  # fmt: skip
        _, told = process.communicate(timeout=PATIENCE_S)
        assert process.returncode == ExitCode.STOPPED
    finally:
        end(process)
    assert "24 h 00 min without an answer means failed" in told
    assert "answer with: fleetctl runs tick" in told
    assert "stop (gate" in told


@pytest.mark.parametrize("option", ["--skip", "--failed"])
def test_an_empty_why_is_not_taken_for_done(nowhere: Program, option: str) -> None:
    """A variable that holds nothing must not turn a failure into a success."""
    told = nowhere.here("runs", "tick", "last", option, "")
    assert told.returncode == ExitCode.USAGE
    assert f"{option} says why, and nothing is said" in told.stderr


def test_one_line_edited_makes_a_step_run(tmp_path: Path, lab_fleet: StartLab) -> None:
    """`manual: {command: X}` and `run: X` are the same step, by hand and by fleetctl."""
    program = Program(tmp_path, lab_fleet({"web": ("web001",)}))
    head = "title: t\nphases:\n  - name: web\n    hosts: web001\n    steps:\n"
    program.write("hand.yaml", head + "      - manual: { command: echo hello > greeting }\n")
    program.write("run.yaml", head + "      - run: echo hello > greeting\n")
    process = program.start("push", "hand.yaml", "--yes")
    try:
        wait_until(lambda: program.here("runs", "tick", "last").returncode == 0, "the question")
        assert process.wait(timeout=PATIENCE_S) == ExitCode.OK
    finally:
        end(process)
    assert program.lines("web001", "greeting") == []
    assert program.here("push", "run.yaml", "--yes").returncode == ExitCode.OK
    assert program.lines("web001", "greeting") == ["hello"]
