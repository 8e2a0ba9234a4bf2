"""Pools that no specs name any more: nothing new starts, and work that was begun is finished."""

from __future__ import annotations

from typing import Any

import pytest

from fleetctl.pools.overseer import orders
from fleetctl.pools.overseer.kinds import Kind
from fleetctl.pools.overseer.pools import Pool, Slot
from tests.pools.overseer.world import BUSY, IDLE, World, working

LONG_S = 3600.0


def _removed(world: World, **given: Any) -> tuple[Pool, Slot]:
    """A pool whose daemon was busy when it was removed."""
    pool = world.add(**given)
    slot = working(world, pool, busy=True)
    assert world.configure({})["removed"] == 1
    return pool, slot


@pytest.mark.parametrize("succeeds", [None, False, True])
def test_a_busy_daemon_of_a_removed_pool_finishes_its_task(succeeds: bool | None) -> None:
    """However long it takes, and under the overseer's successor; then it ends and is forgotten."""
    world = World()
    pool, _ = _removed(world, min=1)
    world.pass_s(LONG_S)
    assert not world.strikes
    if succeeds is not None:
        world.succeeded(anew=succeeds)
    slot = world.core.book.pools[pool.name].slot(0)
    world.told(slot, IDLE)
    assert [signal for *_, signal in world.strikes] == [2]
    world.exited(slot)
    assert world.core.book.pools == {}
    assert len(world.starts) == 1


def test_an_idle_one_ends_at_once_and_a_task_on_the_way_is_finished() -> None:
    """It took it before the signal came: no TERM follows until it rests."""
    world = World()
    pool = world.add()
    slot = working(world, pool)
    world.told(slot, IDLE)
    world.configure({})
    assert [signal for *_, signal in world.strikes] == [2]
    world.told(slot, BUSY)
    world.pass_s(LONG_S)
    assert len(world.strikes) == 1
    world.told(slot, IDLE)
    assert len(world.strikes) == 2
    world.exited(slot)
    assert world.core.book.pools == {}


@pytest.mark.parametrize("restored", [False, True])
def test_a_pool_that_is_named_again_keeps_its_daemon(restored: bool) -> None:
    """What it was to end for is over."""
    world = World()
    pool, slot = _removed(world)
    kind = Kind("task", {"command": ("daemon",)})
    if restored:
        world.succeeded(anew=False, more={pool.name: kind})
        slot = world.core.book.pools[pool.name].slot(0)
    else:
        world.configure({pool.name: kind})
    world.told(slot, IDLE)
    assert slot.state == "idle"
    assert not world.strikes


def test_orders_of_people_do_not_keep_a_removed_pool() -> None:
    """Neither pause and resume nor hibernate bring it back; `--now` ends it at once."""
    world = World()
    pool, slot = _removed(world, min=1)
    orders.pause(world.core, pool, world.now, "x")
    orders.resume(world.core, pool, world.now, "y")
    orders.hibernate(world.core, pool, world.now)
    assert pool.intent == "gone"
    assert slot.life is not None
    assert slot.life.ending == "stop"
    orders.hibernate(world.core, pool, world.now, interrupt=True)
    world.settle()
    world.exited(slot)
    assert world.core.book.pools == {}


def test_the_overseers_own_end_does_not_stop_for_it() -> None:
    """INT to the overseer ends all, as ever."""
    world = World()
    _removed(world)
    orders.close(world.core, world.now)
    world.settle()
    assert [signal for *_, signal in world.strikes] == [2]
