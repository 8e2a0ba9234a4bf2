"""Holds that cover pools which come later: specs laid down again by the very run that holds."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any, cast

import pytest

from fleetctl.pools.overseer import answers, holdanswers
from fleetctl.pools.overseer.book import Book
from fleetctl.pools.overseer.kinds import Kind
from fleetctl.pools.overseer.loop import Overseer
from tests.pools.overseer.world import World, working

NEEDED = {"command": ("daemon",), "min": 1}


def asked(world: World, do: str, token: str = "run1", **request: Any) -> dict[str, Any]:
    """What the overseer of a world answers."""
    overseer = cast(Overseer, SimpleNamespace(core=world.core))
    whole = {"token": token, "why": "push", "lenient": True, **request}
    told = holdanswers.ACTS[do](overseer, whole, answers._chosen)
    world.settle()
    return told


def running(world: World) -> list[str]:
    """The pools that have a process."""
    return sorted({slot.pool.name for slot in world.processes})


def test_a_pool_that_comes_while_all_are_held_is_held_until_they_are_released() -> None:
    """Nothing of it starts, though it is needed; then it begins as a new pool does."""
    world = World()
    working(world, world.add("acme/task"))
    asked(world, "hold")
    world.exited(world.core.book.pools["acme/task"].slot(0))
    new = world.add("bolt/task", min=1)
    world.attention(new)
    world.pass_s(20)
    assert running(world) == []
    assert asked(world, "settled")["down"] == 2
    asked(world, "release")
    assert running(world) == ["acme/task", "bolt/task"]
    world.add("cone/task", min=1)
    assert "cone/task" in running(world)


@pytest.mark.parametrize("anew", [False, True])
@pytest.mark.parametrize("boot", ["b", "another"])
def test_an_overseer_that_comes_with_new_specs_holds_new_pools(anew: bool, boot: str) -> None:
    """The push that holds may renew the overseer itself; the host may even restart in between."""
    world = World()
    world.add("acme/task", at_start="asleep")
    asked(world, "hold")
    world.succeeded(anew=anew, boot=boot, more={"bolt/task": Kind("task", NEEDED)})
    world.pass_s(20)
    assert running(world) == []
    asked(world, "release")
    assert running(world) == ["bolt/task"]
    world.succeeded(anew=anew, boot="third", more={"cone/task": Kind("task", NEEDED)})
    assert running(world) == ["bolt/task", "cone/task"]


def test_only_what_fits_the_words_and_was_not_released_is_held() -> None:
    """Of one kind or instance, those; a part that is released is so for pools to come."""
    world = World()
    world.add("acme/nap", at_start="asleep")
    asked(world, "hold", pools=["*/task", "acme/*"])
    asked(world, "release", pools=["acme/*"])
    for name in ("acme/pull", "acme/task", "bolt/pull", "bolt/task"):
        world.add(name, min=1)
    assert running(world) == ["acme/pull", "acme/task", "bolt/pull"]
    asked(world, "hold", pools=["*/task", "acme/*"])
    world.add("acme/cron", min=1)
    assert asked(world, "settled")["pools"] == 5
    asked(world, "release", pools=["*/task", "acme/*"])
    assert not world.core.book.standing


def test_tokens_hold_what_comes_each_for_itself_and_a_word_said_twice_is_one() -> None:
    """Both must let go; what was removed and is named again is held again."""
    world = World()
    world.add("acme/task", at_start="asleep")
    asked(world, "hold")
    asked(world, "hold", "run2")
    before = len(world.log)
    asked(world, "hold")
    assert len(world.log) == before
    world.configure({})
    world.add("acme/task", min=1)
    asked(world, "release")
    assert running(world) == []
    assert asked(world, "settled")["held_by"] == {"run2": 1}
    asked(world, "release", "run2")
    assert running(world) == ["acme/task"]


@pytest.mark.parametrize("anew", [False, True])
def test_of_what_was_said_of_a_pool_the_last_is_right(anew: bool) -> None:
    """All held, an instance let go, one pool of it held again: its others are free."""
    world = World()
    world.add("a/task", at_start="asleep")
    asked(world, "hold")
    asked(world, "release", pools=["b/*"])
    asked(world, "hold", pools=["b/task"])
    comes = {name: Kind("task", NEEDED) for name in ("a/mail", "b/mail", "b/task")}
    world.succeeded(anew=anew, more=comes)
    assert running(world) == ["b/mail"]
    asked(world, "release")
    assert running(world) == ["a/mail", "b/mail", "b/task"]


def test_a_log_of_before_rules_is_understood_and_understands_ours() -> None:
    """What an older overseer wrote is held as it was; it is told what it can hold, not less."""
    old = {"t": 1.0, "e": "standing", "k": "run1", "why": "push", "pools": ["*"], "but": ["b/*"]}
    book = Book()
    book.apply(old)
    one = book.standing["run1"]
    assert [one.covers(name) for name in ("a/task", "b/task")] == [True, False]
    told = one.record("run1", 2.0)
    assert (told["pools"], told["but"]) == (["*"], ["b/*"])


@pytest.mark.parametrize(
    ("held", "released", "left"),
    [
        (["b/task"], ["b/*"], False),
        (["b/t*", "b/[a-c]"], ["b/*"], False),
        (["b/task", "c/task"], ["b/*"], True),
        (["b/t*"], ["b/t?"], True),
    ],
)
def test_what_is_wholly_released_stands_no_more(
    held: list[str], released: list[str], left: bool
) -> None:
    """A word within a wider one is gone with it; nothing that still holds somebody is."""
    world = World()
    world.add("a/task", at_start="asleep")
    asked(world, "hold", pools=held)
    asked(world, "release", pools=released)
    assert bool(world.core.book.standing) == left
