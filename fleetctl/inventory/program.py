"""Asking an inventory program for Ansible's dynamic JSON (`--list`), within a finite time."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import time
from pathlib import Path

import msgspec

from fleetctl.base.errors import InputError, Location
from fleetctl.inventory.foreign import Foreign
from fleetctl.inventory.grouped import add_hostvars, read_printed

DEADLINE_S = 60.0


def read_program(path: Path, file: str, deadline_s: float = DEADLINE_S) -> Foreign:
    """The groups and hosts the program prints; raises InputError when it fails or takes too long.

    A program that prints no `_meta` is asked for each host with `--host`, as Ansible does; the
    deadline is for all of it.
    """
    program = _Program(path, file, time.monotonic() + deadline_s, deadline_s)
    data = program.answer("--list")
    foreign = read_printed(data, file)
    if isinstance(data, dict) and "_meta" not in data:
        for name in foreign.hosts:
            add_hostvars(foreign, name, program.answer("--host", name))
    return foreign


class _Program(msgspec.Struct, frozen=True):
    """One inventory program and the moment by which it must have said everything."""

    path: Path
    file: str
    ends_s: float
    deadline_s: float

    def answer(self, *flags: str) -> object:
        """The JSON it prints for these flags."""
        printed = self.run(flags)
        try:
            data: object = json.loads(printed)
        except ValueError as error:
            why = f"{error}; it printed: {_excerpt(printed)}"
            raise self.refused(f"printed no JSON for {' '.join(flags)}", why=why) from None
        return data

    def refused(self, what: str, *, why: str = "", hint: str = "") -> InputError:
        return InputError(what, Location(self.file), why=why, hint=hint)

    def run(self, flags: tuple[str, ...]) -> str:
        pipe = subprocess.PIPE
        try:
            process = subprocess.Popen(
                [self.path.resolve(), *flags],
                stdin=subprocess.DEVNULL, stdout=pipe, stderr=pipe, start_new_session=True,
            )  # fmt: skip
        except OSError as error:
            raise self.refused("cannot be run", why=str(error.strerror)) from None
        with process:
            try:
                left_s = max(0.0, self.ends_s - time.monotonic())
                out, err = process.communicate(timeout=left_s)
            except subprocess.TimeoutExpired:
                hint = f"run it by hand with {' '.join(flags)} and see where it hangs"
                what = f"gave no answer within {self.deadline_s:g} s"
                raise self.refused(what, hint=hint) from None
            finally:
                _end_group(process)
        if process.returncode:
            said = _excerpt(err.decode("utf-8", "replace"))
            raise self.refused(f"ended with status {process.returncode}", why=said)
        return out.decode("utf-8", "replace")


def _end_group(process: subprocess.Popen[bytes]) -> None:
    """End what the program started, too; its group lives while one member does."""
    try:
        os.killpg(process.pid, signal.SIGKILL)
    except (ProcessLookupError, PermissionError):
        return


def _excerpt(text: str) -> str:
    last = " | ".join(line.strip() for line in text.strip().splitlines()[-3:])
    return last[-300:] or "nothing"
