"""Bringing a lab up and down: what `fleetctl lab` and the tests call."""

from __future__ import annotations

import contextlib
import errno
import fnmatch
import importlib.util
import os
import select
import shutil
import subprocess
import sys
import time
from pathlib import Path

from fleetctl.base.errors import FleetError, LockHeld, Refused, UsageError
from fleetctl.base.hostrange import expand
from fleetctl.base.names import did_you_mean
from fleetctl.inventory.model import Fleet
from fleetctl.lab.control import Answer, Describe, NotRunning, Stop, ask
from fleetctl.lab.layout import (
    MARK,
    LabHost,
    LabState,
    Layout,
    ServerKind,
    read_state,
    require_state,
)
from fleetctl.lab.openssh import find_sshd
from fleetctl.lab.prepare import LabRequest, prepare
from fleetctl.lab.processes import find_marked, find_sshds, kill, kill_marked
from fleetctl.lab.shortcut import remove_shortcut

_START_TIMEOUT_S = 60.0
_STOP_TIMEOUT_S = 10.0
_STOP_PAUSE_S = 0.02
_STARTS_MAX = 3
"""Of two labs that start at once and choose the same addresses one tries again."""


def up(layout: Layout, fleet: Fleet, request: LabRequest) -> LabState:
    """Write the lab's files and start its keeper; returns when every host answers.

    Raises LockHeld when this lab is up already, Refused when something it needs is missing.
    """
    _check_machine(request.server)
    before = read_state(layout)
    if before is not None and find_marked(before.id, ""):
        raise LockHeld(
            f"the lab in {os.path.relpath(layout.folder)} is up already",
            hint="end it with `fleetctl lab down`, or choose another folder with --dir",
        )
    if before is not None:
        kill(find_sshds(str(layout.folder)))
        kill_marked(before.id)
    for _ in range(_STARTS_MAX - 1):
        state = prepare(layout, fleet, request, before)
        with contextlib.suppress(_Taken):
            _start_keeper(layout, state)
            return state
    state = prepare(layout, fleet, request, before)
    _start_keeper(layout, state)
    return state


class _Taken(FleetError):
    """Another lab took the same addresses between our look and our keeper's start."""


def _check_machine(server: ServerKind) -> None:
    if not sys.platform.startswith("linux"):
        raise Refused(
            "the lab needs Linux",
            why="only there is all of 127.0.0.0/8 this machine, and /proc tells its processes",
        )
    if server == "openssh" and find_sshd() is None:
        raise Refused(
            "there is no sshd on this machine",
            hint="install it (Debian: apt install openssh-server), or use --server embedded",
        )
    if server == "embedded" and importlib.util.find_spec("asyncssh") is None:
        raise Refused(
            "the embedded SSH servers need asyncssh, which is not installed",
            hint="install it with `pip install 'fleetctl[lab]'`, or use --server openssh",
        )


def _start_keeper(layout: Layout, state: LabState) -> None:
    ready, theirs = os.pipe()
    try:
        with layout.log.open("ab") as log:
            keeper = subprocess.Popen(
                [sys.executable, "-m", "fleetctl.lab.keeper", str(layout.folder), str(theirs)],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                pass_fds=(theirs,),
                start_new_session=True,
                cwd=layout.folder,
                env={**os.environ, MARK: f"{state.id}/", "PYTHONPATH": _import_path()},
            )
    finally:
        os.close(theirs)
    word = b""
    try:
        word = _read_word(ready)
    finally:
        os.close(ready)
        if word != b"+":  # also when we are interrupted while it starts
            keeper.kill()
            keeper.wait()
            kill_marked(state.id)
    if word != b"+":
        why = _why(word, layout)
        kind = _Taken if os.strerror(errno.EADDRINUSE) in why else FleetError
        raise kind("the lab did not start", why=why, hint=f"see {layout.log}")
    layout.pid.write_text(f"{keeper.pid}\n")
    keeper.returncode = 0  # it is on its own now; nobody is to wait for it


def _import_path() -> str:
    """The keeper imports what we imported, also where fleetctl is not installed."""
    package = str(Path(__file__).resolve().parents[2])
    return os.pathsep.join([package, *filter(None, [os.environ.get("PYTHONPATH")])])


def _read_word(pipe: int) -> bytes:
    """`+` when it is up, `-WHY` when it says why not, nothing when it died or is too slow."""
    readable, _, _ = select.select([pipe], [], [], _START_TIMEOUT_S)
    return os.read(pipe, 4096) if readable else b""


def _why(word: bytes, layout: Layout) -> str:
    if word.startswith(b"-"):
        return word[1:].decode(errors="replace")
    lines = layout.log.read_text(errors="replace").strip().splitlines()
    return lines[-1] if lines else "it ended without a word"


def down(layout: Layout, wipe: bool = False) -> int:
    """End the keeper and every process of every host; returns how many processes there were.

    Works also when the keeper was killed. With `wipe` the folder goes too.
    """
    state = require_state(layout)
    found = len(find_marked(state.id))
    with contextlib.suppress(NotRunning):
        ask(layout, Stop())
        _await_end(state.id)
    kill(find_sshds(str(layout.folder)))
    kill_marked(state.id)
    for stale in (layout.control, layout.pid):
        stale.unlink(missing_ok=True)
    remove_shortcut(layout, state.id)
    if wipe:
        shutil.rmtree(layout.folder)
    return found


def _await_end(lab_id: str) -> None:
    deadline = time.monotonic() + _STOP_TIMEOUT_S
    while find_marked(lab_id) and time.monotonic() < deadline:
        time.sleep(_STOP_PAUSE_S)


def describe(layout: Layout) -> tuple[LabState, Answer]:
    """The lab and what its keeper says; raises NotRunning, or UsageError when there is no lab."""
    return require_state(layout), ask(layout, Describe())


def pick_one(layout: Layout, name: str) -> tuple[LabState, LabHost]:
    """The running lab and its host of this name; raises UsageError."""
    state, _ = describe(layout)
    host = state.host(name)
    if host is None:
        known = [other.name for other in state.hosts]
        raise UsageError(f'no lab host is "{name}"', hint=did_you_mean(name, known))
    return state, host


def pick_hosts(state: LabState, word: str) -> tuple[str, ...]:
    """Lab hosts named by a name, glob or range; raises UsageError when there are none."""
    names = [host.name for host in state.hosts]
    try:
        patterns = list(expand(word)) if "[" in word else [word]
    except ValueError as error:
        raise UsageError(str(error)) from None
    for pattern in patterns:
        if not fnmatch.filter(names, pattern):
            raise UsageError(f'no lab host is "{pattern}"', hint=did_you_mean(pattern, names))
    return tuple(n for n in names if any(fnmatch.fnmatchcase(n, p) for p in patterns))
