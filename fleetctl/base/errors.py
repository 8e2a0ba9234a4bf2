"""Every error fleetctl raises on purpose, and the exit code each one means.

    FleetError                 1   (base; never raised itself)
    |- UsageError              2   a word on the command line: selector, release id, run id, flag
    |- Unreachable             4   the one host a command is about cannot be reached
    |- InputError              5   inventory, playbook or another file of the user; has a Location
    |- LockHeld                7   somebody else holds the scope
    |- Refused                 8   refused before start: stale plan, preflight, missing confirmation
    |- InternalError          70   our bug

What happens to a *host* is never an exception but an `Outcome` (see `outcome`): adapters translate
what their libraries raise. A message says what failed; `why` the cause, `hint` what to do next.
"""

from __future__ import annotations

from collections.abc import Sequence
from enum import IntEnum
from typing import NamedTuple


class ExitCode(IntEnum):
    """What the process answers its caller; one meaning each, shown by `fleetctl --help`."""

    OK = 0
    HOST_FAILED = 1
    USAGE = 2
    UNKNOWN = 3
    UNREACHABLE = 4
    INPUT_INVALID = 5
    STOPPED = 6
    LOCK_HELD = 7
    REFUSED = 8
    BUG = 70
    INTERRUPTED = 130


EXIT_CODE_WORDS: dict[ExitCode, str] = {
    ExitCode.OK: "all verified",
    ExitCode.HOST_FAILED: "some host failed",
    ExitCode.USAGE: "usage",
    ExitCode.UNKNOWN: "an outcome is unknown",
    ExitCode.UNREACHABLE: "only unreachable hosts",
    ExitCode.INPUT_INVALID: "inventory or playbook invalid",
    ExitCode.STOPPED: "stopped by gate or budget",
    ExitCode.LOCK_HELD: "lock held",
    ExitCode.REFUSED: "refused before start",
    ExitCode.BUG: "a bug of fleetctl",
    ExitCode.INTERRUPTED: "interrupted and drained",
}


class ReaderGone(Exception):
    """Whoever read what we say went away in the middle of it."""


class Location(NamedTuple):
    """A place in a file a person wrote; line and column count from 1, 0 means the whole file."""

    file: str
    line: int = 0
    column: int = 0

    def __str__(self) -> str:
        if not self.line:
            return self.file
        return f"{self.file}:{self.line}:{self.column}"


class FleetError(Exception):
    """An error with everything a person needs to act; the command line prints it and exits."""

    exit_code = ExitCode.HOST_FAILED

    def __init__(self, what: str, *, where: str = "", why: str = "", hint: str = "") -> None:
        super().__init__(what)
        self.what = what
        self.where = where
        self.why = why
        self.hint = hint

    def __str__(self) -> str:
        head = f"{self.where}: {self.what}" if self.where else self.what
        lines = [head]
        if self.why:
            lines.append(f"  why: {self.why}")
        if self.hint:
            lines.append(f"  hint: {self.hint}")
        return "\n".join(lines)


class UsageError(FleetError):
    """A word of the command line names nothing, or too much."""

    exit_code = ExitCode.USAGE


class Unreachable(FleetError):
    """The one host a command is about cannot be reached; in a run this is an outcome instead."""

    exit_code = ExitCode.UNREACHABLE


class InputError(FleetError):
    """A file the user wrote is wrong at `location`."""

    exit_code = ExitCode.INPUT_INVALID

    def __init__(self, what: str, location: Location, *, why: str = "", hint: str = "") -> None:
        super().__init__(what, where=str(location), why=why, hint=hint)
        self.location = location


class InputErrors(FleetError):
    """Several mistakes found in one reading, told together in the order of the file."""

    exit_code = ExitCode.INPUT_INVALID

    def __init__(self, errors: Sequence[InputError]) -> None:
        assert errors
        ordered = sorted(errors, key=lambda error: error.location)
        super().__init__("\n".join(str(error) for error in ordered))
        self.errors = tuple(ordered)


class LockHeld(FleetError):
    """Somebody else works on this scope; the message names them."""

    exit_code = ExitCode.LOCK_HELD
    run = ""
    """The run that holds it, when known."""


class Refused(FleetError):
    """Nothing was touched: the plan is stale, a preflight failed, or nobody confirmed."""

    exit_code = ExitCode.REFUSED


class InternalError(FleetError):
    """fleetctl broke one of its own rules."""

    exit_code = ExitCode.BUG
