"""Who works may finish: orders that mean no harm wait for a daemon's rest, and never for ever."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from fleetctl.pools.overseer import headway, holds, orders
from fleetctl.pools.overseer.kinds import Kind
from fleetctl.pools.overseer.pools import Pool, Slot
from tests.pools.overseer.test_holds import hold, obey, release
from tests.pools.overseer.world import BUSY, IDLE, NAP, READY, World, working

LONG_S = 1000.0


def hibernate(world: World, pool: Pool, *, interrupt: bool = False) -> int:
    later = orders.hibernate(world.core, pool, world.now, interrupt=interrupt)
    world.settle()
    return later


def retune(world: World, pool: Pool, **given: Any) -> None:
    """The specs of a pool change."""
    wanted = {one.name: one.kind for one in world.core.book.pools.values()}
    kind = Kind(pool.kind.name, {"command": ("another",), "max": pool.kind.max, **given})
    world.configure({**wanted, pool.name: kind})


def reload(world: World, pool: Pool) -> None:
    retune(world, pool)


def scale_down(world: World, pool: Pool) -> None:
    """The pool may have no second process any more."""
    orders.scale(world.core, pool, world.now, (1, 1))
    world.settle()


def all_asleep(world: World, pool: Pool) -> None:
    """The pool need not have any process, and is to have none."""
    orders.scale(world.core, pool, world.now, (0, pool.most))
    hibernate(world, pool)


ENDS: dict[str, Callable[[World, Pool], object]] = {
    "hibernate": all_asleep,
    "hold": hold,
    "reload": reload,
    "scale down": scale_down,
}


def _signals(world: World) -> list[int]:
    return [signal for _, _, signal in world.strikes]


def _rested(world: World, pool: Pool, number: int = 0) -> Slot:
    """A slot with a daemon that has looked, and found nothing."""
    slot = working(world, pool, number)
    world.told(slot, IDLE)
    return slot


@pytest.mark.parametrize("order", ENDS)
def test_a_task_taken_when_the_order_was_on_its_way_is_finished(order: str) -> None:
    """It says `busy` after INT: no TERM follows however long it works, the next strike comes when
    it rests."""
    world = World()
    pool = world.add(min=2, max=2)
    for number in range(2):
        _rested(world, pool, number)
    ENDS[order](world, pool)
    slot = next(slot for slot in world.processes if slot.state == "stopping")
    before = len(world.strikes)
    world.told(slot, BUSY)
    world.pass_s(LONG_S)
    mine = [strike for strike in world.strikes[before:] if strike[1] == slot.number]
    assert (slot.state, mine) == ("busy", [])
    world.told(slot, IDLE)
    assert slot.state == "stopping"
    assert world.strikes[-1] == (pool.name, slot.number, 2)


@pytest.mark.parametrize("end", [{"code": 0}, {"signal": 2}, {"code": 130}])
@pytest.mark.parametrize(
    ("order", "state"), [("hibernate", "hibernating"), ("hold", "empty"), ("reload", "starting")]
)
def test_a_daemon_that_exits_after_that_task_has_obeyed(
    order: str, state: str, end: dict[str, int]
) -> None:
    """Its end is the one it was asked for, not a clean exit that nobody announced."""
    world = World()
    pool = world.add()
    slot = _rested(world, pool)
    ENDS[order](world, pool)
    world.told(slot, BUSY)
    world.exited(slot, end.get("code"), end.get("signal"))
    assert slot.state == state
    assert world.core.book.errors_lately(pool.name, world.now) == 0


def test_an_error_in_that_task_is_one() -> None:
    """To have been asked to end does not hide that a task was thrown."""
    world = World()
    slot = _rested(world, world.add())
    hibernate(world, slot.pool)
    world.told(slot, BUSY)
    world.exited(slot, 1)
    assert (slot.state, slot.cause) == ("backoff", "exit")


@pytest.mark.parametrize("tasks", [1, 2])
def test_a_watchdog_bites_who_finishes_first(tasks: int) -> None:
    """A daemon that took tasks after INT and hangs is ended as any other that does."""
    world = World()
    slot = _rested(world, world.add(watchdog=10))
    hibernate(world, slot.pool)
    world.told(slot, *[BUSY, IDLE] * (tasks - 1), BUSY)
    world.pass_s(10.5)
    assert (slot.state, slot.cause) == ("stopping", "hang")
    assert _signals(world) == [*[2] * tasks, 6]


def test_a_daemon_that_does_not_obey_is_ended_all_the_same() -> None:
    """Two INT it answers with another task; then TERM comes when it rests, and KILL."""
    world = World()
    slot = _rested(world, world.add())
    hibernate(world, slot.pool)
    for _ in range(2):
        world.told(slot, BUSY)
        world.pass_s(100)
        world.told(slot, IDLE)
    assert _signals(world) == [2, 2, 15]
    world.told(slot, BUSY)
    world.pass_s(4)
    assert _signals(world) == [2, 2, 15, 9]


@pytest.mark.parametrize("how", ["interrupt", "later", "close"])
def test_an_end_whatever_it_works_on_takes_bounded_time(how: str) -> None:
    """`--now` and the overseer's own end go on to TERM and KILL, though the daemon says that it
    works."""
    world = World()
    pool = world.add()
    slot = _rested(world, pool)
    if how == "interrupt":
        world.told(slot, BUSY)
        hibernate(world, pool, interrupt=True)
    elif how == "later":
        hibernate(world, pool)
        hibernate(world, pool, interrupt=True)
    else:
        orders.close(world.core, world.now)
    world.told(slot, BUSY)
    assert slot.state == "stopping"
    world.pass_s(15 + 3.5)
    assert _signals(world) == [2, 15, 9]


# -- operators' hibernate, for whom it finds at work


@pytest.mark.parametrize("succeeds", [None, False, True])
def test_hibernate_is_done_when_the_task_is(succeeds: bool | None) -> None:
    """A busy daemon is put to sleep when it rests, also by the overseer's successor."""
    world = World()
    pool = world.add()
    working(world, pool, busy=True)
    assert hibernate(world, pool) == 1
    assert hibernate(world, pool) == 1
    world.pass_s(LONG_S)
    assert not world.strikes
    if succeeds is not None:
        world.succeeded(anew=succeeds)
    slot = world.core.book.pools[pool.name].slot(0)
    world.told(slot, IDLE)
    assert (slot.state, slot.cause) == ("stopping", "hibernate")
    world.exited(slot)
    assert slot.state == "hibernating"
    world.pass_s(LONG_S)
    assert slot.state == "hibernating"


@pytest.mark.parametrize("more", ["wake", "count", "resume"])
def test_hibernate_is_called_off_by_more_work_and_by_resume(more: str) -> None:
    """What came while it worked would wake it again: it goes on, and is not ended later either."""
    world = World()
    pool = world.add(queue="q")
    slot = working(world, pool, busy=True)
    hibernate(world, pool)
    if more == "wake":
        world.attention(pool)
    elif more == "count":
        world.counted(pool, 1)
    else:
        orders.resume(world.core, pool, world.now, "")
    world.told(slot, IDLE)
    assert slot.state == "idle"
    world.told(slot, BUSY, IDLE)
    assert slot.state == "idle"
    assert not world.strikes


def test_a_hold_meanwhile_does_not_rouse_what_was_to_sleep() -> None:
    """A daemon that sleeps when done is no debt of the hold that finds it."""
    world = World()
    pool = world.add()
    slot = working(world, pool, busy=True)
    hibernate(world, pool)
    hold(world, pool)
    world.told(slot, IDLE)
    obey(world)
    release(world, pool)
    obey(world)
    assert slot.state == "hibernating"


def test_what_was_ended_for_a_hold_after_a_last_task_comes_back_when_that_is_released_before() -> (
    None
):
    """It was sent INT and will end: then it is started again, as all that ran before."""
    world = World()
    pool = world.add()
    slot = _rested(world, pool)
    hold(world, pool)
    world.told(slot, BUSY)
    release(world, pool)
    world.exited(slot)
    world.pass_s(2)
    assert slot.state == "starting"


# -- wakes that were promised


@pytest.mark.parametrize("interrupt", [False, True])
@pytest.mark.parametrize("ready", [False, True])
def test_hibernate_does_not_take_back_the_wake_of_one_that_starts(
    ready: bool, interrupt: bool
) -> None:
    """A daemon that was started for a hint and has not looked is left to look; if it is ended
    `--now`, another is started."""
    world = World()
    pool = world.add(at_start="asleep")
    world.attention(pool)
    slot = pool.slot(0)
    if ready:
        world.told(slot, READY)
    later = hibernate(world, pool, interrupt=interrupt)
    assert later == (not interrupt)
    if interrupt:
        world.exited(slot)
        assert slot.state == "starting"
        return
    world.told(slot, READY, BUSY)
    world.pass_s(LONG_S)
    assert not world.strikes
    world.told(slot, IDLE)
    world.exited(slot)
    assert slot.state == "hibernating"


def test_one_that_looked_and_found_nothing_is_put_to_sleep_then() -> None:
    """Its first `idle` after the order is when it goes; one that comes with READY tells nothing."""
    world = World()
    pool = world.add()
    slot = pool.slot(0)
    hibernate(world, pool)
    world.told(slot, {**READY, **IDLE})
    assert slot.state == "idle"
    assert headway.standing(world.core, [pool])["left"] == 1
    world.told(slot, IDLE)
    assert slot.state == "stopping"


def test_a_daemon_that_never_says_what_it_does_is_put_to_sleep_a_little_later() -> None:
    """Ten seconds after READY it is believed to have looked; with `ready = "exec"`, at once."""
    world = World()
    pool, silent = world.add(), world.add("bolt/silent", ready="exec")
    slot = working(world, pool)
    assert (hibernate(world, pool), hibernate(world, silent)) == (1, 0)
    assert silent.slot(0).state == "stopping"
    world.pass_s(9)
    assert slot.state == "idle"
    world.pass_s(2)
    assert (slot.state, slot.cause) == ("stopping", "hibernate")
    world.exited(slot)
    assert slot.state == "hibernating"


def test_a_smaller_maximum_does_not_take_back_a_wake() -> None:
    """The place that was started for a hint is gone: another is started for it."""
    world = World()
    pool = world.add(max=2, at_start="asleep")
    orders.lay_down(world.core, pool, world.now)
    world.attention(pool)
    first = working(world, pool, busy=True)
    world.pass_s(4)
    second = pool.slot(1)
    assert second.state == "starting"
    world.told(first, IDLE, NAP)
    world.exited(first)
    scale_down(world, pool)
    orders.scale(world.core, pool, world.now, (0, 1))
    world.exited(second)
    world.pass_s(1)
    assert [slot.number for slot in world.processes] == [0]


def test_hibernate_beside_tasks_that_can_be_taken_wakes_another() -> None:
    """The source counted them once, and says no more while nothing changes."""
    world = World()
    pool = world.add(queue="q")
    slot = _rested(world, pool)
    world.counted(pool, 2)
    hibernate(world, pool)
    world.exited(slot)
    assert slot.state == "starting"


def test_a_daemon_that_is_put_to_sleep_may_say_when_it_is_due() -> None:
    """Its timer is not forgotten for an operator's word."""
    world = World()
    slot = _rested(world, world.add())
    hibernate(world, slot.pool)
    world.told(slot, {"X_FLEETCTL_HIBERNATE_USEC": "30000000"})
    world.exited(slot)
    assert (slot.state, slot.until) == ("hibernating", world.now + 30)


@pytest.mark.parametrize("anew", [False, True])
@pytest.mark.parametrize("how", ["woken", "hinted", "resting"])
def test_a_reboot_takes_back_no_wake(how: str, anew: bool) -> None:
    """Who had a process, work or an error when the host went down looks again; sleepers sleep."""
    world = World()
    pool, sleeper = world.add(at_start="asleep"), world.add("bolt/task", at_start="asleep")
    if how == "hinted":
        orders.pause(world.core, pool, world.now, "why")
    world.attention(pool)
    if how == "resting":
        world.exited(working(world, pool, busy=True), 1)
    world.succeeded(anew=anew, boot="another")
    pool, sleeper = (world.core.book.pools[one.name] for one in (pool, sleeper))
    if how == "hinted":
        orders.resume(world.core, pool, world.now, "")
        world.settle()
    assert (pool.slot(0).state, sleeper.slot(0).state) == ("starting", "hibernating")


# -- specs


def test_new_specs_replace_a_busy_daemon_when_it_rests() -> None:
    """A reload ends no task: whoever works or is about to go is replaced later, one at a time."""
    world = World()
    pool = world.add(min=3, max=3)
    slots = [_rested(world, pool, number) for number in range(3)]
    world.told(slots[0], BUSY)
    retune(world, pool, min=3)
    assert [slot.state for slot in slots] == ["busy", "stopping", "idle"]
    obey(world)
    old = [slot.life and slot.life.generation != pool.kind.generation for slot in slots]
    assert old == [True, False, False]
    world.pass_s(LONG_S)
    assert {signal for _, number, signal in world.strikes if number == 0} == set()
    world.told(slots[0], IDLE)
    assert slots[0].state == "stopping"
    obey(world)
    assert slots[0].life is not None
    assert slots[0].life.generation == pool.kind.generation


@pytest.mark.parametrize("how", ["restart of the overseer", "pause", "hold"])
def test_new_specs_reach_a_daemon_that_was_busy_all_the_while(how: str) -> None:
    """Neither another overseer nor the end of a hold or a pause forgets who is of old specs."""
    world = World()
    pool = world.add()
    working(world, pool, busy=True)
    if how == "pause":
        orders.pause(world.core, pool, world.now, "why")
    elif how == "hold":
        hold(world, pool)
    retune(world, pool)
    if how == "pause":
        orders.resume(world.core, pool, world.now, "")
    elif how == "hold":
        release(world, pool)
    else:
        world.succeeded(anew=True)
    pool = world.core.book.pools[pool.name]
    world.pass_s(10)
    assert not world.strikes
    world.told(pool.slot(0), IDLE)
    world.settle()
    assert (pool.slot(0).state, pool.slot(0).cause) == ("stopping", "reload")


def test_new_specs_replace_no_second_when_the_first_does_not_come_up() -> None:
    """A mistake in a kind costs a pool one process, and the others run on as they were."""
    world = World()
    pool = world.add(min=3, max=3)
    slots = [_rested(world, pool, number) for number in range(3)]
    retune(world, pool, min=3)
    world.exited(slots[0])
    world.exited(slots[0], 78)
    world.pass_s(100)
    assert [slot.state for slot in slots] == ["failed", "idle", "idle"]


def test_a_start_under_old_specs_is_given_up_at_once() -> None:
    """It holds no task, and may never come up: mended specs need not wait for its deadline."""
    world = World()
    pool = world.add()
    retune(world, pool)
    assert (pool.slot(0).state, pool.slot(0).cause) == ("stopping", "reload")


def test_restart_is_not_undone_by_a_task_taken_meanwhile() -> None:
    """The place stays on the list until it has a new process."""
    world = World()
    pool = world.add()
    slot = _rested(world, pool)
    pid = world.processes[slot]
    holds.restart(world.core, pool, "run1", world.now)
    world.settle()
    world.told(slot, BUSY)
    assert headway.progress(world.core, "run1")["busy"] == 1
    world.exited(slot)
    world.told(slot, READY)
    assert world.processes[slot] != pid
    assert headway.progress(world.core, "run1")["up"] == 1
