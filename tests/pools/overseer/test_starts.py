"""The line of starts: who is next."""

from __future__ import annotations

from fleetctl.pools.overseer import lives
from fleetctl.pools.overseer.kinds import Kind
from fleetctl.pools.overseer.pools import Pool, Slot
from fleetctl.pools.overseer.starts import LONG, Start, Starts
from tests.pools.overseer.world import READY, World

KIND = Kind("k", {"command": ["d"]})


def _slot(name: str) -> Slot:
    return Pool(f"{name}/k", KIND).slot(0)


def _served(starts: Starts, most: int = 10_000) -> list[str]:
    found: list[str] = []
    while len(found) < most and (first := starts.pop()) is not None:
        found.append(first[0].pool.instance)
    return found


def test_a_short_line_is_served_oldest_first_and_work_before_the_rest() -> None:
    """Also when they are put in line in another order; reloads and probes come later."""
    starts = Starts()
    for name, trigger, at in (
        ("c", "wake", 3),
        ("p", "probe", 0),
        ("a", "wake", 1),
        ("b", "need", 2),
    ):
        starts.push(_slot(name), Start(trigger, "", float(at)))
    assert _served(starts) == ["a", "b", "c", "p"]


def test_who_comes_during_a_storm_is_served_after_a_few_of_it() -> None:
    """And the storm itself goes on, its oldest as well: nobody is served twice or forgotten."""
    starts = Starts()
    storm = [f"s{number:04d}" for number in range(1000)]
    for name in storm:
        starts.push(_slot(name), Start("wake", "", 1.0))
    assert len(_served(starts, 100)) == 100
    starts.push(_slot("late"), Start("wake", "", 50.0))
    assert "late" in _served(starts, 2)
    rest = _served(starts)
    assert len(rest) == len(set(rest)) == 1000 - 100 - 1
    assert not len(starts)


def test_the_oldest_of_a_long_line_are_not_passed_over() -> None:
    """However many come after them: every second start is theirs."""
    starts = Starts()
    first = [f"f{number}" for number in range(20)]
    for name in first:
        starts.push(_slot(name), Start("wake", "", 1.0))
    served: list[str] = []
    for turn in range(60):
        starts.push(_slot(f"n{turn}"), Start("wake", "", 2.0 + turn))
        served += _served(starts, 1)
    assert set(first) <= set(served[: 2 * len(first) + LONG])


def test_restarts_of_errors_and_growth_never_jump_the_line() -> None:
    """Only somebody's work does."""
    starts = Starts()
    for number in range(100):
        starts.push(_slot(f"s{number}"), Start("wake", "", 1.0))
    for name, trigger, grows in (("due", "due", False), ("more", "need", True)):
        starts.push(_slot(name), Start(trigger, "", 5.0, grows=grows))
    assert not {"due", "more"} & set(_served(starts, 50))


def test_one_taken_out_of_the_line_is_not_served() -> None:
    """Nor is the line confused by one that was put in anew."""
    starts, slots = Starts(), [_slot(f"s{number}") for number in range(40)]
    for slot in slots:
        starts.push(slot, Start("wake", "", 1.0))
    for slot in slots[::2]:
        starts.drop(slot)
    starts.push(slots[0], Start("wake", "", 2.0))
    served = _served(starts)
    assert sorted(served) == sorted({"s0", *(slot.pool.instance for slot in slots[1::2])})


def _storm(tokens: int, size: int) -> tuple[World, list[Pool]]:
    """Pools of as many instances, woken in one turn."""
    world = World(tokens)
    made = [world.add(f"s{number:03d}/k", at_start="asleep") for number in range(size)]
    for pool in made:
        lives.attention(world.core, pool, world.now)
    world.settle()
    return world, made


def _started(world: World) -> list[str]:
    return [name for _, name in world.starts]


def test_who_comes_by_itself_during_a_storm_starts_at_once() -> None:
    """It is one more than may start at once otherwise; others wait for it, or for their turn, the
    youngest first; and with the storm that ends."""
    world, _ = _storm(2, 60)
    late = [world.add(f"late{number}/k", at_start="asleep") for number in range(3)]
    assert len(world.processes) == 2
    for pool in late:
        world.attention(pool)
    assert _started(world)[2:] == ["late0/k"]
    world.told(late[0].slot(0), READY)
    assert _started(world)[3:] == ["late2/k"]
    while starting := [slot for slot in world.processes if slot.state == "starting"]:
        assert len(starting) <= 2 + (len(world.core.starts) >= LONG)
        world.told(starting[0], READY)
    assert len(world.processes) == 63


def test_a_storm_leaves_the_memory_reserve_alone() -> None:
    """It goes on when there is room again; who comes by itself may use the reserve meanwhile; and
    after a minute they go one by one, so that nobody stands there for ever."""
    world, made = _storm(4, 100)
    world.core.fits = lambda _pool, _starting: False
    late = world.add("late/k", at_start="asleep")

    def obey(seconds: int) -> None:
        for _ in range(seconds):
            for slot in [slot for slot in world.processes if slot.state == "starting"]:
                world.told(slot, READY)
            world.pass_s(1)
            assert sum(slot.state == "starting" for slot in world.processes) <= 1

    obey(30)
    assert len(world.processes) == 4
    world.attention(late)
    assert _started(world)[4:] == ["late/k"]
    obey(28)
    assert len(world.processes) == 5
    obey(10)
    assert 5 < len(world.processes) < 40
    world.core.fits = lambda _pool, _starting: True
    for _ in range(100):
        for slot in [slot for slot in world.processes if slot.state == "starting"]:
            world.told(slot, READY)
    assert len(world.processes) == len(made) + 1
