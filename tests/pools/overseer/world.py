"""A host of the mind: the real core, a clock that is turned by hand, processes that obey."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from fleetctl.pools.overseer import keeping, lives, orders, restoring, standing, ticks
from fleetctl.pools.overseer.book import Book
from fleetctl.pools.overseer.core import SPAWN, Core
from fleetctl.pools.overseer.eventlog import encode
from fleetctl.pools.overseer.exits import Ended
from fleetctl.pools.overseer.kinds import Kind
from fleetctl.pools.overseer.pools import GONE, Pool, Slot

NAP = {"X_FLEETCTL_HIBERNATE_USEC": "0"}
BUSY = {"X_FLEETCTL_STATE": "busy"}
IDLE = {"X_FLEETCTL_STATE": "idle"}
DOWN = {"X_FLEETCTL_SCALE_DOWN": "1"}
READY = {"READY": "1"}
BEAT = {"WATCHDOG": "1"}


class World:
    """One core and the processes it started; commands are carried out at once, unless held."""

    def __init__(self, tokens: int = 4) -> None:
        self.now = 1000.0
        self.core = Core(lambda: 0.5, tokens)
        self.processes: dict[Slot, int] = {}
        self.strikes: list[tuple[str, int, int]] = []
        self.starts: list[tuple[float, str]] = []
        self.log: list[dict[str, Any]] = []
        self.absent: set[str] = set()
        """Kinds whose program does not exist."""
        self._pids = 100
        self._tokens = tokens

    def add(self, name: str = "acme/task", **given: Any) -> Pool:
        """A pool of its own kind, beside those that are there."""
        wanted = {pool.name: pool.kind for pool in self.core.book.pools.values()}
        kind = Kind(name.partition("/")[2], {"command": ("daemon",), **given})
        self.configure({**wanted, name: kind})
        return self.core.book.pools[name]

    def configure(self, wanted: Mapping[str, Kind]) -> dict[str, int]:
        """Give the core other specs."""
        done = orders.configure(self.core, wanted, self.now)
        self.settle()
        return done

    def settle(self) -> None:
        """Start what may start, and carry out what was ordered."""
        for _ in range(100):
            self.core.pump(self.now)
            orders_now, self.core.commands[:] = list(self.core.commands), []
            self.log += self.core.records
            self.core.records.clear()
            if not orders_now:
                return
            for command in orders_now:
                self._obey(*command)

    def _obey(self, what: str, slot: Slot, *more: Any) -> None:
        """Do what the core asks for."""
        if what != SPAWN:
            self.strikes.append((slot.pool.name, slot.number, more[0]))
            return
        if slot.pool.kind.name in self.absent:
            self.core.cannot_spawn(slot, "no such program", self.now)
            return
        self._pids += 1
        assert slot not in self.processes, "two processes in one slot"
        self.processes[slot] = self._pids
        self.starts.append((self.now, slot.pool.name))
        self.core.spawned(slot, self._pids, 7, self.now)

    def told(self, slot: Slot, *messages: Mapping[str, str]) -> None:
        """The process of a slot says something."""
        for message in messages:
            lives.told(self.core, slot, message, self.now)
        self.settle()

    def exited(self, slot: Slot, code: int | None = 0, signal: int | None = None) -> None:
        """The process of a slot ends."""
        del self.processes[slot]
        ended = Ended(None, signal) if signal is not None else Ended(code)
        self.core.exited(slot, ended, self.now)
        self.settle()

    def attention(self, pool: Pool, seq: int = 0) -> None:
        """Somebody says there is work."""
        lives.attention(self.core, pool, self.now, seq=seq)
        self.settle()

    def counted(self, pool: Pool, claimable: int) -> None:
        """Somebody counted the queue."""
        lives.counted(self.core, pool, self.now, claimable)
        self.settle()

    def pass_s(self, seconds: float, step_s: float = 1.0) -> None:
        """Let time go by, a tick each second, whatever is due in between at its time."""
        end = self.now + seconds
        while self.now < end:
            following = min(end, self.now + step_s, max(self.core.next_due(), self.now + 1e-6))
            self.now = following
            self.core.fire(self.now)
            ticks.tick(self.core, self.now)
            self.settle()

    def succeeded(
        self, *, anew: bool, boot: str = "b", more: Mapping[str, Kind] | None = None
    ) -> None:
        """Another overseer takes over, by the log as it is or by one begun `anew`.

        `boot`: "b" is that of the log; with another one no process is left. `more`: pools that
        specs of now name beside those that are there.
        """
        book, before = self.core.book, self.core
        records: list[Any] = list(self.log)
        if anew:
            errors = book.errors
            made = [keeping.kept(p, errors.get(n, []), self.now) for n, p in book.pools.items()]
            whole = [*standing.kept(book, self.now), *made]
            records = [json.loads(encode(record, 5e5)) for record in whole if record]
        places = {(slot.pool.name, slot.number): pid for slot, pid in self.processes.items()}
        self.core = Core(lambda: 0.5, self._tokens)
        self.core.fits = before.fits
        named = {name: p.kind for name, p in book.pools.items() if p.intent != GONE}
        wanted = named | dict(more or {})
        restoring.restore(
            self.core, wanted, iter([{"boot": "b"}, *records]), boot, self.now, self.now + 5e5
        )
        self.log = records
        pools = self.core.book.pools
        if boot != "b":
            places = {}
        self.processes = {pools[name].slot(n): pid for (name, n), pid in places.items()}
        restoring.take_up(self.core, "/nowhere", lambda slot: slot in self.processes, self.now)
        self.settle()

    def replayed(self) -> Book:
        """What the log alone says, told to pools as they were in the beginning."""
        book = Book()
        for name, pool in self.core.book.pools.items():
            book.pools[name] = Pool(name, pool.kind)
        for record in self.log:
            book.apply(record)
        return book


def working(world: World, pool: Pool, number: int = 0, *, busy: bool = False) -> Slot:
    """The slot of a pool, brought to idle or busy."""
    slot = pool.slot(number)
    world.told(slot, READY, *([BUSY] if busy else []))
    assert slot.state == ("busy" if busy else "idle")
    return slot
