"""Every arrow of the table is there because something real takes it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from fleetctl.pools.overseer import orders, states
from fleetctl.pools.overseer.kinds import Kind
from fleetctl.pools.overseer.pools import Slot
from fleetctl.pools.overseer.states import TABLE, IllegalMove, after
from tests.pools.overseer.world import BUSY, DOWN, IDLE, NAP, READY, World, working

Scene = Callable[[World], Slot]


def _starting(world: World, **given: Any) -> Slot:
    return world.add(**given).slot(0)


def _idle(world: World, **given: Any) -> Slot:
    return working(world, world.add(**given))


def _busy(world: World, **given: Any) -> Slot:
    return working(world, world.add(**given), busy=True)


def _napping(world: World, **given: Any) -> Slot:
    slot = _idle(world, **given)
    world.told(slot, NAP)
    return slot


def _leaving(world: World) -> Slot:
    pool = world.add(min=1, max=2)
    working(world, pool, busy=True)
    world.pass_s(4)
    slot = working(world, pool, 1)
    world.told(slot, DOWN)
    return slot


def _hibernating(world: World) -> Slot:
    slot = _napping(world)
    world.exited(slot)
    return slot


def _backoff(world: World) -> Slot:
    slot = _busy(world)
    world.exited(slot, 1)
    return slot


def _failed(world: World) -> Slot:
    world.absent.add("task")
    slot = _starting(world)
    world.absent.clear()
    return slot


def _stopping(world: World) -> Slot:
    slot = _idle(world)
    world.told(slot, IDLE)
    orders.hibernate(world.core, slot.pool, world.now)
    return slot


def _reloading(world: World) -> Slot:
    slot = _idle(world)
    return _retuned(world, slot)


def _retuned(world: World, slot: Slot) -> Slot:
    """The specs change under a slot."""
    world.configure({slot.pool.name: Kind("task", {"command": ("other",), "max": 2})})
    return slot


def _exit(scene: Callable[..., Slot], code: int = 0, **given: Any) -> Scene:
    def played(world: World) -> Slot:
        slot = scene(world, **given)
        world.exited(slot, code)
        return slot

    return played


def _say(scene: Callable[..., Slot], *messages: dict[str, str]) -> Scene:
    def played(world: World) -> Slot:
        slot = scene(world)
        world.told(slot, *messages)
        return slot

    return played


def _reload(scene: Callable[..., Slot]) -> Scene:
    return lambda world: _retuned(world, scene(world))


def _halt(scene: Callable[..., Slot]) -> Scene:
    def played(world: World) -> Slot:
        slot = scene(world)
        orders.close(world.core, world.now)
        orders.halt(world.core, slot.pool, world.now, states.STOPPED)
        world.settle()
        return slot

    return played


def _after_s(scene: Callable[..., Slot], seconds: float, **given: Any) -> Scene:
    def played(world: World) -> Slot:
        slot = scene(world, **given)
        world.pass_s(seconds)
        return slot

    return played


def _wake(scene: Callable[..., Slot]) -> Scene:
    def played(world: World) -> Slot:
        slot = scene(world)
        world.attention(slot.pool)
        return slot

    return played


def _woken(world: World) -> Slot:
    slot = _wake(_napping)(world)
    world.exited(slot)
    return slot


def _spent(world: World) -> Slot:
    slot = _backoff(world)
    for _ in range(4):
        world.pass_s(10)
        world.exited(slot, 1)
    return slot


def _retry(scene: Callable[..., Slot]) -> Scene:
    def played(world: World) -> Slot:
        slot = scene(world)
        orders.retry(world.core, slot.pool, world.now)
        world.settle()
        return slot

    return played


def _hung(world: World) -> Slot:
    slot = _after_s(_idle, 11, watchdog=10)(world)
    world.exited(slot, None, 6)
    return slot


SCENES: dict[tuple[str, str], Scene] = {
    ("empty", "need"): _starting,
    ("starting", "ready"): _idle,
    ("starting", "overdue"): _after_s(_starting, 91),
    ("starting", "unstartable"): _failed,
    ("starting", "died"): _exit(_starting, 1),
    ("starting", "left"): _exit(_starting, on_clean_exit="done"),
    ("starting", "slept"): _exit(_starting, on_clean_exit="hibernate"),
    ("starting", "reload"): _reload(_starting),
    ("starting", "stop"): _halt(_starting),
    ("idle", "takes"): _busy,
    ("idle", "rests"): _say(_idle, IDLE),
    ("idle", "nap"): _napping,
    ("idle", "leave"): _leaving,
    ("idle", "unstartable"): _exit(_idle, 78),
    ("idle", "died"): _exit(_idle, 1),
    ("idle", "left"): _exit(_idle, on_clean_exit="done"),
    ("idle", "slept"): _exit(_idle, on_clean_exit="hibernate"),
    ("idle", "hangs"): _after_s(_idle, 11, watchdog=10),
    ("idle", "reload"): _reload(_idle),
    ("idle", "stop"): _halt(_idle),
    ("busy", "rests"): _say(_busy, IDLE),
    ("busy", "unstartable"): _exit(_busy, 78),
    ("busy", "died"): _exit(_busy, 1),
    ("busy", "left"): _exit(_busy, on_clean_exit="done"),
    ("busy", "slept"): _exit(_busy, on_clean_exit="hibernate"),
    ("busy", "hangs"): _after_s(_busy, 11, watchdog=10),
    ("busy", "again"): _exit(_say(_reloading, BUSY)),
    ("busy", "stop"): _halt(_busy),
    ("napping", "takes"): _say(_napping, BUSY),
    ("napping", "rests"): _say(_napping, IDLE),
    ("napping", "slept"): _exit(_napping),
    ("napping", "woken"): _woken,
    ("napping", "died"): _exit(_napping, 1),
    ("napping", "hangs"): _after_s(_napping, 16),
    ("napping", "stop"): _halt(_napping),
    ("leaving", "takes"): _say(_leaving, BUSY),
    ("leaving", "rests"): _say(_leaving, IDLE),
    ("leaving", "left"): _exit(_leaving),
    ("leaving", "died"): _exit(_leaving, 1),
    ("leaving", "hangs"): _after_s(_leaving, 16),
    ("leaving", "stop"): _halt(_leaving),
    ("hibernating", "wake"): _wake(_hibernating),
    ("hibernating", "retuned"): _reload(_hibernating),
    ("hibernating", "stop"): _halt(_hibernating),
    ("backoff", "due"): _after_s(_backoff, 2),
    ("backoff", "spent"): _spent,
    ("backoff", "retry"): _reload(_backoff),
    ("backoff", "stop"): _halt(_backoff),
    ("failed", "probe"): _after_s(_failed, 301),
    ("failed", "retry"): _retry(_failed),
    ("failed", "stop"): _halt(_failed),
    ("stopping", "stop"): _halt(_reloading),
    ("stopping", "takes"): _say(_stopping, BUSY),
    ("stopping", "left"): _exit(_halt(_idle)),
    ("stopping", "again"): _exit(_reloading),
    ("stopping", "slept"): _exit(_stopping),
    ("stopping", "died"): _hung,
}


def test_every_arrow_has_its_scene() -> None:
    """No arrow stands in the table that nothing takes, and none is missing from this walk."""
    assert SCENES.keys() == TABLE.keys()


@pytest.mark.parametrize("arrow", TABLE, ids=lambda arrow: "-".join(arrow))
def test_the_arrow_is_taken_and_leads_where_the_table_says(arrow: tuple[str, str]) -> None:
    """Real events bring a slot to the arrow, and it ends in the state the table names."""
    world = World()
    slot = SCENES[arrow](world)
    world.settle()
    moves = [record for record in world.log if record["e"] == "move"]
    before: dict[tuple[str, int], str] = {}
    taken = []
    for move in moves:
        place = (move["p"], move["n"])
        taken.append((place, (before.get(place, "empty"), move["x"]), move["to"]))
        before[place] = move["to"]
    assert ((slot.pool.name, slot.number), arrow, TABLE[arrow]) in taken
    assert slot.state == before[slot.pool.name, slot.number]


def test_what_is_not_in_the_table_is_refused() -> None:
    """A sleeper cannot be told to be ready."""
    with pytest.raises(IllegalMove, match="a slot that is hibernating knows no ready"):
        after("hibernating", "ready")


def test_ready_is_one_message() -> None:
    """READY of the protocol is what makes a starting daemon idle, and nothing else of it."""
    world = World()
    slot = _starting(world)
    world.told(slot, {"STATUS": "READY soon"}, {"READY": "0"})
    assert slot.state == "starting"
    world.told(slot, READY)
    assert slot.state == "idle"
