"""Backoff, the budget of failures, slow probes: side effects are bounded, nothing is given up."""

from __future__ import annotations

import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fleetctl.pools.overseer import failures, orders
from tests.pools.overseer.world import READY, World, working


def _crash_for(world: World, seconds: float, *, pools: int = 1, step_s: float = 1.0) -> None:
    """Every process dies a moment after its start, for so long."""
    end = world.now + seconds
    while world.now < end:
        for slot in list(world.processes):
            world.exited(slot, 1)
        world.pass_s(step_s, step_s)
    assert len(world.core.book.pools) == pools


@given(st.integers(1, 10_000), st.floats(0, 1, exclude_max=True))
def test_rests_double_up_to_a_limit(attempt: int, chance: float) -> None:
    """1 s, 2 s, 4 s ... 300 s, give or take a fifth."""
    whole = min(300.0, 2.0 ** min(attempt - 1, 20))
    assert whole * 0.799 <= failures.delay_s(attempt, chance) <= whole * 1.201


def test_a_crash_loop_starts_five_times_and_then_a_probe_at_a_time() -> None:
    """5 starts in the first minutes; probes after 5, 10, 20 ... 60 minutes; never given up."""
    world = World()
    pool = world.add()
    _crash_for(world, 120)
    assert len(world.starts) == 5
    assert (pool.slot(0).state, pool.slot(0).cause) == ("failed", "exit")
    _crash_for(world, 6 * 3600, step_s=10)
    times = [time for time, _ in world.starts[4:]]
    gaps = [after - before for before, after in itertools.pairwise(times)]
    expected = [300, 600, 1200, 2400, 3600, 3600, 3600, 3600]
    assert gaps == pytest.approx(expected[: len(gaps)], abs=20)
    assert len(gaps) >= 7


def test_a_crash_loop_leaves_its_siblings_alone() -> None:
    """Another pool wakes at once while a hundred crash."""
    world = World()
    for number in range(100):
        world.add(f"i{number}/task")
    _crash_for(world, 30, pools=100)
    calm = world.add("calm/task")
    assert calm.slot(0).state == "starting"


def test_errors_are_forgotten_when_a_daemon_has_been_well_for_a_minute() -> None:
    """The next failure rests one second again."""
    world = World()
    slot = working(world, world.add())
    for _ in range(3):
        world.exited(slot, 1)
        world.pass_s(10)
        world.told(slot, READY)
    assert world.core.book.errors_lately("acme/task", world.now) == 3
    world.pass_s(61)
    world.exited(slot, 1)
    assert slot.until == pytest.approx(world.now + 1.0)


def test_napping_between_failures_does_not_spare_the_budget() -> None:
    """A daemon that crashes and naps in turn is failed all the same."""
    world = World()
    pool = world.add()
    slot = pool.slot(0)
    for _ in range(5):
        working(world, pool)
        world.exited(slot, 1)
        if len(world.starts) == 9:
            break
        world.pass_s(20)
        world.told(working(world, pool), {"X_FLEETCTL_HIBERNATE_USEC": "1000000"})
        world.exited(slot)
        world.pass_s(1)
    assert slot.state == "failed"


def test_a_wake_is_not_obeyed_faster_than_the_next_probe() -> None:
    """A failed pool keeps what was asked of it, and starts at its time or on `retry`."""
    world = World()
    pool = world.add()
    _crash_for(world, 60)
    starts = len(world.starts)
    world.attention(pool)
    world.pass_s(10)
    assert len(world.starts) == starts
    assert pool.pending
    orders.retry(world.core, pool, world.now)
    world.settle()
    assert len(world.starts) == starts + 1
    assert not pool.pending


def test_errors_are_counted_for_fifteen_minutes() -> None:
    """What a daemon counts itself and its own ends, and no text."""
    world = World()
    slot = working(world, world.add())
    world.told(slot, {"X_FLEETCTL_ERRORS": "2"}, {"X_FLEETCTL_ERRORS": "3"})
    world.exited(slot, 1)
    assert world.core.book.errors_lately("acme/task", world.now) == 4
    assert world.core.book.errors_lately("acme/task", world.now + 901) == 0


def test_clean_exits_are_a_warning_until_the_pool_has_failed_for_them() -> None:
    """Four count as nothing; the fifth makes the pool FAILED and counts, as vain probes do."""
    world = World()
    pool = world.add()
    slot = pool.slot(0)
    for _ in range(4):
        world.exited(slot, 0)
        assert (slot.state, slot.cause) == ("backoff", "clean_unannounced")
        world.pass_s(20)
    assert world.core.book.errors_lately(pool.name, world.now) == 0
    world.exited(slot, 0)
    assert (slot.state, slot.cause) == ("failed", "clean_unannounced")
    assert world.core.book.errors_lately(pool.name, world.now) == 1
    world.pass_s(301)
    world.exited(slot, 0)
    assert slot.state == "failed"
    assert world.core.book.errors_lately(pool.name, world.now) == 2


def test_errors_are_counted_once_though_they_spend_the_budget() -> None:
    """Five exits with 1 are five errors, also when the fifth makes the pool FAILED."""
    world = World()
    pool = world.add()
    _crash_for(world, 60)
    assert pool.slot(0).state == "failed"
    assert world.core.book.errors_lately(pool.name, world.now) == 5
