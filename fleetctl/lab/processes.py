"""Finding and ending the processes of a lab, by the mark each carries in its environment."""

from __future__ import annotations

import contextlib
import os
import signal
import time
from collections.abc import Iterator
from pathlib import Path

from fleetctl.lab.layout import MARK

_KILL_ROUNDS = 200
_ROUND_PAUSE_S = 0.02


def find_marked(lab_id: str, host: str | None = None) -> dict[int, str]:
    """Process ids of the lab (of one `host`; its keeper is host ``) and the host each is on."""
    found: dict[int, str] = {}
    for pid in _all_pids():
        of_host = _host_in(pid, lab_id)
        if of_host is not None and host in (None, of_host):
            found[pid] = of_host
    return found


def _all_pids() -> Iterator[int]:
    own = os.getpid()
    for entry in os.scandir("/proc"):
        if entry.name.isdigit() and int(entry.name) != own:
            yield int(entry.name)


def _host_in(pid: int, lab_id: str) -> str | None:
    """The host a process says it is on; None when it is not of this lab (or is gone)."""
    try:
        environ = Path(f"/proc/{pid}/environ").read_bytes()
    except OSError:
        return None
    _, mark, rest = (b"\0" + environ).partition(f"\0{MARK}={lab_id}/".encode())
    return rest.partition(b"\0")[0].decode(errors="replace") if mark else None


def find_children(pid: int) -> set[int]:
    """Processes whose parent is `pid`."""
    return {other for other in _all_pids() if _parent_of(other) == pid}


def program_of(pid: int) -> str:
    """The name of the program a process runs; empty when it is gone."""
    try:
        return Path(f"/proc/{pid}/comm").read_text().strip()
    except OSError:
        return ""


def find_sshds(folder: str) -> set[int]:
    """sshd listeners whose configuration lies below `folder`, and all processes below them.

    sshd writes its title over its environment, so that the mark cannot be read there.
    """
    title = f"{folder}/hosts/".encode()
    listeners = {pid for pid in _all_pids() if _is_sshd_of(pid, title)}
    return listeners.union(*(find_descendants(pid) for pid in listeners))


def _is_sshd_of(pid: int, title: bytes) -> bool:
    try:
        line = Path(f"/proc/{pid}/cmdline").read_bytes()
    except OSError:
        return False
    return line.startswith((b"sshd", b"/")) and b"sshd" in line and title in line


def find_descendants(pid: int) -> set[int]:
    """Children of `pid`, their children and so on."""
    children: dict[int, list[int]] = {}
    for other in _all_pids():
        children.setdefault(_parent_of(other), []).append(other)
    found: set[int] = set()
    rest = [pid]
    while rest:
        rest.extend(new := [child for child in children.get(rest.pop(), ()) if child not in found])
        found.update(new)
    return found


def _parent_of(pid: int) -> int:
    """0 for a process that is gone or a zombie (nothing left to end)."""
    try:
        stat = Path(f"/proc/{pid}/stat").read_bytes()
    except OSError:
        return 0
    state, parent = stat.rpartition(b")")[2].split()[:2]
    return 0 if state == b"Z" else int(parent)


def kill_marked(lab_id: str) -> int:
    """KILL every process of the lab until none is left; returns how many were there at first."""
    first = -1
    for _ in range(_KILL_ROUNDS):
        found = set(find_marked(lab_id))
        first = len(found) if first < 0 else first
        if not found:
            break
        kill(found)
        time.sleep(_ROUND_PAUSE_S)
    return first


def kill(pids: set[int], signum: signal.Signals = signal.SIGKILL) -> None:
    """Send a signal to processes that may be gone already."""
    for pid in pids:
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.kill(pid, signum)
