"""What operators and the specs ask for: done at once, remembered, and never more than asked."""

from __future__ import annotations

import json
import time
from pathlib import Path
from types import SimpleNamespace
from typing import cast

import pytest

from fleetctl.pools.overseer import answers, holds, orders
from fleetctl.pools.overseer.eventlog import encode
from fleetctl.pools.overseer.kinds import Kind
from fleetctl.pools.overseer.loop import Overseer
from tests.pools.overseer.world import BUSY, IDLE, NAP, READY, World, working

SEEN = {**NAP, "X_FLEETCTL_SEEN": "0"}


def test_work_that_comes_while_a_daemon_is_put_to_sleep_wakes_it() -> None:
    """`hibernate` ends the process; a wake in between is not forgotten."""
    world = World()
    pool = world.add()
    slot = working(world, pool)
    world.told(slot, IDLE)
    orders.hibernate(world.core, pool, world.now)
    world.attention(pool)
    world.exited(slot)
    assert slot.state == "starting"


def test_work_a_daemon_took_does_not_wake_it_a_second_time() -> None:
    """A hint is done with when the daemon becomes busy after it."""
    world = World()
    pool = world.add()
    slot = working(world, pool)
    world.attention(pool)
    world.told(slot, BUSY, IDLE, SEEN)
    world.exited(slot)
    assert slot.state == "hibernating"


def test_hibernate_leaves_a_busy_daemon_alone() -> None:
    """Whoever may hold a task is not signalled, and is counted."""
    world = World()
    pool = world.add()
    working(world, pool, busy=True)
    assert orders.hibernate(world.core, pool, world.now) == 1
    assert not world.strikes


def test_a_drained_pool_ends_a_busy_daemon_when_it_rests() -> None:
    """Not before; and nothing starts until it is resumed."""
    world = World()
    pool = world.add(min=1)
    slot = working(world, pool, busy=True)
    orders.drain(world.core, pool, world.now, "keys change", by="ann")
    world.pass_s(100)
    assert not world.strikes
    world.told(slot, IDLE)
    assert slot.state == "stopping"
    world.exited(slot)
    world.pass_s(1000)
    assert slot.state == "empty"
    assert pool.note is not None
    assert pool.note[1:] == ("ann", "keys change")


def test_a_pause_keeps_what_falls_due_and_ends_by_itself() -> None:
    """A slot in backoff is not started while paused, and is as soon as the pause is over."""
    world = World()
    pool = world.add()
    slot = working(world, pool)
    world.exited(slot, 1)
    orders.pause(world.core, pool, world.now, "look at it", until=world.now + 50)
    world.pass_s(49)
    assert slot.state == "backoff"
    world.pass_s(3)
    assert slot.state == "starting"
    assert pool.intent == "run"


def test_a_pause_ends_when_it_was_to_though_the_host_came_up_anew() -> None:
    """Its end is a time of the wall clock: a boot's own clock begins at nothing."""
    world = World()
    pool = world.add(min=1)
    working(world, pool)
    orders.pause(world.core, pool, world.now, "look at it", until=world.now + 50)
    world.settle()
    world.log = [json.loads(encode(record, 5e5 - 900)) for record in world.log]
    world.now -= 900  # the new boot's clock, 0 s later by the wall
    world.succeeded(anew=False, boot="another")
    pool = world.core.book.pools[pool.name]
    world.pass_s(49)
    assert not world.processes
    world.pass_s(3)
    assert pool.intent == "run"
    assert world.processes


def test_a_smaller_maximum_takes_slots_out_of_the_line() -> None:
    """What stood in line for a place that is gone does not start."""
    world = World(tokens=1)
    pool = world.add(min=3, max=3)
    assert len(world.processes) == 1
    orders.scale(world.core, pool, world.now, (1, 1))
    world.told(pool.slot(0), READY)
    world.pass_s(10)
    assert len(world.processes) == 1
    orders.scale(world.core, pool, world.now, None)
    world.pass_s(10)
    assert [slot.number for slot in world.processes] == [0, 1, 2]


@pytest.mark.parametrize("how", ["scale", "specs"])
def test_a_sleeper_that_is_to_have_a_process_at_least_is_started(how: str) -> None:
    """Whoever raises the least does not have to wake the pool as well."""
    world = World()
    pool = world.add(at_start="asleep")
    if how == "scale":
        orders.scale(world.core, pool, world.now, (1, 4))
        world.settle()
    else:
        world.configure({pool.name: Kind("task", {"command": ("d",), "min": 1})})
    assert pool.slot(0).state == "starting"


def test_only_what_differs_is_touched_by_new_specs() -> None:
    """Same kind: not a signal. Changed kind: in turn, by tokens. Gone: stopped and forgotten."""
    world = World(tokens=1)
    kinds = {f"i{n}/task": Kind("task", {"command": ("a",)}) for n in range(3)}
    world.configure(kinds)
    for _ in range(3):
        for slot in list(world.processes):
            world.told(slot, READY)
    assert world.configure(kinds) == {"added": 0, "changed": 0, "removed": 0, "same": 3}
    assert not world.strikes
    changed = {
        "i0/task": kinds["i0/task"],
        "i1/task": Kind("task", {"command": ("b",)}),
    }
    assert world.configure(changed) == {"added": 0, "changed": 1, "removed": 1, "same": 1}
    assert [(name, signal) for name, _, signal in world.strikes] == [("i2/task", 2), ("i1/task", 2)]
    for slot in [slot for slot in world.processes if slot.state == "stopping"]:
        world.exited(slot)
    assert set(world.core.book.pools) == {"i0/task", "i1/task"}
    life = world.core.book.pools["i1/task"].slot(0).life
    assert life is not None
    assert life.generation == changed["i1/task"].generation


def test_replacing_daemons_goes_by_tokens() -> None:
    """Ten daemons of a changed kind are not all down at once: one at a time, with one token."""
    world = World(tokens=1)
    old = {f"i{n}/task": Kind("task", {"command": ("a",)}) for n in range(10)}
    world.configure(old)
    while any(slot.state == "starting" for slot in world.processes):
        for slot in list(world.processes):
            world.told(slot, READY)
    world.configure({name: Kind("task", {"command": ("b",)}) for name in old})
    for _ in range(10):
        down = [slot for slot in world.processes if slot.state == "stopping"]
        assert len(down) == 1
        world.exited(down[0])
        world.told(down[0], READY)
    assert not [slot for slot in world.processes if slot.state == "stopping"]


@pytest.mark.parametrize("boot", ["b", "another"])
@pytest.mark.parametrize("works", [False, True])
def test_a_pool_that_was_removed_and_added_again_is_there_for_the_next_overseer(
    boot: str, works: bool
) -> None:
    """It is not ended as one that nobody names, and neither is the process it has by then."""
    world = World()
    kind = Kind("task", {"command": ("d",), "at_start": "asleep"})
    for wanted in ({"a/task": kind}, {}, {"a/task": kind}):
        world.configure(wanted)
    pool = world.core.book.pools["a/task"]
    if works:
        world.attention(pool)
        working(world, pool, busy=True)
    world.succeeded(anew=False, boot=boot)
    again = world.core.book.pools["a/task"]
    assert (again.intent, again.kind) == ("run", kind)
    assert not world.strikes
    assert len(world.processes) == works
    world.attention(again)
    assert again.slot(0).state in ("starting", "busy")


def test_a_pause_ends_at_the_time_that_was_said_however_late_the_host_is_asked() -> None:
    """Seconds are counted from the asking, which for the last batch may be an hour later."""
    world = World()
    pool = world.add()
    overseer = cast(Overseer, SimpleNamespace(core=world.core))
    wall = time.time() + 60
    request = {"do": "pause", "pools": ["*"], "why": "x", "for_s": 3660, "until_s": wall}
    answers._ACTS["pause"](overseer, request)
    assert pool.note is not None
    assert pool.note[0] - time.monotonic() == pytest.approx(60, abs=5)


@pytest.mark.parametrize("anew", [None, False, True])
def test_what_is_being_replaced_when_a_pause_comes_is_there_again_after_it(
    anew: bool | None,
) -> None:
    """The pause keeps its successor from starting, and is no reason to have none for good."""
    world = World()
    pool = world.add()
    world.told(working(world, pool), BUSY, IDLE)
    holds.restart(world.core, pool, "run1", world.now)
    world.settle()
    orders.pause(world.core, pool, world.now, "why")
    world.settle()
    world.exited(pool.slot(0))
    if anew is not None:
        world.succeeded(anew=anew)
        pool = world.core.book.pools[pool.name]
    world.pass_s(5)
    assert pool.slot(0).state == "empty"
    orders.resume(world.core, pool, world.now, "")
    world.settle()
    assert pool.slot(0).state == "starting"


def test_a_busy_daemon_whose_pool_comes_back_with_other_specs_is_replaced_when_it_rests() -> None:
    """It was let finish when the pool went; it is not kept for that under specs of before."""
    world = World()
    other = world.add("b/task", at_start="asleep")
    pool = world.add()
    slot = working(world, pool, busy=True)
    world.configure({other.name: other.kind})
    assert (slot.state, pool.intent) == ("busy", "gone")
    world.configure({other.name: other.kind, pool.name: Kind("task", {"command": ("new",)})})
    world.told(slot, IDLE)
    assert (slot.state, slot.cause) == ("stopping", "reload")


@pytest.mark.parametrize(("most", "shown"), [(0, 0), (1, 1), (2, 2), (None, 3)])
def test_as_many_events_are_told_as_asked_for(tmp_path: Path, most: int | None, shown: int) -> None:
    """None means none, and is not the same as saying nothing."""
    path = tmp_path / "events.jsonl"
    path.write_text("{}\n" + '{"e": "said", "p": "a/k"}\n' * 3)
    overseer = cast(Overseer, SimpleNamespace(log=SimpleNamespace(path=str(path))))
    told = answers._ACTS["events"](overseer, {} if most is None else {"most": most})
    assert len(told["events"]) == shown


def test_a_pool_that_is_back_before_its_daemon_has_ended_looks_whether_there_is_work() -> None:
    """As one that is added; else it would be empty for good, and not even sleep for a time."""
    world = World()
    other = world.add("b/task", at_start="asleep")
    pool = world.add()
    slot = working(world, pool)
    world.told(slot, IDLE)
    wanted = {other.name: other.kind, pool.name: pool.kind}
    world.configure({other.name: other.kind})
    world.configure(wanted)
    assert slot.state == "stopping"
    world.exited(slot)
    assert slot.state == "starting"
