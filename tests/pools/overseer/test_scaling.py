"""How pools grow, who is let start, and in which order."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fleetctl.pools.overseer import lives
from fleetctl.pools.overseer.scaling import Load, growth
from tests.pools.overseer.world import BUSY, NAP, READY, World, working


def _load(numbers: tuple[int, int, int, int], **changed: object) -> Load:
    usual: dict[str, object] = {
        **{"all_busy_s": 5.0, "observed": True, "claimable": 9, "memory": True},
        **changed,
    }
    return Load(numbers=numbers, **usual)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("load", "decided"),
    [
        (_load((1, 0, 0, 8)), (1, "all_busy")),
        (_load((2, 0, 0, 8)), (2, "all_busy")),
        (_load((4, 0, 0, 7)), (3, "all_busy")),
        (_load((4, 0, 0, 8), claimable=1), (1, "all_busy")),
        (_load((4, 0, 0, 8), observed=False, claimable=None), (1, "all_busy")),
        (_load((3, 1, 0, 4)), (0, "most")),
        (_load((0, 1, 0, 4)), (0, "sick")),
        (_load((0, 0, 0, 4)), (0, "asleep")),
        (_load((1, 0, 0, 4), all_busy_s=1.0), (0, "not_all_busy_long_enough")),
        (_load((1, 0, 0, 4), claimable=None), (0, "queue_unknown")),
        (_load((2, 0, 1, 4), claimable=1), (0, "queue_served")),
        (_load((1, 0, 0, 4), memory=False), (0, "memory")),
    ],
)
def test_the_law(load: Load, decided: tuple[int, str]) -> None:
    """Doubling, within the maximum and the work there is; the binding constraint is told."""
    assert growth(load, up_after=2.0) == decided


@given(
    *(st.integers(0, 9) for _ in range(4)),
    st.floats(0, 10),
    st.one_of(st.none(), st.integers(0, 20)),
    st.booleans(),
)
def test_never_more_than_there_is_room_and_work_for(
    live: int, sick: int, starting: int, most: int, busy_s: float, queue: int | None, memory: bool
) -> None:
    """H1 and the sense of it: n + k <= max; no growth on an unknown queue or short memory."""
    numbers = (live, sick, starting, most)
    more, _ = growth(
        _load(numbers, all_busy_s=busy_s, claimable=queue, memory=memory), up_after=2.0
    )
    assert more >= 0
    assert more == 0 or (live + sick + more <= most and memory and queue is not None)
    assert more <= max(0, (queue or 0) - starting)


def _all_busy(world: World) -> None:
    for slot in list(world.processes):
        if slot.state in ("starting", "idle"):
            world.told(slot, READY, BUSY)


def test_a_pool_doubles_under_load_up_to_its_maximum() -> None:
    """One, two, four; not before the newest are ready."""
    world = World(tokens=99)
    pool = world.add(max=4, queue="q")
    sizes = []
    for _ in range(20):
        world.counted(pool, 50)
        world.pass_s(1)
        sizes.append(len(world.processes))
        if len(sizes) % 3 == 0:
            _all_busy(world)
    assert sorted(set(sizes)) == [1, 2, 4]


def test_growth_leaves_the_memory_reserve_alone_but_a_first_process_may_use_it() -> None:
    """Short memory holds growth back, not a sleeping pool's first; the hard floor holds all."""
    world = World()
    pool = world.add(max=4, queue="q")
    sleeper = world.add("bolt/task", at_start="asleep")
    working(world, pool, busy=True)
    world.core.fits = lambda _pool, _starting: False
    world.counted(pool, 9)
    world.pass_s(5)
    assert len(world.processes) == 1
    world.core.floor_reached = True
    world.attention(sleeper)
    world.pass_s(5)
    assert len(world.processes) == 1
    world.core.floor_reached = False
    world.pass_s(1)
    assert sleeper.slot(0).state == "starting"


def test_one_instance_with_many_pools_does_not_hold_up_another() -> None:
    """Forty pools of one instance wake at once; a pool of another asks later and is not last."""
    world = World(tokens=1)
    greedy = [world.add(f"greedy/k{number}", at_start="asleep") for number in range(40)]
    modest = world.add("modest/task", at_start="asleep")
    for pool in greedy:
        world.attention(pool)
    world.pass_s(0.5)
    world.attention(modest)
    order = []
    while world.core.starts or world.processes:
        for slot in list(world.processes):
            order.append(slot.pool.name)
            world.told(slot, READY, NAP)
            world.exited(slot)
    assert len(order) == 41
    assert order.index("modest/task") <= 3


def test_a_storm_starts_no_more_at_once_than_there_are_tokens() -> None:
    """A thousand pools wake: four start at a time, all are served; a slow one lends its token."""
    world = World(tokens=4)
    pools = [world.add(f"i{number}/task", at_start="asleep") for number in range(50)]
    for pool in pools:
        lives.attention(world.core, pool, world.now)
    world.settle()
    assert len(world.processes) == 4
    world.pass_s(6)
    assert len(world.processes) == 8
    while any(pool.slot(0).state != "idle" for pool in pools):
        for slot in list(world.processes):
            world.told(slot, READY)


def test_one_idle_beside_work_for_long_is_ended_once() -> None:
    """A slot idle for half a minute beside claimable work is restarted, and it is told."""
    world = World()
    pool = world.add(max=2, queue="q")
    slot = working(world, pool)
    for _ in range(40):
        world.counted(pool, 1)
        world.pass_s(1)
    assert (slot.state, slot.cause) == ("stopping", "stall")
    assert any("stalled" in r.get("what", "") for r in world.log)
