"""Every way to leave a push: what becomes of it is the same each time, journaled, resumable."""

from __future__ import annotations

import json
import signal
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from fleetctl.base.errors import ExitCode
from tests.cli.program import PATIENCE_S, Program, end, wait_until
from tests.labfixture import StartLab

pytestmark = pytest.mark.slow

HOSTS = ("db001", "db002", "db003")
PLAYBOOK = """\
title: Saturday push
phases:
  - name: db
    hosts: tier=db
    batches: [2, 100%]
    steps:
      - run: echo one >> steps; while [ -e hold ]; do sleep 0.1; done; echo two >> steps
        name: upgrade
      - run: echo three >> steps
        name: restart
"""
ONCE = {host: ["one", "two", "three"] for host in HOSTS}
DRAINED = {**ONCE, "db003": []}
CUT = {"db001": ["one"], "db002": ["one"], "db003": []}
Leave = Callable[[Program, subprocess.Popen[str]], None]


@pytest.fixture
def program(tmp_path: Path, lab_fleet: StartLab) -> Program:
    """Three db hosts, the first two held in their first step."""
    program = Program(tmp_path, lab_fleet({"db": HOSTS}))
    program.write("push.yaml", PLAYBOOK)
    for host in HOSTS[:2]:
        (program.lab.home(host) / "hold").touch()
    return program


def _let_go(program: Program) -> None:
    for host in HOSTS[:2]:
        (program.lab.home(host) / "hold").unlink(missing_ok=True)


def _steps(program: Program) -> dict[str, list[str]]:
    return {host: program.lines(host, "steps") for host in HOSTS}


def _shown(program: Program, text: str) -> None:
    wait_until(lambda: text in program.here("runs", "show", "last").stdout, text)


def _signals(*numbers: signal.Signals) -> Leave:
    def leave(program: Program, process: subprocess.Popen[str]) -> None:
        words = ("told to drain", "told to kill", "told to leave")
        for number, word in zip(numbers, words, strict=False):
            process.send_signal(number)
            _shown(program, word)

    return leave


def _orders(*words: str) -> Leave:
    def leave(program: Program, process: subprocess.Popen[str]) -> None:
        assert program.here("runs", "abort", "last", *words).returncode == 0
        _shown(program, "told to ")

    return leave


DRAINS = {
    "Ctrl-C": (_signals(signal.SIGINT), "drain", "SIGINT"),
    "SIGTERM": (_signals(signal.SIGTERM), "drain", "SIGTERM"),
    "SIGHUP": (_signals(signal.SIGHUP), "drain", "SIGHUP"),
    "abort": (_orders(), "abort", "runs abort"),
}
KILLS = {
    "Ctrl-C twice": (_signals(signal.SIGINT, signal.SIGINT), "SIGINT, the second"),
    "SIGTERM, Ctrl-C": (_signals(signal.SIGTERM, signal.SIGINT), "SIGINT, the second"),
    "abort --kill": (_orders("--kill"), "runs abort --kill"),
}


@pytest.mark.parametrize("way", DRAINS)
def test_leaving_in_good_order(program: Program, way: str) -> None:
    """What is in flight ends, nothing new starts, 130; who and how is told; a resume ends it."""
    leave, word, means = DRAINS[way]
    process = program.start("push", "push.yaml", "--yes")
    try:
        wait_until(lambda: all(program.lines(host, "steps") for host in HOSTS[:2]), "at work")
        leave(program, process)
        _let_go(program)
        stdout, stderr = process.communicate(timeout=PATIENCE_S)
    finally:
        end(process)
    assert process.returncode == ExitCode.INTERRUPTED, stdout + stderr
    assert _steps(program) == DRAINED
    _see_told(program, word, means)
    _resume(program)


@pytest.mark.parametrize("way", KILLS)
def test_leaving_harder(program: Program, way: str) -> None:
    """Steps in flight are stopped with their process groups; told so; `--failed` goes on."""
    leave, means = KILLS[way]
    process = program.start("push", "push.yaml", "--yes")
    try:
        wait_until(lambda: all(program.lines(host, "steps") for host in HOSTS[:2]), "at work")
        leave(program, process)
        stdout, stderr = process.communicate(timeout=PATIENCE_S)
    finally:
        end(process)
    assert process.returncode == ExitCode.INTERRUPTED, stdout + stderr
    assert _steps(program) == CUT
    _see_told(program, "kill", means)
    shown = json.loads(program.here("runs", "show", "last", "-o", "json").stdout)
    assert [row["outcome"] for row in shown] == ["failed", "failed", "skipped"]


def test_leaving_at_once(program: Program) -> None:
    """The third Ctrl-C goes without an answer; the journal says so, a resume asks the hosts."""
    process = program.start("push", "push.yaml", "--yes")
    try:
        wait_until(lambda: all(program.lines(host, "steps") for host in HOSTS[:2]), "at work")
        for host in HOSTS[:2]:  # who is told to stop does not answer
            program.lab.fault(host, "freeze")
        process.send_signal(signal.SIGINT)
        _shown(program, "told to drain")
        process.send_signal(signal.SIGINT)
        _shown(program, "told to kill")
        process.send_signal(signal.SIGINT)
        _, stderr = process.communicate(timeout=PATIENCE_S)
    finally:
        end(process)
    assert process.returncode == ExitCode.INTERRUPTED
    assert "leaving at once" in stderr
    _see_told(program, "leave", "SIGINT, the third")
    assert program.here("runs", "show", "last").returncode == ExitCode.UNKNOWN


def test_a_closed_terminal_drains(program: Program) -> None:
    """The window is closed: as one Ctrl-C, and the picture that is gone is told, too."""
    terminal = program.start_on_terminal("push", "push.yaml")
    try:
        terminal.wait_for("Type the number of hosts to go on: ")
        terminal.type("3\n")
        wait_until(lambda: all(program.lines(host, "steps") for host in HOSTS[:2]), "at work")
        terminal.close()
        _shown(program, "told to drain")
        _shown(program, "the live picture dropped")
        _let_go(program)
        assert terminal.process.wait(timeout=PATIENCE_S) == ExitCode.INTERRUPTED
    finally:
        end(terminal.process)
    assert _steps(program) == DRAINED
    _see_told(program, "drain", "SIGHUP")
    assert "the live picture dropped: OSError" in program.here("runs", "show", "last").stdout
    _resume(program)


def _see_told(program: Program, word: str, means: str) -> None:
    """Who told it what by which means stands in the account and in the logs."""
    for command in ("show", "logs"):
        told = program.here("runs", command, "last").stdout
        (line,) = [line for line in told.splitlines() if f"told to {word} by " in line]
        assert line.endswith(f"({means})"), line
        assert "@" in line


def _resume(program: Program) -> None:
    done = program.here("runs", "resume", "last", "--yes")
    assert done.returncode == 0, done.stdout + done.stderr
    assert _steps(program) == ONCE
