"""Every ending of the program is one of its exit codes, told on stderr."""

from __future__ import annotations

import errno
import signal
import subprocess
import sys
from pathlib import Path
from subprocess import PIPE

import click
import pytest
from click.testing import CliRunner

from fleetctl.base.errors import (
    EXIT_CODE_WORDS,
    ExitCode,
    InputError,
    InputErrors,
    Location,
    LockHeld,
    Refused,
    UsageError,
)
from fleetctl.cli.main import COMMANDS, FleetctlGroup, fleetctl


def _ending_with(error: BaseException | int | None) -> click.Command:
    """A program like ours with one command that ends so."""

    @click.command()
    def end() -> int | None:
        if isinstance(error, BaseException):
            raise error
        return error

    class Program(FleetctlGroup):
        def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command:
            return end

    return Program("program", commands_table={"end": ("", "")})


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (None, ExitCode.OK),
        (ExitCode.STOPPED, ExitCode.STOPPED),
        (UsageError("x"), ExitCode.USAGE),
        (InputError("x", Location("f", 1, 2)), ExitCode.INPUT_INVALID),
        (LockHeld("x"), ExitCode.LOCK_HELD),
        (Refused("x"), ExitCode.REFUSED),
        (KeyboardInterrupt(), ExitCode.INTERRUPTED),
        (click.UsageError("x"), ExitCode.USAGE),
        (click.FileError("x"), ExitCode.USAGE),
        (BrokenPipeError(errno.EPIPE, "x"), ExitCode.INTERRUPTED),
    ],
)
def test_each_ending_has_its_exit_code(error: BaseException | int | None, code: int) -> None:
    """A script can tell what happened by the number alone."""
    assert CliRunner().invoke(_ending_with(error), ["end"]).exit_code == code


def test_an_error_says_what_where_why_and_a_hint() -> None:
    """The four parts of an error reach the person, on stderr and nowhere else."""
    error = UsageError("no such tier", where="--tier", why="nothing is named wbe", hint="try web")
    result = CliRunner().invoke(_ending_with(error), ["end"])
    assert result.stdout == ""
    assert result.stderr == (
        "error: no such tier\n  where: --tier\n  why: nothing is named wbe\n  hint: try web\n"
    )


def test_mistakes_found_together_are_told_together() -> None:
    """A file with two mistakes is mended in one go."""
    errors = InputErrors([InputError(what, Location("f.yaml", line, 1)) for what, line in
                          (("late", 9), ("early", 2))])  # fmt: skip
    stderr = CliRunner().invoke(_ending_with(errors), ["end"]).stderr
    assert stderr.index("early") < stderr.index("f.yaml:2:1") < stderr.index("late")


def test_a_bug_keeps_its_traceback_in_a_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A person sees two lines; whoever mends it finds the rest where stderr says."""
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path))
    result = CliRunner().invoke(_ending_with(ZeroDivisionError("by nought")), ["end"])
    assert result.exit_code == ExitCode.BUG
    assert "Traceback" not in result.stderr
    path = Path(result.stderr.split("report it with ")[1].strip())
    assert "ZeroDivisionError: by nought" in path.read_text()
    assert path.stat().st_mode & 0o777 == 0o600


def test_help_names_every_command_and_exit_code() -> None:
    """What can be called and what the numbers mean is found without leaving the terminal."""
    result = CliRunner().invoke(fleetctl, ["--help"])
    assert result.exit_code == 0
    lines = [line.split(maxsplit=1) for line in result.stdout.splitlines() if line.strip()]
    told = {words[0]: words[1] for words in lines if len(words) == 2}
    assert {word: told.get(word) for word in COMMANDS} == {w: t for w, (_, t) in COMMANDS.items()}
    assert all(told.get(str(int(code))) == words for code, words in EXIT_CODE_WORDS.items())


def test_a_mistyped_command_names_the_nearest() -> None:
    """A typo is a usage error that says what was meant."""
    result = CliRunner().invoke(fleetctl, ["pusk"])
    assert result.exit_code == ExitCode.USAGE
    assert 'did you mean "push"?' in result.stderr


def test_version_is_told() -> None:
    """`--version` answers with the program's name and version."""
    assert CliRunner().invoke(fleetctl, ["--version"]).stdout.startswith("fleetctl, version ")


_LATE = """
import atexit, sys, time
from fleetctl.cli.main import main
atexit.register(lambda: (print("clearing up", flush=True), time.sleep(600)))
sys.argv = ["fleetctl", "--version"]
main()
"""


def test_interrupt_when_all_is_said_leaves_at_once_and_quietly() -> None:
    """No traceback, no other exit code: the work was done before."""
    words = [sys.executable, "-c", _LATE]
    with subprocess.Popen(words, stdout=PIPE, stderr=PIPE, text=True) as program:
        assert program.stdout is not None
        assert any("clearing up" in line for line in program.stdout)
        program.send_signal(signal.SIGINT)
        _, stderr = program.communicate(timeout=90)
    assert (program.returncode, stderr) == (0, "")
