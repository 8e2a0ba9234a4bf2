"""A shell on a host, on the way the inventory names."""

from __future__ import annotations

from pathlib import Path

import pytest

from fleetctl.base.errors import ExitCode
from tests.cli.program import PATIENCE_S, Program, end, wait_until
from tests.labfixture import StartLab

pytestmark = pytest.mark.slow


@pytest.fixture
def program(tmp_path: Path, lab_fleet: StartLab) -> Program:
    """One web host behind a bastion."""
    return Program(tmp_path, lab_fleet({"web": ("web001",), "b": ("gate",)}, via={"web": "gate"}))


def test_a_shell_on_a_host_behind_the_bastion(program: Program) -> None:
    """What is typed runs in the host's home, and the shell's exit status is the command's."""
    terminal = program.start_on_terminal("hosts", "shell", "web001")
    try:
        wait_until(lambda: bool(terminal.read()), "a prompt")
        terminal.type("echo here is $HOME\r")
        terminal.wait_for(f"here is {program.lab.home('web001')}")
        terminal.type("exit 3\r")
        assert terminal.process.wait(timeout=PATIENCE_S) == 3
    finally:
        end(terminal.process)


def test_a_shell_that_cannot_be_had_is_told(program: Program) -> None:
    """A typo, no terminal, and a host that does not answer each have their own exit code."""
    typo = program.here("hosts", "shell", "web01")
    assert typo.returncode == ExitCode.USAGE
    assert 'did you mean "web001"?' in typo.stderr
    assert "a shell needs a terminal" in program.call("hosts", "shell", "web001").stderr
    program.lab.fault("web001", "refuse")
    terminal = program.start_on_terminal("hosts", "shell", "web001")
    try:
        terminal.wait_for("error: web001: ")
        assert terminal.process.wait(timeout=PATIENCE_S) == ExitCode.UNREACHABLE
    finally:
        end(terminal.process)
