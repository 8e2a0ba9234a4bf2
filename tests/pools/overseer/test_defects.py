"""Each defect that was found in the software whose daemons these were, kept from coming back."""

from __future__ import annotations

from typing import Any

import pytest

from fleetctl.pools.overseer import orders, states
from fleetctl.pools.overseer.kinds import Kind
from fleetctl.pools.overseer.pools import Pool
from tests.pools.overseer.world import BEAT, BUSY, DOWN, IDLE, NAP, READY, World, working


def _asleep(world: World, **given: Any) -> Pool:
    pool = world.add(**given)
    world.told(working(world, pool), NAP)
    world.exited(pool.slot(0))
    assert pool.slot(0).state == "hibernating"
    return pool


def test_a_pool_that_is_partly_asleep_grows_when_there_is_work() -> None:
    """#1 goes while #2 runs a long build: new work gets a process within up_after and a tick."""
    world = World()
    pool = world.add(max=4, queue="q")
    working(world, pool, busy=True)
    world.counted(pool, 1)
    world.pass_s(4)
    second = working(world, pool, 1, busy=True)
    world.told(pool.slot(0), IDLE, NAP)
    world.exited(pool.slot(0))
    world.pass_s(60)
    assert list(world.processes) == [second]
    world.counted(pool, 1)
    world.pass_s(2)
    assert len(world.processes) == 2


def test_a_pool_with_a_poisoned_daemon_wakes_its_sleeper_for_other_work() -> None:
    """#2 has failed and is probed in minutes: #1, which slept well, need not wait for that. Nor is
    a third tried when #1 fails as well."""
    world = World()
    pool = world.add(max=4)
    working(world, pool, busy=True)
    world.pass_s(4)
    second = working(world, pool, 1, busy=True)
    world.told(pool.slot(0), IDLE)
    world.exited(second, 78)
    world.told(pool.slot(0), NAP)
    world.exited(pool.slot(0))
    assert [slot.state for slot in pool.slots[:2]] == ["hibernating", "failed"]
    world.attention(pool)
    assert pool.slot(0).state == "starting"
    world.exited(pool.slot(0), 78)
    world.attention(pool)
    assert [slot.state for slot in pool.slots if slot.life] == []


def test_nothing_wakes_for_nothing() -> None:
    """Six pools asleep cost no start in five hours; one look is due at the end of max_sleep."""
    world = World()
    asleep = [_asleep(world) for _ in range(1)]
    starts = len(world.starts)
    world.pass_s(5 * 3600, step_s=60)
    assert len(world.starts) == starts
    world.pass_s(3600 + 1, step_s=60)
    assert len(world.starts) == starts + len(asleep)


def test_a_hang_is_one_chain_that_holds_nobody_up() -> None:
    """ABRT, then KILL by timers; the cause stays hang; another pool wakes in between."""
    world = World()
    pool = world.add(watchdog=10)
    other = _asleep(world, name="bolt/task")
    slot = working(world, pool, busy=True)
    world.pass_s(10.5)
    assert [signal for *_, signal in world.strikes] == [6]
    world.attention(other)
    assert other.slot(0).state == "starting"
    world.pass_s(3)
    assert [signal for *_, signal in world.strikes] == [6, 9]
    world.exited(slot, None, 9)
    assert (slot.state, slot.cause) == ("backoff", "hang")
    told = [r["x"] for r in world.log if r["e"] == "move" and r["p"] == pool.name]
    assert told == ["need", "ready", "takes", "hangs", "died"]


def test_a_reload_is_no_sleep_and_no_error() -> None:
    """Exit 0 after our own INT is `reload`, starts anew at once, and spends no budget."""
    world = World()
    pool = world.add()
    slot = working(world, pool)
    world.configure({pool.name: Kind("task", {"command": ("new",)})})
    assert (slot.state, slot.cause) == ("stopping", "reload")
    world.exited(slot, 0)
    assert (slot.state, slot.cause, slot.trouble) == ("starting", "reload", None)
    assert world.core.book.errors_lately(pool.name, world.now) == 0


def test_a_clean_exit_nobody_announced_is_no_sleep() -> None:
    """It is a warning of its own: restarted after a rest, not shown as hibernating or as error."""
    world = World()
    slot = working(world, world.add())
    world.exited(slot, 0)
    assert (slot.state, slot.cause) == ("backoff", "clean_unannounced")
    assert slot.until == pytest.approx(world.now + 1.0)
    assert world.core.book.errors_lately("acme/task", world.now) == 0


def test_an_error_does_not_sleep_as_long_as_the_nap_it_interrupts() -> None:
    """A daemon that announces three minutes and crashes is back after a second."""
    world = World()
    slot = working(world, world.add())
    world.told(slot, {"X_FLEETCTL_HIBERNATE_USEC": "180000000"})
    world.exited(slot, 1)
    assert (slot.state, slot.cause) == ("backoff", "exit")
    world.pass_s(2)
    assert slot.state == "starting"


def test_a_pool_without_processes_is_not_taken_for_a_sleeper() -> None:
    """A drained pool is empty, and a failed one failed; neither counts as hibernating."""
    world = World()
    pool = world.add()
    working(world, pool)
    orders.drain(world.core, pool, world.now, "secrets change")
    world.settle()
    world.exited(pool.slot(0))
    assert pool.slot(0).state == "empty"
    world.attention(pool)
    world.pass_s(100)
    assert not world.processes
    orders.resume(world.core, pool, world.now, "done")
    world.settle()
    assert pool.slot(0).state == "starting"


def test_dead_processes_hold_no_place() -> None:
    """A daemon that leaves gives its place back: the pool can grow to its maximum again."""
    world = World()
    pool = world.add(max=2)
    for _ in range(5):
        working(world, pool, busy=True)
        world.pass_s(4)
        second = working(world, pool, 1)
        world.told(second, DOWN)
        world.exited(second)
        assert second.state == "empty"


def test_specs_do_not_come_from_a_daemon_that_may_be_away() -> None:
    """An empty pool has its limits from its specs and can be started."""
    world = World()
    pool = world.add(min=0, max=3, at_start="asleep")
    assert (pool.least, pool.most, pool.live()) == (0, 3, [])
    world.attention(pool)
    assert pool.slot(0).state == "starting"


def test_a_nap_is_never_shorter_than_a_second() -> None:
    """A daemon that announces a microsecond does not spin."""
    world = World()
    slot = working(world, world.add())
    world.told(slot, {"X_FLEETCTL_HIBERNATE_USEC": "1"})
    world.exited(slot)
    assert slot.until == pytest.approx(world.now + 1.0)


def test_the_pools_last_daemon_naps_and_the_others_leave() -> None:
    """With #2 busy, #1's nap makes room instead of a sleeper that is started for ever anew."""
    world = World()
    pool = world.add(max=2)
    working(world, pool, busy=True)
    world.pass_s(4)
    working(world, pool, 1, busy=True)
    world.told(pool.slot(0), IDLE, NAP)
    world.exited(pool.slot(0))
    assert pool.slot(0).state == "empty"
    world.told(pool.slot(1), IDLE, DOWN)
    world.exited(pool.slot(1))
    assert pool.slot(1).state == "hibernating"
    starts = len(world.starts)
    world.pass_s(3600, step_s=60)
    assert len(world.starts) == starts


def test_a_sleeper_says_so_in_the_log() -> None:
    """Going to sleep and waking are records of their own, with cause and time."""
    world = World()
    pool = _asleep(world)
    world.attention(pool)
    told = [(r["x"], r["c"]) for r in world.log if r["e"] == "move"][-3:]
    assert told == [("nap", "hibernate"), ("slept", "hibernate"), ("wake", "hibernate")]


def test_nothing_wakes_or_grows_while_the_overseer_ends() -> None:
    """Attention that comes while daemons are being stopped starts none."""
    world = World()
    pool = world.add(max=4, queue="q")
    sleeper = _asleep(world, name="bolt/task")
    working(world, pool, busy=True)
    orders.close(world.core, world.now)
    world.settle()
    world.counted(pool, 4)
    world.attention(sleeper)
    starts = len(world.starts)
    world.pass_s(30)
    assert len(world.starts) == starts


def test_a_daemon_that_is_needed_may_not_sleep() -> None:
    """min=1 never enters hibernation: the announcement is written down and left at that."""
    world = World()
    slot = working(world, world.add(min=1))
    world.told(slot, NAP)
    assert slot.state == "idle"
    assert world.log[-1]["what"] == "asked to leave, but is needed"


def test_work_that_is_drained_between_two_looks_does_not_end_a_busy_daemon() -> None:
    """Idleness is what the daemon reports, never a depth somebody polled."""
    world = World()
    pool = world.add(max=2, queue="q")
    slot = working(world, pool, busy=True)
    for _ in range(100):
        world.counted(pool, 0)
        world.pass_s(1)
    assert slot.state == "busy"
    assert not world.strikes


def test_an_unknown_queue_holds() -> None:
    """A count that failed or is old neither grows nor shrinks a pool."""
    world = World()
    pool = world.add(max=4, queue="q")
    working(world, pool, busy=True)
    world.pass_s(60)
    assert len(world.processes) == 1
    world.counted(pool, 3)
    world.pass_s(3)
    assert len(world.processes) == 2


def test_a_slow_host_is_not_taken_for_a_hung_daemon() -> None:
    """While the host is starved the watchdog gives time; afterwards, or after long, it bites."""
    world = World()
    slow = working(world, world.add(watchdog=10), busy=True)
    slower = working(world, world.add("bolt/task", watchdog=10), busy=True)
    world.core.starved = True
    world.pass_s(30)
    assert (slow.state, slower.state) == ("busy", "busy")
    world.told(slow, BEAT)
    world.pass_s(20)
    assert (slow.state, slower.state) == ("busy", "stopping")
    world.core.starved = False
    world.pass_s(5)
    assert slow.state == "stopping"


def test_our_own_lateness_is_not_held_against_a_daemon() -> None:
    """After the overseer itself stood still, a daemon gets a quarter of its time to be heard."""
    world = World()
    slot = working(world, world.add(watchdog=10), busy=True)
    world.now += 100
    world.core.fire(world.now)
    assert slot.state == "busy"
    world.pass_s(3)
    assert slot.state == "stopping"


def test_a_partial_message_changes_nothing() -> None:
    """Numbers that are none, and words nobody knows, are as if they had not been said."""
    world = World()
    slot = working(world, world.add())
    world.told(slot, {"X_FLEETCTL_ERRORS": "many"}, {"EXTEND_TIMEOUT_USEC": "-1"}, {"FOO": "1"})
    world.told(slot, {"X_FLEETCTL_STATE": "asleep"}, {"X_FLEETCTL_ERRORS": "٣"})
    assert slot.state == "idle"
    assert world.core.book.errors_lately("acme/task", world.now) == 0


def test_busy_counts_as_ready() -> None:
    """A daemon that forgets READY and reports work is not killed for a late start."""
    world = World()
    slot = world.add().slot(0)
    world.told(slot, BUSY)
    world.pass_s(100)
    assert slot.state == states.BUSY
    world.told(slot, READY)
    assert slot.state == states.BUSY
