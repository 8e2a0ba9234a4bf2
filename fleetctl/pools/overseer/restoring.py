"""After a crash, a restart or a re-exec: what the log says, and which processes are there."""

from __future__ import annotations

from fleetctl.pools.overseer import (
    endings,
    eventlog,
    holds,
    keeping,
    orders,
    processes,
    standing,
    states,
)
from fleetctl.pools.overseer.book import Book
from fleetctl.pools.overseer.kinds import ASLEEP, Kind
from fleetctl.pools.overseer.pools import GONE, RUN, Pool, Slot
from fleetctl.pools.overseer.states import LIVE, TROUBLED

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from fleetctl.pools.overseer.book import Record
    from fleetctl.pools.overseer.core import Core

    Adopt = Callable[[Slot], bool]

_FROM_BOOT_TO_BOOT = frozenset(
    ("intent", "target", "hold", "release", "awake", "waived", *standing.APPLY)
)
"""Records that outlast the host's own restart; processes and times do not."""


def restore(
    core: Core,
    wanted: Mapping[str, Kind],
    records: Iterator[Record],
    boot: str,
    now: float,
    wall: float = 0.0,
) -> bool:
    """Put the pools of the specs into the state the log says. True if there was a log of this boot.

    Nothing is started, and no record is made: what was true is true still. `wall` is the Unix time
    now, by which ends that were meant before the host's restart are still met.
    """
    pools = core.book.pools
    for name, kind in wanted.items():
        pools[name] = Pool(name, kind)
    ghost = Kind("", {})
    same_boot = next(records, {}).get("boot") == boot
    before = Book()
    for told in records:
        record = told if same_boot else _of_this_boot(told, now, wall)
        if not same_boot:
            before.pools.setdefault(told.get("p", ""), Pool(told.get("p", ""), ghost))
            _apply(before, told)
        name = record.get("p", "")
        if name and name not in pools and same_boot:
            pools[name] = Pool(name, ghost)
        if same_boot or record.get("e") in _FROM_BOOT_TO_BOOT:
            _apply(core.book, record)
        elif record.get("e") == "kept" and name in pools:
            keeping.restore_wishes(pools[name], record)
        if name in wanted and name not in pools:  # it was away for a while, and is back
            pools[name] = Pool(name, wanted[name])
    _look_again(pools, before, now)
    _come_to_now(core, wanted, ghost, now)
    return same_boot


def _look_again(pools: Mapping[str, Pool], before: Book, now: float) -> None:
    """Pools that had a process or work when the host went down look for it when it is up again."""
    for name, was in before.pools.items():
        pool = pools.get(name)
        if pool is None or pool.kind.at_start != ASLEEP:
            continue  # the others look in any case
        if was.pending or any(slot.state in (*LIVE, *TROUBLED) for slot in was.slots):
            pool.hint, pool.wanted_at = True, now


def _come_to_now(core: Core, wanted: Mapping[str, Kind], ghost: Kind, now: float) -> None:
    """Forget who is named no more and has no process; who is named again is wanted again."""
    pools = core.book.pools
    for name in [name for name, pool in pools.items() if pool.kind is ghost]:
        if not pools[name].live():
            del pools[name]
    for name, pool in pools.items():
        if pool.intent == GONE and name in wanted:
            pool.intent, pool.note = RUN, None
            for slot in pool.slots:
                if slot.life is not None:
                    slot.life.ending = ""
        if pool.note is not None and pool.note[0] < now + 1e9:
            core.bounded[pool] = pool.note[0]


def _of_this_boot(record: Record, now: float, wall: float) -> Record:
    """A record of an earlier boot, its end told by the clock of this one."""
    if not {"t", "w"} <= record.keys():
        return record
    later = now - record["t"] - (wall - record["w"])
    if "u" in record:
        record = {**record, "u": record["u"] + later}
    note = record.get("note")
    if note and note[0] is not None:
        record = {**record, "note": [note[0] + later, *note[1:]]}
    return record


def _apply(book: Book, record: Record) -> None:
    """One record; one that makes no sense is passed over."""
    try:
        try:
            book.apply(record)
        except states.IllegalMove:
            _overlook(book, record)
            book.apply(record)
    except (states.IllegalMove, KeyError, TypeError, ValueError):
        return


def _overlook(book: Book, record: Record) -> None:
    """Bring a slot to where a move can begin: one that was asleep from the start has no record of
    it, and a line may be damaged. What the move says of itself still holds."""
    for (before, trigger), to in states.TABLE.items():
        if (trigger, to) == (record["x"], record["to"]):
            book.pools[record["p"]].slot(record["n"]).state = before
            return


def read(path: str) -> Iterator[Record]:
    """The log to restore from."""
    return iter(eventlog.read(path))


def take_up(core: Core, home: str, adopt: Adopt, now: float) -> dict[str, int]:
    """Adopt the processes that are there, bury those that are not, and go on. Counts both."""
    done = {"adopted": 0, "buried": 0}
    found = {(pool, number): pid for pid, pool, number in processes.marked(home)}
    for pool in list(core.book.pools.values()):
        for slot in list(pool.slots):
            _take_up(core, slot, found, adopt, now, done)
    for (name, number), pid in found.items():
        known = core.book.pools.get(name)
        if known is not None and known.slot(number).state not in LIVE:
            _take_in(core, known.slot(number), pid, now)
            done["adopted" if adopt(known.slot(number)) else "buried"] += 1
    for pool in list(core.book.pools.values()):
        standing.cover(core, pool, now)
        _go_on(core, pool, now)
    return done


def _take_up(
    core: Core,
    slot: Slot,
    found: dict[tuple[str, int], int],
    adopt: Adopt,
    now: float,
    done: dict[str, int],
) -> None:
    """One slot: its process is there, or it is not."""
    life = slot.life
    if slot.state not in LIVE or life is None:
        core.arm(slot)
        return
    pid = found.pop((slot.pool.name, slot.number), 0)
    if not life.pid and pid:
        core.note(_born(slot, pid, now))
    life.beat = now
    if slot.state != states.STARTING:
        life.ready_at = slot.since
    grace = slot.pool.kind.start_timeout if slot.state == states.STARTING else 3.0
    life.deadline = now + grace
    core.awake[slot.pool] = None
    there = bool(life.pid) and adopt(slot)
    done["adopted" if there else "buried"] += 1
    if there:
        core.arm(slot)
    else:
        core.lost(slot, now)


def _take_in(core: Core, slot: Slot, pid: int, now: float) -> None:
    """A process of ours that the log does not know: it has a slot, so it is taken in."""
    core.move(slot, states.STARTERS[slot.state], now, states.LOST, g="")
    core.note(_born(slot, pid, now))
    core.ready(slot, now)


def _born(slot: Slot, pid: int, now: float) -> Record:
    """The record of a process."""
    place = {"p": slot.pool.name, "n": slot.number}
    return {"t": now, "e": "born", **place, "pid": pid, "born": processes.born(pid)}


def _go_on(core: Core, pool: Pool, now: float) -> None:
    """What the specs, or a change of them, ask of a pool that is known."""
    if not pool.kind.name and pool.intent != "gone":
        orders.remove(core, pool, now)
    elif orders.is_new(pool) and core.may_start(pool):
        orders.begin(core, pool, now)
    else:
        for slot in pool.slots:
            endings.at_rest(core, slot, now)  # there may be too many of them by now
        holds.renew(core, pool, now)
        core.settle(pool, now)
