"""Signals while a run is on: first drain, then stop the remote steps, then leave at once.

The controls are safe in signal handlers; everything else here only counts.
"""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Callable
from types import FrameType, TracebackType
from typing import Any

from fleetctl.base.errors import ExitCode
from fleetctl.rollout.controls import Controls

DRAINING = "draining: nothing new starts; Ctrl-C again stops what runs on the hosts"
LEAVE_S = 0.3
_SHOW_CURSOR = "\x1b[?25h"
KILLING = "stopping what runs on the hosts; Ctrl-C again leaves at once"


class Interrupts:
    """Turns signals into wishes to the driver while it is entered; restores what was before."""

    def __init__(
        self,
        controls: Controls,
        by: str,
        farewell: Callable[[], str],
        tell: Callable[[str], None],
        leave: Callable[[int], None] = os._exit,
    ) -> None:
        """`farewell` says what is in flight, for who leaves at once by `leave`.

        The journal is given `LEAVE_S` to take note of it; a further Ctrl-C does not wait for that.

        `tell` shows a line; it is called in a signal's context and must take no lock.
        """
        self._controls = controls
        self._by = by
        self._farewell = farewell
        self._tell = tell
        self._leave = leave
        self._count = 0
        self._before: dict[int, Any] = {}

    def __enter__(self) -> Interrupts:
        for number in (signal.SIGTERM, signal.SIGHUP):
            self._before[number] = signal.signal(number, self._drain)
        self._before[signal.SIGALRM] = signal.signal(signal.SIGALRM, self._go)
        self._before[signal.SIGINT] = signal.signal(signal.SIGINT, self.interrupt)
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        signal.setitimer(signal.ITIMER_REAL, 0)
        for number, before in self._before.items():
            signal.signal(number, before)

    def interrupt(self, number: int = signal.SIGINT, frame: FrameType | None = None) -> None:
        """One Ctrl-C more."""
        self._count += 1
        if self._count == 1:
            self._controls.drain(self._by, "SIGINT")
            self._tell(DRAINING)
        elif self._count == 2:
            self._controls.kill(self._by, "SIGINT, the second")
            self._tell(KILLING)
        elif self._count == 3:
            self._controls.leave(self._by, "SIGINT, the third")
            tell_raw(self._farewell(), end="\n" + _SHOW_CURSOR)
            signal.setitimer(signal.ITIMER_REAL, LEAVE_S)
        else:
            self._go()

    def _go(self, number: int = signal.SIGALRM, frame: FrameType | None = None) -> None:
        self._leave(int(ExitCode.INTERRUPTED))

    def _drain(self, number: int, frame: FrameType | None) -> None:
        self._count = max(self._count, 1)
        self._controls.drain(self._by, signal.Signals(number).name)


def tell_raw(text: str, end: str = "\n") -> None:
    """Straight to the descriptor: no lock of the interrupted code is needed for it."""
    cursor = end if sys.stderr.isatty() else "\n"
    try:
        os.write(sys.stderr.fileno(), f"\r{text}{cursor}".encode())
    except (OSError, ValueError):
        return
