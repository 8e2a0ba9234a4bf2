"""The order race: however `hibernate` meets a wake, a start and a task, no work is lost and no task
is killed.

A daemon was woken for work. It gets ready, looks (takes what there is and says so, or says that it
is idle), and finishes; when it has been sent INT it exits at its next look or with its task. More
work is committed and told of, the order comes, time goes by: all interleavings, on the real core.
"""

from __future__ import annotations

from itertools import count

from tests.pools.overseer.test_endings import hibernate
from tests.pools.overseer.test_napping import orders_of
from tests.pools.overseer.world import BUSY, IDLE, READY, World

DAEMON = ("ready", "look", "done")
PRODUCER = ("commit", "notify")
OPERATOR = ("order",)
OVERSEER = ("act", "late")


class Race:
    """One daemon after the other in one slot, one producer, one operator, one overseer."""

    def __init__(self) -> None:
        self.world = World()
        self.pool = self.world.add(at_start="asleep")
        self.slot = self.pool.slot(0)
        self.committed, self.taken, self.finished = 1, 0, 0
        self.world.attention(self.pool)
        self.killed = False
        self._begin()

    def _begin(self) -> None:
        """A process is there."""
        self.pid = self.world.processes[self.slot]
        self.said: list[dict[str, str]] = []
        self.alive, self.exits, self.holds = True, False, False
        self.notices: list[int] = []
        self.heard = len(self.world.strikes)

    @property
    def _asked_to_end(self) -> bool:
        return len(self.world.strikes) > self.heard

    # -- the daemon
    def ready(self) -> None:
        self.said.append(READY)

    def look(self) -> None:
        if not self.alive or self.holds:
            return
        if self._asked_to_end:
            self._leave()
        elif self.committed > self.taken:
            self.taken, self.holds = self.committed, True
            self.said.append(BUSY)
        else:
            self.said.append(IDLE)

    def done(self) -> None:
        if self.alive and self.holds:
            self.finished, self.holds = self.taken, False
            if self._asked_to_end:
                self._leave()
            else:
                self.said.append(IDLE)

    def _leave(self) -> None:
        self.alive, self.exits = False, True

    # -- the others
    def commit(self) -> None:
        self.committed += 1

    def notify(self) -> None:
        self.notices.append(self.committed)

    def order(self) -> None:
        hibernate(self.world, self.pool)

    def act(self) -> None:
        said, self.said = self.said, []
        self.world.told(self.slot, *said)
        notices, self.notices = self.notices, []
        for _ in notices:
            self.world.attention(self.pool)
        if self.exits:
            self.exits = False
            self.world.exited(self.slot)
        if self.world.processes.get(self.slot, self.pid) != self.pid:
            self._begin()

    def late(self) -> None:
        self.act()
        self.world.pass_s(40)
        if self.alive and {15, 9} & {signal for *_, signal in self.world.strikes[self.heard :]}:
            self.killed = self.killed or self.holds
            self.alive, self.exits, self.holds = False, True, False
        self.act()

    def finish(self) -> bool:
        """Let everybody go on to the end; whether all work was done."""
        for _ in range(4):
            for step in ("act", "ready", "look", "act", "done", "act"):
                getattr(self, step)()
        return self.finished == self.committed


def test_hibernate_loses_no_work_and_kills_no_task() -> None:
    """In every order of a start, a look, a task, more work, time and the operator's word."""
    lines, played = (DAEMON, PRODUCER, OPERATOR, OVERSEER), count()
    for order in orders_of(*lines):
        next(played)
        race, at, told = Race(), [0] * len(lines), []
        for number in order:
            told.append(lines[number][at[number]])
            getattr(race, told[-1])()
            at[number] += 1
        assert race.finish(), told
        assert not race.killed, told
    assert next(played) == 1680
