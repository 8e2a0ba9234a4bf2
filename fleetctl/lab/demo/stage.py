"""The stage of the demonstration: commands are shown, run as a person would, their output told."""

from __future__ import annotations

import shlex
import subprocess
import sys
from collections.abc import Callable, Mapping, Sequence

import msgspec

from fleetctl.base.errors import FleetError
from fleetctl.lab.layout import Layout

_PROGRAM = "from fleetctl.cli.main import main; main()"

Say = Callable[[str], None]


class Ended(FleetError):
    """A command of the demonstration did not end well; the demonstration ends as it did."""

    def __init__(self, command: str, code: int) -> None:
        super().__init__(f"`{command}` ended with exit code {code}")
        self.code = code


class Show(msgspec.Struct, frozen=True):
    """One showing, in `layout`'s folder."""

    layout: Layout
    say: Say
    environment: Mapping[str, str]
    """What the commands are run with; the three FLEETCTL_ names of it are told."""

    def run(self, *words: str, quiet: bool = False) -> None:
        """Show a command, run it with its output as it is; raises Ended.

        `quiet`: its talk (standard error) is told only if it does not end well.
        """
        shown = shlex.join(["fleetctl", *words])
        self.say(f"$ {shown}")
        talk = subprocess.PIPE if quiet else None
        done = subprocess.run(_argv(words), env=self.environment, check=False, stderr=talk)
        if done.returncode != 0:
            self.say((done.stderr or b"").decode(errors="replace"))
            raise Ended(shown, done.returncode)
        self.say("")

    def hear(self, *words: str, only: str = "") -> str:
        """As `run`, without its talk; what it said on standard output is told, and returned.

        `only`: of a table's rows those that begin so are told.
        """
        shown = shlex.join(["fleetctl", *words])
        self.say(f"$ {shown}" + (f" | grep -e HOST -e ^{only}" if only else ""))
        done = subprocess.run(
            _argv(words), env=self.environment, check=False, capture_output=True, text=True
        )
        if done.returncode != 0:
            self.say(done.stderr)
            raise Ended(shown, done.returncode)
        lines = done.stdout.splitlines()
        told = [line for line in lines if not only or line.startswith(("HOST", only))]
        self.say("\n".join((*told, "")))
        return done.stdout


def _argv(words: Sequence[str]) -> list[str]:
    return [sys.executable, "-c", _PROGRAM, *words]
