"""Holds: what ran before runs after, what slept sleeps on, whatever comes in between."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, precondition, rule

from fleetctl.pools.overseer import headway, holds, orders, states, views
from fleetctl.pools.overseer.pools import NEVER, Pool, Slot
from tests.pools.overseer.world import BUSY, IDLE, NAP, READY, World, working

NAMES = ("acme/task", "acme/pull", "bolt/task", "cone/task")
KINDS: tuple[dict[str, Any], ...] = (
    {"max": 2},
    {"min": 1},
    {"at_start": "asleep"},
    {"on_clean_exit": "hibernate"},
)
pools = st.sampled_from(NAMES)
tokens = st.sampled_from("ab")


def hold(world: World, pool: Pool, token: str = "run1") -> None:
    holds.hold(world.core, pool, token, world.now, "push", by="ann")
    world.settle()


def release(world: World, pool: Pool, token: str = "run1") -> None:
    orders.release(world.core, pool, token, world.now)
    world.settle()


def obey(world: World) -> None:
    """Daemons do what they are asked, for as long as something is to be done."""
    for _ in range(40):
        for slot in sorted(world.processes, key=lambda slot: slot.number):
            if slot.state == states.STARTING:
                world.told(slot, READY)
            elif slot.state in (states.STOPPING, states.NAPPING, states.LEAVING):
                world.exited(slot)
            elif slot.life is not None and slot.life.ending not in ("", states.HIBERNATE):
                world.exited(slot)  # it had a task to finish first
        world.pass_s(1)


def asleep(world: World, name: str = "acme/task") -> Pool:
    """A pool that sleeps."""
    pool = world.add(name)
    world.told(working(world, pool), NAP)
    world.exited(pool.slot(0))
    assert pool.slot(0).state == "hibernating"
    return pool


@pytest.mark.parametrize("anew", [False, True])
def test_a_sleeper_that_was_looked_at_sleeps_with_its_time(anew: bool) -> None:
    """It slept from the start, which no record says. Its overseer died while a run held it, one
    asked for its status, and the run let go: it is to look at its time as ever."""
    world = World()
    name = world.add(at_start="asleep").name
    hold(world, world.core.book.pools[name])
    world.succeeded(anew=anew)
    pool = world.core.book.pools[name]
    assert views.word(pool) == views.HELD
    views.brief(world.core, pool, world.now)
    release(world, pool)
    assert pool.slot(0).state == states.HIBERNATING
    assert pool.slot(0).until < NEVER


def test_what_had_failed_is_tried_when_a_run_lets_go() -> None:
    """A push may have brought the mend, a rollback the release that worked; a probe that is an hour
    away would leave it down. It had no process, so none is owed: failing again fails no run."""
    world = World()
    pool = world.add()
    slot = working(world, pool)
    world.exited(slot, 78)
    world.pass_s(1)
    assert slot.state == states.FAILED
    hold(world, pool, "one")
    hold(world, pool, "two")
    release(world, pool, "one")
    assert slot.state == states.FAILED
    release(world, pool, "two")
    assert slot.state == states.STARTING
    world.exited(slot, 78)
    world.pass_s(1)
    assert slot.state == states.FAILED
    assert "failed" not in headway.progress(world.core, "two")


def test_what_ran_is_ended_and_started_again() -> None:
    """An idle daemon ends at once, a busy one when it rests; both run again after the release."""
    world = World()
    idle, busy = world.add("a/task"), world.add("b/task")
    working(world, idle)
    working(world, busy, busy=True)
    hold(world, idle)
    hold(world, busy)
    assert [name for name, _, _ in world.strikes] == ["a/task"]
    assert headway.progress(world.core, "run1")["busy"] == 1
    world.told(busy.slot(0), IDLE)
    obey(world)
    assert not world.processes
    assert headway.progress(world.core, "run1")["down"] == 2
    release(world, idle)
    release(world, busy)
    told = headway.progress(world.core, "run1")
    assert (told["left"], told["names"]) == (2, {"starting": ["a/task", "b/task"]})
    obey(world)
    assert [slot.state for slot in world.processes] == ["idle", "idle"]
    told = headway.progress(world.core, "run1")
    assert (told["left"], told["up"]) == (0, 2)


@pytest.mark.parametrize("order", ["hold", "drain"])
def test_what_slept_sleeps_on(order: str) -> None:
    """Neither a release nor the end of a drain rouses a sleeper, unless work came meanwhile."""
    world = World()
    sleeper, wanted = asleep(world, "a/task"), asleep(world, "b/task")
    started = len(world.starts)
    for pool in (sleeper, wanted):
        if order == "hold":
            hold(world, pool)
        else:
            orders.drain(world.core, pool, world.now, "why")
    world.attention(wanted)
    world.pass_s(20)
    assert len(world.starts) == started
    for pool in (sleeper, wanted):
        if order == "hold":
            release(world, pool)
        else:
            orders.resume(world.core, pool, world.now, "")
    obey(world)
    assert sleeper.slot(0).state == "hibernating"
    assert [name for _, name in world.starts[started:]] == ["b/task"]


def test_a_hold_said_twice_is_one_and_an_unknown_token_is_nobodys() -> None:
    """The second adds nothing and forgets nothing; releasing what was never held does nothing."""
    world = World()
    pool = world.add()
    working(world, pool)
    hold(world, pool)
    obey(world)
    before = len(world.log)
    hold(world, pool)
    release(world, pool, "another")
    assert len(world.log) == before
    release(world, pool)
    release(world, pool)
    obey(world)
    assert len(world.starts) == 2
    assert pool.slot(0).state == "idle"


def test_two_tokens_must_both_be_released() -> None:
    """And what ran before the first runs after the last, though it was down when that came."""
    world = World()
    pool = world.add()
    working(world, pool)
    hold(world, pool, "one")
    obey(world)
    hold(world, pool, "two")
    release(world, pool, "one")
    obey(world)
    assert not world.processes
    assert headway.how_far(pool, "one") == "held_back"
    assert headway.progress(world.core, "one")["held_by"] == {"two": 1}
    assert headway.progress(world.core, "never asked", [])["pools"] == 0
    assert headway.progress(world.core, "three", [pool])["held_by"] == {"two": 1}
    assert "held_by" not in headway.progress(world.core, "two")
    release(world, pool, "two")
    obey(world)
    assert pool.slot(0).state == "idle"


@pytest.mark.parametrize("order", ["pause", "drain"])
def test_what_somebody_else_had_stopped_stays_so(order: str) -> None:
    """A release does not end a pause or a drain; their end then gives back what ran."""
    world = World()
    pool = world.add()
    working(world, pool)
    getattr(orders, order)(world.core, pool, world.now, "keys change", by="bob")
    hold(world, pool)
    obey(world)
    release(world, pool)
    obey(world)
    assert not world.processes
    assert pool.note is not None
    assert pool.note[1:] == ("bob", "keys change")
    orders.resume(world.core, pool, world.now, "")
    obey(world)
    assert pool.slot(0).state == "idle"


def test_a_hold_does_not_wake_what_rests_from_an_error_any_sooner() -> None:
    """It is tried again when its rest is over, which is short."""
    world = World()
    pool = world.add()
    slot = working(world, pool, busy=True)
    world.exited(slot, 1)
    hold(world, pool)
    release(world, pool)
    assert slot.state == states.BACKOFF


def test_what_ran_before_and_fails_after_is_named() -> None:
    """It failed while it was held, is tried as the run lets go, and fails on the new release."""
    world = World()
    pool = world.add()
    slot = working(world, pool, busy=True)
    hold(world, pool)
    world.exited(slot, 78)
    release(world, pool)
    assert slot.state == states.STARTING
    world.exited(slot, 78)
    world.pass_s(5)
    assert slot.state == "failed"
    told = headway.progress(world.core, "run1")
    assert (told["failed"], told["names"]) == (1, {"failed": ["acme/task"]})


def test_a_release_keeps_the_memory_reserve() -> None:
    """Starts that would touch it are put off, and made when there is room; nothing is forgotten."""
    world = World(tokens=9)
    made = [world.add(f"i{number}/task") for number in range(6)]
    for pool in made:
        working(world, pool)
        hold(world, pool)
    obey(world)
    world.core.fits = lambda _pool, _starting: len(world.processes) < 2
    for pool in made:
        release(world, pool)
    assert len(world.processes) == 2
    obey(world)
    assert len(world.processes) == 2
    world.core.fits = lambda _pool, _starting: True
    obey(world)
    assert len(world.processes) == 6
    assert not world.core.owing


def test_work_overtakes_the_storm_of_a_release() -> None:
    """A pool that has work stands before those that merely ran, its own earlier place included."""
    world = World(tokens=1)
    made = [world.add(f"i{number}/task") for number in range(5)]
    for pool in made:
        while pool.slot(0).state != "starting":
            obey(world)
        working(world, pool)
    for pool in made:
        hold(world, pool)
    obey(world)
    for pool in made:
        release(world, pool)
    world.pass_s(0.5)
    world.attention(made[4])
    world.told(next(iter(world.processes)), READY)
    assert [name for _, name in world.starts[-2:]] == ["i0/task", "i4/task"]


def test_restart_takes_one_place_of_a_pool_at_a_time_and_the_busy_when_it_rests() -> None:
    """Sleepers sleep on; a daemon with a task is not signalled, and not forgotten."""
    world = World()
    sleeper, pool = asleep(world, "a/task"), world.add("b/task", min=3, max=3)
    slots = [working(world, pool, number, busy=number == 0) for number in range(3)]
    pids = dict(world.processes)
    for each in (sleeper, pool):
        holds.restart(world.core, each, "run1", world.now)
    world.settle()
    assert [slot.state for slot in slots] == ["busy", "stopping", "idle"]
    assert headway.progress(world.core, "run1")["left"] == 1
    obey(world)
    assert [world.processes[slot] == pids[slot] for slot in slots] == [True, False, False]
    assert headway.progress(world.core, "run1")["busy"] == 1
    world.told(slots[0], IDLE, BUSY)
    assert slots[0].state == "busy"  # it took one more when it had been told already
    assert headway.progress(world.core, "run1")["busy"] == 1
    world.told(slots[0], IDLE)
    assert slots[0].state == "stopping"
    obey(world)
    assert not set(world.processes.values()) & set(pids.values())
    assert headway.progress(world.core, "run1") == {"pools": 1, "left": 0, "up": 1, "names": {}}
    assert sleeper.slot(0).state == "hibernating"


def test_a_restart_goes_no_further_than_the_first_that_does_not_come_up() -> None:
    """The others run on, the one that broke is named."""
    world = World()
    pool = world.add(min=2, max=2)
    slots = [working(world, pool, number) for number in range(2)]
    holds.restart(world.core, pool, "run1", world.now)
    world.settle()
    world.exited(slots[0])
    world.exited(slots[0], 78)
    world.pass_s(10)
    assert [slot.state for slot in slots] == ["failed", "idle"]
    assert headway.progress(world.core, "run1")["names"] == {"failed": ["acme/task"]}


@pytest.mark.parametrize("anew", [False, True])
def test_a_host_that_reboots_while_it_is_held_starts_nothing(anew: bool) -> None:
    """Also then what ran runs after the release, and what sleeps from the start sleeps on."""
    world = World()
    pool, busy = world.add("a/task"), world.add("b/task")
    sleeper, worked = world.add("c/nap", at_start="asleep"), world.add("d/nap", at_start="asleep")
    working(world, pool)
    working(world, busy, busy=True)
    for each in (pool, busy, sleeper, worked):
        hold(world, each)
    world.succeeded(anew=anew, boot="another")
    obey(world)
    pools = world.core.book.pools
    assert not world.processes
    world.attention(pools["d/nap"])
    for each in pools.values():
        release(world, each)
    obey(world)
    states_now = {name: each.slot(0).state for name, each in pools.items()}
    assert states_now == {
        **{"a/task": "idle", "b/task": "idle", "c/nap": "hibernating", "d/nap": "idle"},
    }


def test_a_pool_that_was_held_and_sleeps_costs_no_more_than_others() -> None:
    """What a hold needs is gone with it."""
    world = World()
    sleeper, ran = asleep(world, "a/task"), world.add("b/task")
    working(world, ran)
    for pool in (sleeper, ran):
        hold(world, pool)
        release(world, pool)
    assert sleeper.held is None
    obey(world)
    world.told(ran.slot(0), NAP)
    world.exited(ran.slot(0))
    assert ran.held is None
    world.pass_s(2)
    assert not world.core.owing


@pytest.mark.parametrize("anew", [False, True])
def test_places_that_went_while_it_was_held_are_owed_nothing_when_they_come_back(
    anew: bool,
) -> None:
    """Two ran; the pool is made smaller before the release: one is given back, and it stays one."""
    world = World()
    pool = world.add("a/task", min=2, max=2)
    for number in (0, 1):
        working(world, pool, number)
    hold(world, pool)
    obey(world)
    orders.scale(world.core, pool, world.now, (0, 1))
    release(world, pool)
    obey(world)
    world.succeeded(anew=anew)
    pool = world.core.book.pools["a/task"]
    orders.scale(world.core, pool, world.now, (0, 2))
    obey(world)
    assert [slot.state for slot in pool.live()] == ["idle"]
    assert pool.held is None or not pool.held.awake


class Held(RuleBasedStateMachine):
    """Four pools that are held and released while daemons, work and overseers come and go."""

    def __init__(self) -> None:
        super().__init__()
        self.world = World(tokens=2)
        for name, kind in zip(NAMES, KINDS, strict=True):
            self.world.add(name, **kind)
        self.ran: dict[str, list[int]] = {}
        """Pools that are down -> the places that had a process when they were first."""
        self.work: set[str] = set()
        """Pools that got work, or a reason to look, since then."""

    def _pool(self, name: str) -> Pool:
        return self.world.core.book.pools[name]

    def _slots(self) -> list[Slot]:
        return sorted(self.world.processes, key=lambda slot: (slot.pool.name, slot.number))

    def _see(self, name: str) -> None:
        """Remember how a pool stands that is about to be stopped."""
        pool = self._pool(name)
        if not pool.down and name not in self.ran:
            owed = pool.held.awake if pool.held else set()
            self.ran[name] = sorted({*holds.awake(pool), *owed})
            self.work.discard(name)
            quiet = not pool.pending and not any(
                slot in self.world.core.starts or slot.state in states.TROUBLED
                for slot in pool.slots
            )
            if not quiet or not any(s.state == states.HIBERNATING for s in pool.slots):
                self.work.add(name)

    @rule(name=pools, token=tokens)
    def it_is_held(self, name: str, token: str) -> None:
        self._see(name)
        hold(self.world, self._pool(name), token)

    @rule(name=pools)
    def it_is_drained(self, name: str) -> None:
        self._see(name)
        orders.drain(self.world.core, self._pool(name), self.world.now, "why")
        self.world.settle()

    @rule(name=pools, token=tokens)
    def it_is_released(self, name: str, token: str) -> None:
        release(self.world, self._pool(name), token)
        self._forget(name)

    @rule(name=pools)
    def it_is_resumed(self, name: str) -> None:
        orders.resume(self.world.core, self._pool(name), self.world.now, "")
        self.world.settle()
        self._forget(name)

    def _forget(self, name: str) -> None:
        """A pool that runs again: every place that ran does, or is about to; sleepers sleep."""
        pool = self._pool(name)
        if name not in self.ran or pool.down:
            return
        ran = self.ran.pop(name)
        for number in ran:
            slot = pool.slot(number)
            assert pool.held is not None
            owed = number in pool.held.awake and pool in self.world.core.owing
            there = slot.state in states.WORKING or slot.state in states.TROUBLED
            assert owed or there or slot in self.world.core.starts, (number, slot.state)
        if not ran and not pool.least and name not in self.work and not pool.pending:
            assert not any(slot in self.world.core.starts for slot in pool.slots)
            assert not any(slot.state == states.STARTING for slot in pool.slots)

    @rule(name=pools)
    def work_appears(self, name: str) -> None:
        self.work.add(name)
        self.world.attention(self._pool(name))

    @rule(anew=st.booleans())
    def another_overseer_takes_over(self, anew: bool) -> None:
        self.world.succeeded(anew=anew)

    @rule(seconds=st.sampled_from((0.5, 3, 20)))
    def time_passes(self, seconds: float) -> None:
        self.world.pass_s(seconds)

    @precondition(lambda self: self.world.processes)
    @rule(which=st.integers(0, 9), message=st.sampled_from((READY, READY, BUSY, IDLE, NAP)))
    def a_daemon_speaks(self, which: int, message: dict[str, str]) -> None:
        slots = self._slots()
        self.world.told(slots[which % len(slots)], message)

    @precondition(lambda self: self.world.processes)
    @rule(which=st.integers(0, 9), code=st.sampled_from((0, 0, 0, 1)))
    def a_daemon_ends(self, which: int, code: int) -> None:
        slots = self._slots()
        self.world.exited(slots[which % len(slots)], code)

    def teardown(self) -> None:
        """When everybody has let go and daemons obey, what ran runs."""
        ran = dict(self.ran)
        for name in NAMES:
            for token in "ab":
                release(self.world, self._pool(name), token)
            orders.resume(self.world.core, self._pool(name), self.world.now, "")
            self.world.settle()
            self._forget(name)
        obey(self.world)
        for name, places in ran.items():
            pool = self._pool(name)
            came = [pool.slot(n).state in (*states.WORKING, *states.TROUBLED) for n in places]
            assert all(came), (name, [slot.state for slot in pool.slots])
        assert not self.world.core.owing


TestHeld = Held.TestCase
TestHeld.settings = settings(max_examples=40, stateful_step_count=40, deadline=None)
