"""The rarer words of sd_notify: what is done about each, or that it is refused and why."""

from __future__ import annotations

import array
import os
import socket

import pytest

from fleetctl.pools.overseer import notify, states
from fleetctl.pools.overseer.lives import REFUSED
from fleetctl.pools.overseer.poison import Poison
from tests.pools.overseer.world import BEAT, World, working


def _said(world: World) -> list[str]:
    return [record["what"] for record in world.log if record["e"] == "said"]


@pytest.mark.parametrize("word", sorted(REFUSED))
def test_what_is_not_obeyed_is_said_once_in_a_life(word: str) -> None:
    """Loudly enough to be found, and not as often as a daemon says it."""
    world = World()
    slot = working(world, world.add(min=1))
    for _ in range(3):
        world.told(slot, {word: "7"})
    assert _said(world) == [f"{word} refused: {REFUSED[word]}"]
    world.exited(slot, 1)
    world.pass_s(3)
    world.told(slot, {word: "7"})
    assert len(_said(world)) == 2


def test_a_daemon_that_tells_its_own_pid_is_not_refused() -> None:
    """Many send MAINPID beside READY; that it is the one we know is no news."""
    world = World()
    slot = working(world, world.add(min=1))
    assert slot.life is not None
    world.told(slot, {"MAINPID": str(slot.life.pid), "READY": "1"})
    assert not _said(world)


def test_an_errno_is_told_with_its_name() -> None:
    """So that the log says why a start failed; a number nobody knows does no harm."""
    world = World()
    pool = world.add(min=2, max=2)
    world.told(pool.slot(0), {"ERRNO": "2"})
    world.told(pool.slot(1), {"ERRNO": "9" * 18})
    assert _said(world)[0] == "errno 2 (ENOENT)"
    assert len(_said(world)) == 2


def test_one_that_reloads_may_be_silent_until_it_is_ready_again() -> None:
    """As long as a start may take; then its watchdog bites as ever."""
    world = World()
    slot = working(world, world.add(min=1, watchdog=10, start_timeout=60))
    assert slot.life is not None
    world.told(slot, {"RELOADING": "1", "MONOTONIC_USEC": "5"})
    assert slot.life.status == "reloading"
    world.pass_s(55)
    assert slot.state == states.IDLE
    world.told(slot, {"READY": "1"})
    assert slot.life.status == ""
    world.pass_s(9)
    assert slot.state == states.IDLE
    world.pass_s(2)
    assert (slot.state, slot.cause) == (states.STOPPING, states.HANG)


def test_one_that_never_ends_its_reload_hangs() -> None:
    """Its start's time is all it gets, and saying it again does not move that further each time."""
    world = World()
    slot = working(world, world.add(min=1, watchdog=10, start_timeout=60))
    world.told(slot, {"RELOADING": "1"})
    world.pass_s(61)
    assert (slot.state, slot.cause) == (states.STOPPING, states.HANG)


def test_a_barrier_is_let_go_when_what_came_before_was_taken_in() -> None:
    """Whoever waits at its other end goes on only then."""
    reader, speaker = socket.socketpair(socket.AF_UNIX, socket.SOCK_DGRAM)
    reader.setblocking(False)
    notify.prepare(reader)
    mine, its = os.pipe2(os.O_NONBLOCK)
    speaker.send(b"READY=1")
    rights = [(socket.SOL_SOCKET, socket.SCM_RIGHTS, array.array("i", [its]))]
    speaker.sendmsg([b"BARRIER=1"], rights)
    os.close(its)
    heard = notify.drain(reader, 10)
    assert next(heard).message == {"READY": "1"}
    with pytest.raises(BlockingIOError):
        os.read(mine, 1)
    assert next(heard).message == {"BARRIER": "1"}
    assert os.read(mine, 1) == b""
    for done in (reader, speaker):
        done.close()
    os.close(mine)


def test_watchdogs_end_a_few_a_minute_and_the_others_later() -> None:
    """When all hang at once it is rather the host; who really hangs is ended in its turn."""
    world = World(tokens=100)
    pools = [world.add(f"i{number}/k", min=1, watchdog=10) for number in range(50)]
    for pool in pools:
        working(world, pool)
    sound = pools[0].slot(0)
    ended = []
    for _ in range(30):
        world.told(sound, BEAT)
        world.pass_s(5)
        ended.append(sum(e.get("c") == states.HANG and e["to"] == "stopping" for e in world.log))
    assert ended[0] == 0
    assert ended[1] == ended[12] == 5, "a tenth of them in the first minute"
    assert ended[14] == ended[24] == 10
    assert ended[29] == 15
    assert world.core.bites_held > 0
    assert sound.state == states.IDLE


def test_where_there_are_few_the_watchdog_is_not_held_back() -> None:
    """Three in a minute may always be ended."""
    world = World()
    for number in range(3):
        working(world, world.add(f"i{number}/k", min=1, watchdog=10))
    world.pass_s(11)
    assert sum(e.get("c") == states.HANG for e in world.log) >= 3
    assert not world.core.bites_held


def test_a_poisoned_task_ends_whoever_takes_it_so_many_times() -> None:
    """Only in its pool; then it is gone."""
    poison = Poison()
    poison.give("a/k", 2)
    taken = {"e": "move", "to": "busy", "n": 1}
    other = {"e": "move", "to": "idle", "p": "a/k", "n": 1}
    assert poison.taken([{**taken, "p": "b/k"}, other, {"e": "born", "p": "a/k", "n": 1}]) == []
    assert poison.taken([{**taken, "p": "a/k"}]) == [("a/k", 1)]
    assert poison.taken([{**taken, "p": "a/k"}, {**taken, "p": "a/k"}]) == [("a/k", 1)]
    assert poison.taken([{**taken, "p": "a/k"}]) == []
