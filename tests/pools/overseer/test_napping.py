"""The napping race: in every order things can happen, no work is left to a sleeper that missed it.

A producer commits work, then lets the overseer know. A daemon announces its nap, looks once more,
and exits (or looks, announces up to where it looked, and exits). The overseer reads what others
say, then reads all that daemons have said by now, then acts: on the daemons first. All
interleavings of these steps are played on the real core.
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import count

import pytest

from fleetctl.pools.overseer import lives
from tests.pools.overseer.world import NAP, READY, World

Step = str


def orders_of(*lines: tuple[Step, ...]) -> Iterator[list[int]]:
    """Every merge of some sequences, as the numbers of the lines in turn."""
    left = [len(line) for line in lines]

    def go(left: list[int]) -> Iterator[list[int]]:
        if not any(left):
            yield []
        for number, more in enumerate(left):
            if more:
                rest = [*left]
                rest[number] -= 1
                for tail in go(rest):
                    yield [number, *tail]

    return go(left)


class Race:
    """One daemon, one producer, one overseer."""

    def __init__(self, *, cursor: bool, number: bool, notice_first: bool = False) -> None:
        self.world = World()
        self.pool = self.world.add(at_start="run")
        self.slot = self.pool.slot(0)
        self.world.told(self.slot, READY)
        self.cursor, self.number = cursor, number
        self.notice_first = notice_first
        """The mistake this guards against: act on notices before what daemons said earlier."""
        self.committed = 0
        self.seen_by_daemon = 0
        self.said: list[dict[str, str]] = []
        self.notices: list[int] = []
        self.held: list[int] = []
        self.exits = False
        self.exited = False
        self.stays = False

    # -- the daemon
    def announce(self) -> None:
        more = {"X_FLEETCTL_SEEN": str(self.seen_by_daemon)} if self.cursor else {}
        if not self.stays:
            self.said.append({**NAP, **more})

    def look(self) -> None:
        self.seen_by_daemon = self.committed
        if self.committed:
            self.stays = True
            self.said.append({"X_FLEETCTL_STATE": "busy"})

    def leave(self) -> None:
        self.exits = not self.stays

    # -- the producer
    def commit(self) -> None:
        self.committed += 1

    def notify(self) -> None:
        self.notices.append(self.committed)

    # -- the overseer
    def read_notices(self) -> None:
        self.held, self.notices = self.notices, []

    def act(self) -> None:
        if self.notice_first:
            self._heed()
        said, self.said = self.said, []
        self.world.told(self.slot, *said)
        self._heed()
        if self.exits and not self.exited:
            self.exited = True
            self.world.exited(self.slot)

    def _heed(self) -> None:
        for seq in self.held:
            lives.attention(
                self.world.core, self.pool, self.world.now, seq=seq if self.number else 0
            )
        self.held = []
        self.world.settle()

    def finish(self) -> bool:
        """Let everything be read; whether the work has somebody who saw or will see it."""
        for _ in range(3):
            self.read_notices()
            self.act()
        return self.stays or self.slot.state in ("starting", "idle", "busy")


ANNOUNCE_THEN_LOOK = ("announce", "look", "leave")
LOOK_THEN_ANNOUNCE = ("look", "announce", "leave")
PRODUCER = ("commit", "notify")
OVERSEER = ("read_notices", "act") * 2


def play(daemon: tuple[Step, ...], *, overseer: tuple[Step, ...] = OVERSEER, **how: bool) -> int:
    """How many interleavings lost the work, of all there are."""
    lines, played, lost = (daemon, PRODUCER, overseer), count(), 0
    for order in orders_of(*lines):
        next(played)
        race, at = Race(**how), [0, 0, 0]
        for number in order:
            getattr(race, lines[number][at[number]])()
            at[number] += 1
        lost += not race.finish()
    assert next(played) == 1260
    return lost


@pytest.mark.parametrize("number", [False, True], ids=["hint", "numbered"])
def test_announcing_and_then_looking_loses_nothing(number: bool) -> None:
    """The order a daemon is told to keep needs no cursor, whatever source the wake comes from."""
    assert play(ANNOUNCE_THEN_LOOK, cursor=False, number=number) == 0


@pytest.mark.parametrize("number", [False, True], ids=["hint", "numbered"])
def test_telling_up_to_where_one_looked_loses_nothing(number: bool) -> None:
    """A daemon that looks first and names its cursor is started again for what came after it."""
    assert play(LOOK_THEN_ANNOUNCE, cursor=True, number=number) == 0


def test_the_race_is_there() -> None:
    """The play can tell: looking first without a cursor does lose work, and so does acting on
    notices before what daemons had said by then."""
    assert play(LOOK_THEN_ANNOUNCE, cursor=False, number=False) > 0
    assert play(ANNOUNCE_THEN_LOOK, cursor=False, number=False, notice_first=True) > 0
