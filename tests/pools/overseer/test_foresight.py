"""What a change would do, told beforehand: what the overseer foresees is what then happens."""

from __future__ import annotations

from typing import Any

import pytest

from fleetctl.pools.overseer import headway, lives, orders
from fleetctl.pools.overseer.foresight import KEPT_MOST, foreseen
from fleetctl.pools.overseer.pools import NEVER
from tests.pools.overseer.world import IDLE, World, working


def needed(world: World, do: str, **asked: Any) -> int:
    """How many pools it would change."""
    pools = list(world.core.book.pools.values())
    count = foreseen(world.core, pools, {"do": do, **asked}, world.now)["needed"]
    assert isinstance(count, int)
    return count


def did(world: World, do: str, **asked: Any) -> None:
    """Really do it to all pools."""
    for pool in list(world.core.book.pools.values()):
        core, now = world.core, world.now
        until = now + asked["for_s"] if "for_s" in asked else NEVER
        if do in ("pause", "drain"):
            act = orders.pause if do == "pause" else orders.drain
            act(core, pool, now, asked["why"], by=asked["by"], until=until)
        elif do == "scale":
            orders.scale(core, pool, now, (0, 3))
        elif do == "wake":
            lives.attention(core, pool, now)
        elif do == "resume":
            orders.resume(core, pool, now, "x")
        else:
            orders.hibernate(core, pool, now)
    world.settle()
    for slot in list(world.processes):
        if slot.state == "stopping":
            world.exited(slot)


WHO = {"why": "keys", "by": "ann"}


@pytest.mark.parametrize(
    ("do", "asked"),
    [
        ("hibernate", {}),
        ("pause", WHO),
        ("drain", {**WHO, "for_s": 60}),
        ("scale", {"min": 0, "max": 3}),
    ],
)
def test_what_is_so_already_need_not_be_done(do: str, asked: dict[str, Any]) -> None:
    """The first time it changes both pools, the second time none."""
    world = World()
    for name in ("a/x", "b/y"):
        working(world, world.add(name, at_start="run"))
    world.pass_s(20)
    assert needed(world, do, **asked) == 2
    did(world, do, **asked)
    assert needed(world, do, **asked) == 0


def test_wake_resume_and_restart_are_needed_where_they_change_something() -> None:
    """Who works need not be woken, who sleeps need not be restarted, who runs not be resumed."""
    world = World()
    awake, asleep = world.add("a/x"), world.add("b/y", at_start="asleep")
    working(world, awake)
    assert needed(world, "wake") == 1
    assert needed(world, "restart") == 1
    assert needed(world, "resume") == needed(world, "retry") == 0
    orders.pause(world.core, asleep, world.now, "x")
    assert needed(world, "resume") == 1
    did(world, "resume")
    did(world, "wake")
    assert needed(world, "wake") == 0


def test_a_busy_daemon_is_to_sleep_once_but_can_be_interrupted_still() -> None:
    """It has been told to; `now` is more than that."""
    world = World()
    pool = world.add()
    working(world, pool, busy=True)
    assert needed(world, "hibernate") == 1
    orders.hibernate(world.core, pool, world.now)
    assert needed(world, "hibernate") == 0
    assert needed(world, "hibernate", now=True) == 1


def test_another_end_reason_or_person_replaces_a_pause() -> None:
    """Any of them is a change; and it is told whose pause it was, why and until when."""
    world = World()
    pool = world.add()
    orders.pause(world.core, pool, world.now, "keys", by="mo", until=world.now + 3600)
    assert needed(world, "pause", why="keys", by="mo", for_s=3600) == 0
    assert needed(world, "pause", why="keys", by="mo", for_s=20) == 1
    assert needed(world, "pause", why="keys", by="mo") == 1
    assert needed(world, "pause", why="keys", by="ann", for_s=3600) == 1
    assert needed(world, "drain", why="keys", by="mo", for_s=3600) == 1
    kept = foreseen(world.core, [pool], {"do": "pause"}, world.now)["kept"]
    assert kept == [{"is": "paused", "by": "mo", "why": "keys", "left_s": 3600, "pools": 1}]


def test_a_thousand_reasons_make_a_short_answer() -> None:
    """All beyond the first are counted together."""
    world = World()
    pools = [world.add(f"a{n}/k{n}") for n in range(KEPT_MOST + 5)]
    for number, pool in enumerate(pools):
        orders.pause(world.core, pool, world.now, f"reason {number}")
    kept = foreseen(world.core, pools, {"do": "drain"}, world.now)["kept"]
    assert len(kept) == KEPT_MOST + 1
    assert kept[-1] == {"pools": 5}


def test_who_only_time_wakes_is_counted() -> None:
    """A queue or a socket wakes; one that keeps a process is no sleeper."""
    world = World()
    world.add("a/queued", queue="q")
    world.add("a/heard", socket="/s")
    world.add("a/timed", max_sleep=7200.0)
    world.add("a/stays", min=1)
    told = foreseen(world.core, list(world.core.book.pools.values()), {"do": "hibernate"}, 0.0)
    assert (told["least"], told["timed"], told["longest_s"]) == (1, 1, 7200.0)


def test_the_least_a_pool_is_to_have_is_not_put_to_sleep() -> None:
    """Not with `now` either: it would sleep for hours, though it is to run always."""
    world = World()
    pool = world.add(min=1, max=2)
    working(world, pool)
    world.core.want(pool.slot(1), "need", "", world.now)
    world.settle()
    more = working(world, pool, 1)
    world.told(more, IDLE)
    assert needed(world, "hibernate") == 1
    did(world, "hibernate")
    assert [slot.state for slot in pool.slots] == ["idle", "hibernating"]
    assert needed(world, "hibernate", now=True) == 0
    orders.hibernate(world.core, pool, world.now, interrupt=True)
    assert pool.slot(0).state == "idle"


def test_work_of_the_least_is_not_interrupted_and_goes_on() -> None:
    """What `now` would end, and who of the busy need not end when it rests."""
    world = World()
    least, other = world.add("a/x", min=1), world.add("b/y")
    working(world, least, busy=True)
    working(world, other, busy=True)
    pools = [least, other]
    told = foreseen(world.core, pools, {"do": "hibernate", "now": True}, world.now)
    assert (told["interrupts"], told["interrupted"]) == (1, ["b/y"])
    assert headway.standing(world.core, pools)["lasting"] == 2
    did(world, "hibernate")
    assert headway.standing(world.core, pools)["lasting"] == 1
