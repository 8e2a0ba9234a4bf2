"""What one overseer writes down and another reads, of processes that were told to end."""

from __future__ import annotations

import pytest

from fleetctl.pools.overseer import keeping, orders
from fleetctl.pools.overseer.kinds import Kind
from tests.pools.overseer.test_holds import asleep, hold, obey, release
from tests.pools.overseer.world import BUSY, IDLE, World, working


def test_an_overseer_of_before_understands_what_is_kept_of_a_process() -> None:
    """It takes five words of a life and no more; with others it would neither adopt the process
    nor ever wake the pool, when it is started again because this one failed."""
    world = World()
    pool = world.add()
    working(world, pool, busy=True)
    record = keeping.kept(pool, [], world.now)
    assert record is not None
    (slot,) = record["slots"]
    generation, pid, born, announced, cursor = slot["life"]
    assert (generation, pid, born) == (pool.kind.generation, 101, 7)
    assert (announced, cursor) == (0.0, False)


@pytest.mark.parametrize("anew", [False, True])
def test_a_daemon_that_was_asked_to_end_has_obeyed_under_the_next_overseer_too(
    *, anew: bool
) -> None:
    """It took a task when INT was on its way, says that it rests, and exits with 0: that is no
    error, though there is more work and its overseer is another one by then."""
    world = World()
    pool = world.add()
    slot = working(world, pool)
    world.told(slot, IDLE)
    orders.hibernate(world.core, pool, world.now)
    world.settle()
    world.told(slot, BUSY)
    world.succeeded(anew=anew)
    pool = world.core.book.pools[pool.name]
    slot = pool.slot(0)
    world.counted(pool, 3)
    world.told(slot, IDLE)
    assert slot.state == "stopping"
    world.exited(slot)
    assert (slot.state, slot.trouble) == ("starting", None)


@pytest.mark.parametrize("anew", [False, True])
def test_one_that_vanishes_at_work_and_was_asked_nothing_is_an_error(*, anew: bool) -> None:
    """It was to sleep when its task is done, and was sent no signal; that its end was nobody's to
    see does not make it sleep."""
    world = World()
    pool = world.add()
    working(world, pool, busy=True)
    assert orders.hibernate(world.core, pool, world.now) == 1
    world.settle()
    world.succeeded(anew=anew)
    slot = world.core.book.pools[pool.name].slot(0)
    world.exited(slot, None)
    assert (slot.state, slot.cause) == ("backoff", "lost")


@pytest.mark.parametrize("how", ["hold", "successor"])
def test_a_sleeper_below_a_new_least_is_started_however_the_specs_came(how: str) -> None:
    """They came while a run held the pool, or with another overseer: it has its least after."""
    world = World()
    pool = asleep(world)
    kind = Kind("task", {"command": ("d",), "min": 1})
    if how == "hold":
        hold(world, pool)
        world.configure({pool.name: kind})
        assert pool.slot(0).state == "hibernating"
        release(world, pool)
    else:
        world.succeeded(anew=True, more={pool.name: kind})
    assert world.core.book.pools[pool.name].slot(0).state == "starting"


def test_the_next_overseer_ends_those_beyond_its_specs_maximum() -> None:
    """They rest and say nothing that would have it look at them; who works finishes first."""
    world = World()
    pool = world.add(min=3, max=3)
    obey(world)
    world.told(pool.slot(1), BUSY)
    world.succeeded(anew=True, more={pool.name: Kind("task", {"command": ("d",), "max": 1})})
    pool = world.core.book.pools[pool.name]
    assert [slot.state for slot in pool.slots[1:]] == ["busy", "stopping"]
    obey(world)
    world.told(pool.slot(1), IDLE)
    obey(world)
    assert [slot.state for slot in pool.slots] == ["idle", "empty", "empty"]
