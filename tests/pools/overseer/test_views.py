"""What is told of pools."""

from __future__ import annotations

from fleetctl.pools.overseer import views
from tests.pools.overseer.world import NAP, READY, World, working


def test_who_asks_why_is_told_when_it_goes_on() -> None:
    """A sleeper's wake and the next try of what ended badly; a process at work has no such time."""
    world = World()
    pool = world.add()
    slot = working(world, pool)
    assert "next_s" not in views.explain(world.core, pool, world.now)["slots"][0]
    world.told(slot, NAP)
    world.exited(slot)
    told = views.explain(world.core, pool, world.now)["slots"][0]
    assert told["state"] == "hibernating"
    assert told["next_s"] == round(slot.until - world.now, 1)
    world.attention(pool)
    world.told(slot, READY)
    world.exited(slot, code=1)
    told = views.explain(world.core, pool, world.now)["slots"][0]
    assert told["state"] == "backoff"
    assert 0 < told["next_s"] <= 1.2
