"""The overseer's loop: hear, think, write down, do; one turn after the other, never standing still.

A turn reads notices of work first, then drains what daemons have said, then acts on what daemons
said, then on the notices, then on ended processes: the order on which "no wake is lost" rests
(`notify`, and the test that plays the race).
"""

from __future__ import annotations

import os
import random
import resource
import select
import time

from fleetctl.pools.overseer import (
    births,
    eventlog,
    keeping,
    lives,
    memory,
    notify,
    processes,
    programs,
    restoring,
    specs,
    spool,
    standing,
    ticks,
    zygotes,
)
from fleetctl.pools.overseer.children import Children
from fleetctl.pools.overseer.control import Control
from fleetctl.pools.overseer.core import SPAWN, Core
from fleetctl.pools.overseer.endings import ABRT
from fleetctl.pools.overseer.hints import UnknownHints
from fleetctl.pools.overseer.histogram import Histogram
from fleetctl.pools.overseer.listeners import Listeners
from fleetctl.pools.overseer.lookouts import Lookout
from fleetctl.pools.overseer.poison import Poison

TYPE_CHECKING = False
if TYPE_CHECKING:
    import socket
    from typing import Any

    from fleetctl.pools.overseer.lookouts import Notice

TICK_S = 1.0
HEARD_MOST = 5000
"""Messages heard in one turn; with more, whatever depends on having heard all is put off."""
LOGS_LOOKED_AT_S = 10.0
CROWD = 200
"""Messages a second from which on several are heard in one turn, PACE_S apart."""
PACE_S = 0.02


class Overseer:
    """Everything one overseer holds."""

    def __init__(self, home: str, specs_folder: str, *, reserve: float = memory.RESERVE) -> None:
        self.home = home
        self.specs_folder = specs_folder
        self.laid = ""
        """What the folder of specs was a link to when it was read; empty: a plain folder."""
        self.reserve = reserve
        self.epoll = select.epoll()
        self.core = Core(random.random, 2 * (os.cpu_count() or 1))
        boot = processes.read_text("/proc/sys/kernel/random/boot_id").strip()
        self.log = eventlog.EventLog(f"{home}/events.jsonl", boot)
        self.lookouts: dict[str, Lookout] = {}
        self.spool = spool.Spool(f"{home}/wake", f"{home}/wake.taken")
        self.latency = Histogram()
        self.memory = memory.look()
        self.ended = False
        """The loop is to end: with no daemon left, or leaving them to a successor."""
        self.lag_s = 0.0
        self.refused = 0
        """Messages of strangers."""
        self.unknown_hints = UnknownHints()
        self.notify: socket.socket
        self.control: Control
        self._held: list[Notice] = []
        self._named: dict[str, set[str]] = {}
        """By source: pools it has counted since it last had looked everywhere."""
        self._heard = 0
        """Messages since the last tick."""
        self._crowded = False
        self._asked = False
        """Somebody was at the control socket in the last turn, and should not be kept."""
        self._next_tick = 0.0
        self._logs_at = 0.0
        self.children = Children(home, self.epoll)
        self.poison = Poison()
        self.programs = programs.Programs()
        self.listeners = Listeners(self.epoll, resource.getrlimit(resource.RLIMIT_NOFILE)[1])
        self.zygotes = zygotes.Zygotes(home, self.epoll, self.children.env)

    # -- beginning -------------------------------------------------------------------------

    def open(self, inherited: socket.socket | None = None) -> dict[str, int]:
        """Read specs and log, take up what runs, and be ready for the first turn."""
        for folder in (
            self.home,
            f"{self.home}/logs",
            f"{self.home}/wake",
            f"{self.home}/wake.taken",
        ):
            os.makedirs(folder, 0o700, exist_ok=True)  # noqa: PTH103
        found = self._read_specs()
        now = time.monotonic()
        known, boot = restoring.read(self.log.path), self.log.boot
        restoring.restore(self.core, found.pools, known, boot, now, time.time())
        self.log.open()
        self._start_anew(now)
        self.notify = inherited or notify.listen(f"{self.home}/notify.sock")
        self.epoll.register(self.notify.fileno(), select.EPOLLIN)
        done = restoring.take_up(self.core, self.home, self.children.adopt, now)
        self._attend_to(found.attention, now)
        handed = f"{self.home}/sockets.handed"
        if inherited:
            self.listeners.take_over(handed)
        self._provide(now)
        self.flush(now)
        return done

    def serve(self, answer: Any, inherited: socket.socket | None = None) -> None:
        """Open the control socket."""
        path = f"{self.home}/control.sock"
        self.control = Control(path, self.epoll, answer, inherited)

    def _start_anew(self, now: float) -> None:
        """The log begins with what is known now: a host's restart or many pools make it new."""
        kept = (
            keeping.kept(pool, self.core.book.errors.get(pool.name, []), now)
            for pool in self.core.book.pools.values()
        )
        whole = standing.kept(self.core.book, now)
        self.log.begin_anew([*whole, *(one for one in kept if one)], time.time() - now)

    def reload(self, now: float) -> dict[str, int]:
        """Read the specs anew; raises SpecError with nothing changed."""
        from fleetctl.pools.overseer import orders

        found = self._read_specs()
        done = orders.configure(self.core, found.pools, now)
        self._attend_to(found.attention, now)
        self._provide(now)
        return done

    def _provide(self, now: float) -> None:
        """Have what starts need that was read from the specs: zygotes, sockets."""
        pools = self.core.book.pools
        self.zygotes.want({pool.kind for pool in pools.values()})
        self.zygotes.tend(now)
        self.listeners.want(pools)
        self.programs.want((pool.name, pool.kind) for pool in pools.values())

    def _read_specs(self) -> specs.Specs:
        """The specs as they are now; raises SpecError."""
        try:
            laid = os.readlink(self.specs_folder)  # noqa: PTH115
        except OSError:
            laid = ""
        found = specs.read(self.specs_folder)
        self.laid = laid
        return found

    def _attend_to(self, attention: dict[str, specs.Attention], now: float) -> None:
        """Watch these sources; those that are as they were are left alone."""
        for name, lookout in list(self.lookouts.items()):
            wanted = attention.get(name)
            if wanted is None or not lookout.watches(wanted):
                self._end_lookout(lookout, now)
                del self.lookouts[name]
        for name, wanted in attention.items():
            if name not in self.lookouts:
                self.lookouts[name] = Lookout(wanted, now)

    # -- a turn ----------------------------------------------------------------------------

    def turn(self) -> None:
        """Sleep until something happens or is due, and see to it."""
        if self._crowded and not self._asked:
            time.sleep(PACE_S)
        now = time.monotonic()
        due = min(self.core.next_due(), self._next_tick)
        patience_s = 0.0 if self.spool.stirred else max(0.0, due - now)
        happened = {fd for fd, _ in self.epoll.poll(patience_s)}
        now = time.monotonic()
        self.lag_s = max(0.0, now - due) if not happened else 0.0
        self._read_notices(happened, now)
        if self._hear(now):
            self._heed(now)
            for slot, end in self.children.ended(happened):
                self.core.exited(slot, end, now)
        for asked in self.zygotes.read(happened, now):
            births.forked(self, asked, now)
        for name in self.listeners.heard(happened):
            lives.attention(self.core, self.core.book.pools[name], now)
        asking = [fd for fd in happened if self.control.owns(fd)]
        self._asked = bool(asking)
        for fd in asking:
            self.control.attend(fd)
        self.core.fire(now)
        if now >= self._next_tick:
            self._tick(now)
        self.flush(now)

    def _read_notices(self, happened: set[int], now: float) -> None:
        """Take in what sources say, without acting on it yet."""
        for lookout in self.lookouts.values():
            if lookout.pipe in happened:
                pipe = lookout.pipe
                self._held += lookout.read(now)
                if lookout.pipe < 0:
                    _forget(self.epoll, pipe)
        self._held += self.spool.read()

    def _hear(self, now: float) -> bool:
        """Listen to daemons, and to hints; whether all that had been said was heard."""
        heard = 0
        for datagram in notify.drain(self.notify, HEARD_MOST):
            heard += 1
            if datagram.uid != os.geteuid() and datagram.uid != 0:
                self.refused += 1
                continue
            hint = datagram.message.get("X_FLEETCTL_WAKE")
            if hint is not None:
                self._hint(hint, now)
                continue
            slot = self.children.speaker(datagram.pid)
            if slot is None:
                self.refused += 1
            else:
                lives.told(self.core, slot, datagram.message, now)
        self._heard += heard
        return heard < HEARD_MOST

    def _hint(self, words: str, now: float) -> None:
        """`instance/kind [number]`: that pool has work."""
        name, _, number = words.partition(" ")
        pool = self.core.book.pools.get(name)
        if pool is None:
            self.unknown_hints.add(name, "datagram", now)
            return
        seq = int(number) if number.isascii() and number.isdigit() else 0
        lives.attention(self.core, pool, now, seq=seq)

    def _heed(self, now: float) -> None:
        """Act on the notices that were read before daemons were heard."""
        held, self._held = self._held, []
        counted = self._named
        for notice in held:
            if not notice.pool:
                self._looked(notice, counted.pop(notice.source, set()), now)
                continue
            pool = self.core.book.pools.get(notice.pool)
            if pool is None:
                if notice.source == spool.SOURCE:  # others may tell of instances elsewhere
                    self.unknown_hints.add(notice.pool, notice.source, now)
                continue
            counted.setdefault(notice.source, set()).add(notice.pool)
            if notice.claimable is None or notice.seq:
                lives.attention(self.core, pool, now, seq=notice.seq)
            if notice.claimable is not None:
                lives.counted(self.core, pool, now, notice.claimable)

    def _looked(self, notice: Notice, named: set[str], now: float) -> None:
        """A source has looked everywhere: pools it did not name have nothing to take."""
        core, anew = self.core, notice.claimable == 0
        for pool in [*core.awake, *(p for p in core.claimable if anew and p not in core.awake)]:
            if pool.kind.queue == notice.source and pool.name not in named:
                claimable = 0 if anew else (pool.claimable or (0, 0, 0))[1]
                lives.counted(core, pool, now, claimable)

    def _tick(self, now: float) -> None:
        """What is done once a second."""
        self._next_tick = now + TICK_S
        self._crowded, self._heard = self._heard > CROWD, 0
        self.spool.stirred = True
        self.memory = memory.look()
        self.core.starved = self.memory.starved > memory.STARVED_MOST or self.lag_s > TICK_S
        self.core.floor_reached = self.memory.floor_reached()
        self.core.fits = self._fits
        ticks.tick(self.core, now)
        self._tend_lookouts(now)
        self.zygotes.tend(now)
        self.listeners.tend(self.core.book.pools)
        if self.zygotes.reaper:
            processes.reap_strangers(self._ours())
        if now >= self._logs_at:
            self._logs_at = now + LOGS_LOOKED_AT_S
            self.children.trim_logs()
        if self.log.full:
            self.flush(now)
            self._start_anew(now)

    def _fits(self, pool: Any, starting: int) -> bool:
        """Room for one more of a pool, with as much promised to each that is starting."""
        return self.memory.fits((starting + 1) * pool.kind.memory_mb, self.reserve)

    def _tend_lookouts(self, now: float) -> None:
        """Start those that do not run, end those that are stuck."""
        for lookout in self.lookouts.values():
            if lookout.silent(now):
                self._end_lookout(lookout, now)
            if lookout.pipe < 0 and lookout.start_at <= now:
                log = f"{self.home}/logs/attention.{lookout.attention.name}.log"
                if lookout.start(self.children.env, log, now):
                    self.epoll.register(lookout.pipe, select.EPOLLIN)
            if lookout.blind(now):
                self._look_for_it(lookout, now)

    def _look_for_it(self, lookout: Lookout, now: float) -> None:
        """A source fails for long: wake its pools in turn, as far as nothing else is in line."""
        room = max(0, self.core.tokens - len(self.core.starts) - len(self.core.starting))
        pools, source = self.core.book.pools, lookout.attention.name

        def names() -> list[str]:
            return [pool.name for pool in pools.values() if pool.kind.queue == source]

        for name in lookout.patrol.due(names, room, now):
            pool = pools.get(name)
            if pool is not None and pool not in self.core.awake and self.core.may_start(pool):
                lookout.patrol.woken += 1
                lives.attention(self.core, pool, now)

    def _end_lookout(self, lookout: Lookout, now: float) -> None:
        """Let go of a source's program."""
        _forget(self.epoll, lookout.pipe)
        lookout.end(now)

    # -- doing -----------------------------------------------------------------------------

    def flush(self, now: float) -> None:
        """Start what may start; write down what was decided, then do it, until nothing is left."""
        while True:
            self.core.pump(now)
            self._write(now)
            self.zygotes.release()
            commands, self.core.commands[:] = list(self.core.commands), []
            if not commands:
                if not self._held:
                    self.spool.done()
                return
            for command in commands:
                if command[0] == SPAWN:
                    births.begin(self, command[1], now)
                else:
                    _, slot, number, group = command
                    self.children.strike(slot, number, group=group)

    def _write(self, now: float) -> None:
        """Records to the log and to whoever follows; ready times to the histogram."""
        records = self.core.records
        for _, asked_s in self.core.wakes:
            self.latency.add(asked_s)
        self.core.wakes.clear()
        if not records and not self.log.trouble:
            return
        self.listeners.follow(records, self.core.book.pools)
        for name, number in self.poison.taken(records):
            self.children.strike(self.core.book.pools[name].slot(number), ABRT, group=False)
        ahead_s = time.time() - now
        self.log.append(records, ahead_s)
        if self.control_is_followed():
            self.control.tell(b"".join([eventlog.encode(r, ahead_s) for r in records]))
        if any(record["e"] in ("intent", "target", "hold", "release") for record in records):
            self.log.sync()
        records.clear()

    def control_is_followed(self) -> bool:
        """There is a control socket and somebody listens."""
        return hasattr(self, "control") and self.control.followed

    def _ours(self) -> set[int]:
        """Children of ours that somebody here looks after."""
        lookouts = {lookout.pid for lookout in self.lookouts.values()}
        return self.zygotes.pids | lookouts | self.children.by_pid.keys()

    def close(self) -> None:
        """End what is ours alone; daemons go on."""
        now = time.monotonic()
        self.zygotes.close()
        for lookout in self.lookouts.values():
            self._end_lookout(lookout, now)
        self.log.sync()


def _forget(epoll: select.epoll, fd: int) -> None:
    """Stop listening to a descriptor, if we do."""
    if fd >= 0:
        try:
            epoll.unregister(fd)
        except OSError:
            return
