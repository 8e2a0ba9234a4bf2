"""Runs one command and writes down what it cost: wall time, CPU of its whole process tree, memory.

A program of its own, standard library only, so that the measured command has a small parent:

    python meter.py RESULT.json SECONDS [--memory] -- COMMAND...

CPU is user plus system time of every process the command started. What it leaves running (the
masters of shared ssh connections, say) is adopted, ended and counted, too. Memory is the peak of
the proportional set sizes (PSS) of the tree, sampled; reading it disturbs, so it is asked for in
rounds that are not timed.
"""

from __future__ import annotations

import contextlib
import ctypes
import json
import os
import resource
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

PR_SET_PDEATHSIG = 1
PR_SET_CHILD_SUBREAPER = 36
SAMPLE_S = 0.01
LINGER_S = 3.0


def adopt_orphans() -> None:
    """Make this process the parent of whatever its descendants leave behind (Linux)."""
    ctypes.CDLL(None, use_errno=True).prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)


def end_with_parent() -> None:
    """Have the kernel end this process when its parent is gone, killed outright say (Linux)."""
    ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGTERM, 0, 0, 0)


def children_of(pid: int) -> list[int]:
    """The direct children of a process, whichever of its threads started them."""
    found: list[int] = []
    for task in Path(f"/proc/{pid}/task").glob("*/children"):
        with contextlib.suppress(OSError):
            found.extend(int(word) for word in task.read_text().split())
    return found


def tree_of(pid: int) -> list[int]:
    """A process and all its descendants."""
    found = [pid]
    for known in found:
        found.extend(children_of(known))
    return found


def end_children(pid: int) -> None:
    """End every descendant of this very process `pid`: TERM, a moment, KILL; and wait for them."""
    deadline = time.monotonic() + LINGER_S
    while left := children_of(pid):
        word = signal.SIGTERM if time.monotonic() < deadline else signal.SIGKILL
        for child in left:
            with contextlib.suppress(ProcessLookupError):
                os.kill(child, word)
        with contextlib.suppress(ChildProcessError):
            while os.waitpid(-1, os.WNOHANG)[0]:
                pass
        time.sleep(0.01)


def pss_kb(pid: int) -> int:
    """Proportional set size of one process; 0 when it is gone."""
    with contextlib.suppress(OSError):
        for line in Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines():
            if line.startswith("Pss:"):
                return int(line.split()[1])
    return 0


class MemoryWatch:
    """Samples the memory of a tree until told to stop."""

    def __init__(self, pid: int) -> None:
        self.peak_kb = 0
        self._pid = pid
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._sample)
        self._thread.start()

    def _sample(self) -> None:
        while not self._over.wait(SAMPLE_S):
            self.peak_kb = max(self.peak_kb, sum(pss_kb(pid) for pid in tree_of(self._pid)))

    def stop(self) -> None:
        """End sampling."""
        self._over.set()
        self._thread.join()


def measure(command: list[str], limit_s: float, memory: bool) -> dict[str, float | int | None]:
    """Run `command` to its end, or kill it after `limit_s`; exit status None means killed."""
    adopt_orphans()
    began_s = time.monotonic()
    child = subprocess.Popen(command, stdin=subprocess.DEVNULL)
    watch = MemoryWatch(child.pid) if memory else None
    status: int | None
    try:
        status = child.wait(limit_s)
    except subprocess.TimeoutExpired:
        child.kill()
        child.wait()
        status = None
    wall_s = time.monotonic() - began_s
    if watch is not None:
        watch.stop()
    end_children(os.getpid())
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return {
        "status": status,
        "wall_s": wall_s,
        "cpu_s": used.ru_utime + used.ru_stime,
        "largest_mb": used.ru_maxrss / 1024,
        "pss_mb": watch.peak_kb / 1024 if watch is not None else None,
    }


if __name__ == "__main__":
    marker = sys.argv.index("--")
    target, seconds, *flags = sys.argv[1:marker]
    outcome = measure(sys.argv[marker + 1 :], float(seconds), "--memory" in flags)
    Path(target).write_text(json.dumps(outcome), encoding="utf-8")
