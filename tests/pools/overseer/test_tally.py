"""The tally of all pools, against counting them one by one."""

from __future__ import annotations

import json
from collections import Counter
from typing import Any

import pytest
from hypothesis import settings
from hypothesis.stateful import invariant

from fleetctl.pools.overseer import holds, orders, states, tally, views
from fleetctl.pools.overseer.kinds import Kind
from fleetctl.pools.overseer.pools import Pool
from fleetctl.pools.tallies import Group, Tally, tally_of, total
from tests.pools.overseer.test_laws import Hosts
from tests.pools.overseer.world import World, working

SOURCES = {"q": tally.SURE, "broken": tally.UNSURE}


def _told(world: World, **request: Any) -> Tally:
    """The tally as a reader gets it."""
    asked = tally.Asked(request)
    answer = tally.tally(world.core, asked, world.now, SOURCES, lambda pid: 2048)
    return tally_of(json.loads(json.dumps({"at": 0.0, "overseer": {}, **answer})), "h1")


def _counted(world: World, pools: list[Pool]) -> dict[str, Any]:
    """What the tally of some pools must say, without its short cuts."""
    core, now = world.core, world.now
    shown: Counter[str] = Counter()
    for pool in pools:
        seen = [tally.slot_state(pool, slot) for slot in pool.slots if slot.state != "empty"]
        nobody = "held" if pool.holds else pool.intent if pool.note else "empty"
        shown.update(seen or [nobody])
    sleepers = [
        slot.until - now
        for pool in pools
        for slot in pool.slots
        if slot.state == states.HIBERNATING and pool.intent == "run" and not pool.holds
    ]
    claimable = [p.claimable for p in pools if p.claimable and p.kind.queue == "q"]
    ages = [now - since for _, number, since in claimable if number]
    processes = sum(len(pool.live()) for pool in pools)
    errors = [time for p in pools for time in core.book.errors.get(p.name, ())]
    return {
        "pools": len(pools),
        "words": dict(Counter(views.word(pool) for pool in pools)),
        "slots": dict(shown),
        "places": sum(pool.most for pool in pools),
        "processes": processes,
        "measured": processes,
        "memory_mb": 2.0 * processes,
        "errors_15m": sum(time > now - 900 for time in errors),
        "claimable": sum(number for _, number, _ in claimable),
        "oldest_s": pytest.approx(max(ages), abs=0.051) if ages else None,
        "next_wake_s": pytest.approx(max(0, min(sleepers)), abs=0.051) if sleepers else None,
        "uncounted": sum(not pool.kind.queue for pool in pools),
        "uncertain": sum(pool.kind.queue == "broken" for pool in pools),
    }


def _agrees(group: Group, expected: dict[str, Any]) -> None:
    assert {name: getattr(group, name) for name in expected} == expected


class Tallied(Hosts):
    """The host of the laws, tallied after whatever happens to it."""

    @invariant()
    def the_tally_is_what_counting_gives(self) -> None:
        pools = list(self.world.core.book.pools.values())
        for by in ("kind", "instance"):
            told = _told(self.world, by=by)
            for name, group in told.groups.items():
                mine = [p for p in pools if name in (p.instance, p.kind.name)]
                _agrees(group, _counted(self.world, mine))
                troubled = sum(one.pools for one in group.troubles)
                wrong = group.words.get("FAILED", 0) + group.words.get("BACKOFF", 0)
                assert troubled == wrong
            _agrees(total(told.groups.values()), _counted(self.world, pools))
            assert sum(group.pools for group in told.groups.values()) == len(pools)


TestTallied = Tallied.TestCase
TestTallied.settings = settings(max_examples=15, stateful_step_count=25, deadline=None)


def test_troubles_have_cause_and_next_time_and_sleep_is_none() -> None:
    """A failed pool is told with its cause and probe; a sleeper only with its next wake."""
    world = World()
    world.absent.add("sick")
    world.add("acme/sick")
    world.add("acme/task", at_start="asleep", max_sleep=100)
    told = _told(world)
    assert set(told.groups) == set(told.kinds) == {"sick", "task"}
    (trouble,) = told.groups["sick"].troubles
    assert (trouble.state, trouble.cause, trouble.pools) == ("FAILED", "exec_error", 1)
    assert trouble.next_s == 300.0
    assert (trouble.pool, trouble.host) == ("acme/sick", "h1")
    assert told.groups["sick"].errors_15m == 1
    asleep = told.groups["task"]
    assert (asleep.words, asleep.slots) == ({"HIBERNATING": 1}, {"hibernating": 1})
    assert asleep.next_wake_s is not None
    assert 50 <= asleep.next_wake_s <= 100
    assert not asleep.troubles


def test_who_held_pools_is_told_and_nothing_held_counts_as_asleep() -> None:
    """A paused sleeper wakes by nothing: it is paused, with why, by whom and how much longer."""
    world = World()
    pool = world.add("acme/task", at_start="asleep")
    busy = world.add("bolt/task", at_start="asleep")
    world.attention(busy)
    working(world, busy, busy=True)
    orders.pause(world.core, pool, world.now, "keys", by="ann", until=world.now + 60)
    orders.drain(world.core, busy, world.now, "keys", by="ann")
    group = _told(world).groups["task"]
    assert group.slots == {"paused": 1, "draining": 1}
    assert group.next_wake_s is None
    held = {hold.state: (hold.why, hold.by, hold.pools, hold.left_s) for hold in group.holds}
    assert held == {"PAUSED": ("keys", "ann", 1, 60.0), "DRAINING": ("keys", "ann", 1, None)}


def test_what_a_run_holds_is_told_as_held() -> None:
    """A sleeper under a token is not hibernating, for no work wakes it, nor paused by a person;
    whose token it is is told. Released, it sleeps again."""
    world = World()
    pool = world.add("acme/task", at_start="asleep")
    holds.hold(world.core, pool, "run-1", world.now, "push", by="fleetctl")
    group = _told(world).groups["task"]
    assert (group.words, group.slots) == ({"HELD": 1}, {"held": 1})
    assert [(hold.state, hold.why, hold.run) for hold in group.holds] == [("HELD", "push", "run-1")]
    orders.pause(world.core, pool, world.now, "keys", by="ann")
    told = {(hold.state, hold.by, hold.run) for hold in _told(world).groups["task"].holds}
    assert told == {("HELD", "fleetctl", "run-1"), ("PAUSED", "ann", "")}
    orders.resume(world.core, pool, world.now, "", by="ann")
    orders.release(world.core, pool, "run-1", world.now)
    assert _told(world).groups["task"].slots == {"hibernating": 1}


def test_tasks_are_unknown_where_their_source_fails_and_nobody_counts_zero() -> None:
    """No queue, a queue that is counted, and one whose source fails are three different things."""
    world = World()
    counted = world.add("acme/task", queue="q", at_start="asleep")
    lost = world.add("acme/pull", queue="broken", at_start="asleep")
    world.add("acme/cron", at_start="asleep")
    for pool in (counted, lost):
        orders.pause(world.core, pool, world.now, "a look")
        world.counted(pool, 3)
    world.pass_s(30)
    told = _told(world).groups
    assert (told["task"].claimable, told["task"].oldest_s) == (3, 30.0)
    assert (told["pull"].claimable, told["pull"].oldest_s, told["pull"].uncertain) == (0, None, 1)
    assert (told["cron"].claimable, told["cron"].uncounted) == (0, 1)
    world.counted(counted, 0)
    assert _told(world).groups["task"].oldest_s is None


def test_it_is_asked_of_some_kinds_and_instances() -> None:
    """Words with * and ? choose; what nothing matches is an empty answer that names the kinds."""
    world = World()
    wanted = {
        f"i{n}/{k}": Kind(k, {"command": ("x",)}) for n in range(20) for k in ("task", "pull")
    }
    world.configure(wanted)
    assert _told(world, kinds=["t*"]).groups["task"].pools == 20
    told = _told(world, instances=["i1?", "i3"], by="instance")
    assert len(told.groups) == 11
    assert {group.pools for group in told.groups.values()} == {2}
    none = _told(world, kinds=["tsak"])
    assert (none.groups, none.kinds) == ({}, ("pull", "task"))
    with pytest.raises(ValueError, match="lists of words"):
        tally.Asked({"kinds": "task"})


def test_of_many_instances_the_worst_are_told_and_the_rest_is_counted() -> None:
    """What is left out adds up with what is told; who asks for more gets all."""
    world = World()
    kind = Kind("task", {"command": ("x",), "at_start": "asleep"})
    sick = Kind("sick", {"command": ("x",)})
    world.absent.add("sick")
    names = [f"i{n:04}" for n in range(250)]
    world.configure({**{f"{name}/task": kind for name in names}, "i0240/sick": sick})
    told = _told(world, by="instance")
    assert next(iter(told.groups)) == "i0240"
    assert (len(told.groups), told.left_out) == (100, 150)
    assert total([*told.groups.values(), told.rest]).words == {"HIBERNATING": 250, "FAILED": 1}
    told = _told(world, by="instance", most=1000)
    assert (sorted(told.groups), told.left_out, told.rest) == (names, 0, Group())
