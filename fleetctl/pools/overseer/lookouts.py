"""Programs that look where work appears, and tell: apart, so that the overseer stays small.

A lookout runs all the time and prints a line for every pool that has work, `instance/kind [seq
[claimable]]`, and a line with a full stop when it has looked everywhere once, or with an equals
sign when nothing can have changed since. Ours for SQLite is
`lookat`; for other databases it is a few lines around their own client. One that ends is started
anew, later each time.
"""

from __future__ import annotations

import os
import sys

from fleetctl.pools.overseer import failures, patrol, processes
from fleetctl.pools.overseer.patrol import Patrol

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import NamedTuple

    from fleetctl.pools.overseer.specs import Attention

    class Notice(NamedTuple):
        """One line of a lookout."""

        source: str
        pool: str
        """Empty at the end of a look."""
        seq: int
        claimable: int | None
        """At the end of a look: None when it was none, because nothing has changed."""
else:
    from collections import namedtuple

    Notice = namedtuple("Notice", "source pool seq claimable")

LINE_MOST = 1 << 16
SILENT_MOST_S = 30.0
"""A lookout that has not finished a look for so long (or ten times its interval) is ended."""


class Lookout:
    """One source of attention and the program that watches it."""

    def __init__(self, attention: Attention, now: float = 0.0) -> None:
        self.attention = attention
        self.pid = 0
        self.pidfd = -1
        self.pipe = -1
        self.failures = 0
        self.told = False
        """It has looked everywhere since it was started."""
        self.looked_at = 0.0
        """When its last look ended, or when it was started."""
        self.saw_at = now
        """When a look of it last ended; at first, since when it is wanted."""
        self.patrol = Patrol()
        self.start_at = 0.0
        self._rest = b""

    @property
    def command(self) -> tuple[str, ...]:
        """What is started."""
        wanted = self.attention
        if wanted.command:
            return wanted.command
        home = os.path.dirname(__file__).rpartition("/fleetctl/pools/overseer")[0]  # noqa: PTH120
        run = f"import sys; sys.path.insert(0, {home!r})\n" + (
            "from fleetctl.pools.overseer.lookat import main; main(*sys.argv[1:])"
        )
        words = (wanted.sqlite, wanted.query, str(wanted.every_s))
        return (sys.executable, "-I", "-S", "-c", run, *words)

    def watches(self, wanted: Attention) -> bool:
        """Whether this is what the specs want still."""
        now = self.attention
        return (now.command, now.sqlite, now.query, now.every_s) == (
            *(wanted.command, wanted.sqlite, wanted.query),
            wanted.every_s,
        )

    def start(self, env: Mapping[str, str], log: str, now: float) -> bool:
        """Start the program; False when it cannot be, and then it is tried again later."""
        mine, its = os.pipe2(os.O_NONBLOCK | os.O_CLOEXEC)
        os.set_blocking(its, True)
        try:
            self.pid = processes.spawn(self.command, env, log, "", fds=(its,), stdout=3)
            self.pidfd = os.pidfd_open(self.pid)
        except OSError:
            os.close(mine)
            self.pid = 0
            self._later(now)
            return False
        finally:
            os.close(its)
        self.pipe, self._rest, self.looked_at, self.told = mine, b"", now, False
        return True

    def read(self, now: float) -> list[Notice]:
        """What it has said since; ends it when it has closed its output or talks nonsense."""
        notices: list[Notice] = []
        while self.pipe >= 0:
            try:
                data = os.read(self.pipe, LINE_MOST)
            except BlockingIOError:
                return notices
            *lines, self._rest = (self._rest + data).split(b"\n")
            for line in lines:
                notice = self._notice(line)
                if notice is not None:
                    notices.append(notice)
                if line in (b".", b"="):
                    self.looked_at = self.saw_at = now
                    self.failures, self.told = 0, True
            if not data or len(self._rest) > LINE_MOST:
                self.end(now)
        return notices

    def _notice(self, line: bytes) -> Notice | None:
        """A line as a notice; None for what is none."""
        words = line.decode("utf-8", "replace").split()
        if words in (["."], ["="]):
            return Notice(self.attention.name, "", 0, 0 if words == ["."] else None)
        numbers = [int(w) for w in words[1:3] if w.isascii() and w.isdigit() and len(w) < 20]
        if not words or len(numbers) != len(words) - 1:
            return None
        seq, claimable = (*numbers, 0)[0], numbers[1] if len(numbers) > 1 else None
        return Notice(self.attention.name, words[0], seq, claimable)

    @property
    def believed(self) -> bool:
        """What it counted last is what there is."""
        return self.told and self.pipe >= 0 and not self.failures

    def blind(self, now: float) -> bool:
        """It has not finished a look for so long that its pools must look for themselves."""
        return patrol.blind(self.saw_at, self.attention.every_s, now)

    def silent(self, now: float) -> bool:
        """It runs and has not finished a look for too long."""
        most_s = max(SILENT_MOST_S, 10 * self.attention.every_s)
        return self.pipe >= 0 and self.looked_at + most_s < now

    def end(self, now: float) -> None:
        """Let go of it; it is started anew after a rest."""
        if self.pid:
            processes.strike_group(self.pid, 9)
            processes.ended(self.pid, self.pidfd, block=True)
            os.close(self.pidfd)
            os.close(self.pipe)
        self.pid, self.pidfd, self.pipe = 0, -1, -1
        self._later(now)

    def _later(self, now: float) -> None:
        """Rest, longer with each failure in a row."""
        self.failures += 1
        self.start_at = now + failures.delay_s(self.failures, 0.5)
