"""The part of the contract that needs no shell, so that the simulated transport serves it too."""

from __future__ import annotations

import itertools
import os
import queue
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from fleetctl.transport.local import LocalTransport
from fleetctl.transport.protocol import (
    Answered,
    Connected,
    Event,
    Killed,
    Looked,
    Refused,
    StepOrder,
)
from fleetctl.transport.simsegment import Verdict
from fleetctl.transport.simulated import Script, SimTransport, World
from tests.transport.desk import Desk, run

_TICKETS = itertools.count(1)
OpenDesk = Callable[[], Desk]


class SimDesk(Desk):
    """A desk in virtual time: asked for an event, it lets the world go on until there is one."""

    world: World

    def until(self, wanted: Callable[[Event], bool]) -> Event:
        while not any(wanted(event) for event in self.said):
            while self.events.empty():
                self.world.step()
            self.said.append(self.events.get())
        return super().until(wanted)


def verdict(host: str, step: StepOrder) -> Verdict:
    """A simulated host understands `exit 3` and nothing else."""
    return Verdict(end="failed" if "exit 3" in getattr(step.operation, "act", "") else "acted")


@pytest.fixture(params=["local", "simulated"])
def open_desk(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[OpenDesk]:
    """Opens controllers at one host h1."""
    opened: list[LocalTransport | SimTransport] = []
    world = World(["h1"], Script(verdict=verdict))
    home = {"HOME": str(tmp_path), "PATH": os.environ["PATH"]}

    def start() -> Desk:
        events: queue.SimpleQueue[Event] = queue.SimpleQueue()
        if request.param == "local":
            local = LocalTransport(events.put, environment=lambda host: home)
            opened.append(local)
            return Desk(local, events, _TICKETS)
        simulated = SimTransport(world, events.put)
        opened.append(simulated)
        desk = SimDesk(simulated, events, _TICKETS)
        desk.world = world
        return desk

    yield start
    for transport in opened:
        transport.close()


def test_steps_are_told_in_order_up_to_the_first_failure(open_desk: OpenDesk) -> None:
    """acted, failed, and no word of the step after."""
    results = open_desk().do(run("a", "true"), run("b", "exit 3"), run("c", "true"))
    assert [(r.key, r.end, r.replayed) for r in results] == [
        ("a", "acted", False), ("b", "failed", False),
    ]  # fmt: skip


def test_first_word_is_that_it_is_connected(open_desk: OpenDesk) -> None:
    """Connected comes once for a connection, before anything else."""
    desk = open_desk()
    desk.do(run("a", "true"))
    desk.do(run("b", "true"))
    assert [isinstance(event, Connected) for event in desk.said].index(True) == 0
    assert sum(isinstance(event, Connected) for event in desk.said) == 1


def test_success_is_replayed_and_failure_needs_a_higher_try(open_desk: OpenDesk) -> None:
    """What is recorded is not run again."""
    open_desk().do(run("a", "true"), run("b", "exit 3"))
    results = open_desk().do(run("a", "true"), run("b", "exit 3"), fence=11)
    assert [(r.end, r.replayed) for r in results] == [("acted", True), ("failed", True)]
    assert not open_desk().do(run("b", "true", try_no=2), fence=12)[0].replayed


def test_undo_is_told_under_its_own_key(open_desk: OpenDesk) -> None:
    """The record of an undo stands beside its step's."""
    desk = open_desk()
    desk.do(run("a", "true"))
    assert desk.do(run("a", "true", undo="true", take_back=True))[0].key == "a.undo"


@pytest.mark.parametrize(("fence", "other"), [(19, "old"), (20, "twin")])
def test_older_or_equal_fence_of_another_run_is_refused(
    open_desk: OpenDesk, fence: int, other: str
) -> None:
    """Segments and questions alike; the holder is named."""
    open_desk().do(run("a", "true"), run="new", fence=20)
    desk = open_desk()
    refused = desk.final(desk.segment(run("a", "true"), run=other, fence=fence))
    assert isinstance(refused, Refused)
    assert (refused.reason, refused.fence, refused.holder) == ("fence", 20, "new")


def test_asking_raises_the_fence(open_desk: OpenDesk) -> None:
    """After a newer controller asked, the older one's orders come too late."""
    old, new = open_desk(), open_desk()
    old.do(run("a", "true"), fence=10)
    assert [r.end for r in new.ask("a", "b", fence=11)] == ["acted", "absent"]
    refused = old.final(old.segment(run("b", "true"), fence=10))
    assert isinstance(refused, Refused)


def test_kill_and_look_are_answered_on_an_idle_host(open_desk: OpenDesk) -> None:
    """Nothing runs: nothing found; a look needs no run."""
    desk = open_desk()
    killed = desk.kill()
    assert isinstance(killed, Killed)
    assert not killed.found
    looked = desk.look("true")
    assert isinstance(looked, Looked)
    assert looked.exit_status == 0


def test_answers_keep_the_order_of_the_question(open_desk: OpenDesk) -> None:
    """One result a key, as asked."""
    desk = open_desk()
    desk.do(run("a", "true"), run("b", "exit 3"))
    assert [r.key for r in desk.ask("c", "b", "a")] == ["c", "b", "a"]
    assert not [event for event in desk.said if isinstance(event, Answered) and not event.boot]
