"""The ground of a run: leases taken, kept, lost; judged over several keepers."""

from __future__ import annotations

import os
import queue
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fleetctl.base.errors import LockHeld, Unreachable
from fleetctl.playbook.operations import Exec
from fleetctl.rollout.controls import Command
from fleetctl.rollout.ground import _LOOK_S, Ground
from fleetctl.rollout.verdict import judge, tiers_of
from fleetctl.transport.lease import Answer, Claimant, Tenure, show_text, steal_text
from fleetctl.transport.local import LocalTransport
from fleetctl.transport.protocol import (
    Event,
    Look,
    Looked,
    Lost,
    Order,
    Refused,
    RunSegment,
    SegmentEnded,
    Sink,
    StepOrder,
)

KEEPERS = {"db": ("k1", "k2", "k3"), "web": ("k1",)}
ALICE, BOB = Claimant("run-a", 5, "alice@x"), Claimant("run-b", 6, "bob@y")
HELD = Tenure("held", "db", "run-b", 12.0, 100.0, "bob@y", "")


class Clock:
    """Uptime that is set by hand."""

    now_s = 100.0

    def __call__(self) -> float:
        return self.now_s


class Half:
    """A transport some hosts of which cannot be reached."""

    def __init__(self, sink: Sink, home: Path, dark: set[str], deaf: set[str]) -> None:
        self._sink, self._dark, self._deaf = sink, dark, deaf
        self._local = LocalTransport(
            sink,
            environment=lambda host: {"HOME": str(home / host), "PATH": os.environ["PATH"]},
        )
        self.orders: list[Order] = []

    def submit(self, order: Order) -> None:
        self.orders.append(order)
        if order.host in self._deaf:
            return
        if order.host in self._dark and isinstance(order, (Look, RunSegment)):
            self._sink(Lost(order.ticket, order.host, False, "connect", "no route to it"))
            return
        (self._home(order.host)).mkdir(exist_ok=True)
        self._local.submit(order)

    def _home(self, host: str) -> Path:
        return Path(self._local_home) / host

    _local_home = ""

    def close(self) -> None:
        self._local.close()


Open = Callable[..., Ground]


@pytest.fixture
def dark() -> set[str]:
    """Hosts that cannot be reached now."""
    return set()


@pytest.fixture
def deaf() -> set[str]:
    """Hosts that never answer."""
    return set()


@pytest.fixture
def clock() -> Clock:
    """Every ground's clock."""
    return Clock()


@pytest.fixture
def stand(tmp_path: Path, dark: set[str], deaf: set[str], clock: Clock) -> Iterator[Open]:
    """Opens grounds that share the hosts k1, k2, k3."""
    opened: list[Ground] = []

    def open_ground(claimant: Claimant, heartbeat_s: float = 60.0) -> Ground:
        def way(sink: Sink) -> Half:
            half = Half(sink, tmp_path, dark, deaf)
            half._local_home = str(tmp_path)
            return half

        ground = Ground(way, "fleet", KEEPERS, claimant, clock, heartbeat_s)
        opened.append(ground)
        return ground

    yield open_ground
    for ground in opened:
        ground.close()


def segment(ticket: int, act: str = 'touch "$HOME/ran"') -> RunSegment:
    """An order that changes a host."""
    return RunSegment(ticket, "k1", "run-a", 5, (StepOrder("s", Exec(act), 20.0),))


def final(heard: queue.SimpleQueue[Event | Command], ticket: int) -> Event:
    """The last event of an order."""
    while True:
        event = heard.get(timeout=30)
        if isinstance(event, (SegmentEnded, Refused, Lost)) and event.ticket == ticket:
            return event


def test_connections_outlast_a_lease_given_back_only_so_long(stand: Open) -> None:
    """Who leaves does not wait for them, and who stays does not keep them."""
    ground, closed = stand(ALICE), threading.Event()
    ground._transport.close = closed.set  # type: ignore[method-assign]
    ground.take()
    ground.close(linger_s=0.3)
    assert not closed.is_set()
    stand(BOB).take()  # it is free already
    assert closed.wait(30)


def test_second_of_two_is_refused_and_leaves_the_first_alone(stand: Open) -> None:
    """It names the holder; when the first is done, the second may."""
    first, second = stand(ALICE), stand(BOB)
    first.take()
    with pytest.raises(LockHeld, match="somebody else works on tier") as refused:
        second.take()
    assert "run-a by alice@x" in refused.value.why
    first.take()
    first.close()
    second.take()


def test_one_keeper_of_three_may_be_down_but_no_tier_is_unknown(
    stand: Open, dark: set[str]
) -> None:
    """The majority decides; with too few, nothing is begun and the error says why."""
    dark.add("k3")
    stand(ALICE).take()
    dark.add("k2")
    with pytest.raises(Unreachable) as unsure:
        stand(ALICE._replace(number=6)).take()
    assert "k2: no route to it" in unsure.value.why


def test_a_hung_keeper_delays_neither_the_start_nor_the_end(stand: Open, deaf: set[str]) -> None:
    """A host that never answers costs a run about a second, not the time of one whole look."""
    deaf.add("k3")
    ground = stand(ALICE)
    started_s = time.monotonic()
    ground.take()
    taken_s = time.monotonic()
    assert taken_s - started_s < _LOOK_S
    ground.listen(lambda event: None)
    ground._wake.set()
    ground.close()
    assert time.monotonic() - taken_s < _LOOK_S


def test_order_of_a_holder_that_comes_back_late_is_not_sent(
    stand: Open, clock: Clock, tmp_path: Path
) -> None:
    """After a laptop's sleep the lease is asked for before anything goes out, and it is gone."""
    ground = stand(ALICE)
    ground.take()
    heard: queue.SimpleQueue[Event | Command] = queue.SimpleQueue()
    ground.listen(heard.put)
    clock.now_s += 3600
    thief = stand(BOB)
    for event in _steal(thief):
        assert isinstance(event, Looked)
    thief.take()
    ground.submit(segment(7))
    refused = final(heard, 7)
    assert isinstance(refused, Refused)
    assert (refused.reason, refused.holder) == ("fence", "run-b")
    assert not (tmp_path / "k1" / "ran").exists()
    ground.submit(segment(8))
    assert isinstance(final(heard, 8), Refused)


def test_order_held_back_goes_once_the_lease_is_ours_again(
    stand: Open, clock: Clock, tmp_path: Path
) -> None:
    """Nobody took it meanwhile: the run just goes on."""
    ground = stand(ALICE)
    ground.take()
    heard: queue.SimpleQueue[Event | Command] = queue.SimpleQueue()
    ground.listen(heard.put)
    clock.now_s += 3600
    ground.submit(segment(7))
    assert isinstance(final(heard, 7), SegmentEnded)
    assert (tmp_path / "k1" / "ran").exists()


def test_theft_is_noticed_by_the_heartbeat(stand: Open) -> None:
    """The run is told to stop, with who and why, also when it has nothing to send."""
    ground = stand(ALICE, heartbeat_s=0.05)
    ground.take()
    heard: queue.SimpleQueue[Event | Command] = queue.SimpleQueue()
    ground.listen(heard.put)
    _steal(stand(BOB))
    while not isinstance(word := heard.get(timeout=30), Command):
        pass
    assert word.word == "lost"
    assert word.by == "bob@y"
    assert "stuck since noon" in word.means


def test_who_lost_one_lease_gives_the_others_back(stand: Open) -> None:
    """The run ends because of the one; nobody is to wait a minute for the other."""
    ground = stand(ALICE, heartbeat_s=0.05)
    ground.take()
    heard: queue.SimpleQueue[Event | Command] = queue.SimpleQueue()
    ground.listen(heard.put)
    look = stand(BOB)
    _steal(look, {"db": KEEPERS["db"]})
    while not isinstance(heard.get(timeout=30), Command):
        pass
    assert "held" in _words(look)
    ground.close()
    assert "held" not in _words(look)


def _words(ground: Ground) -> set[str]:
    """What is said of the leases on k1."""
    answer = ground._ask({"k1": show_text("fleet")}, 20.0)["k1"]
    return {tenure.word for tenure in answer.tenures}


def test_keepers_out_of_reach_for_long_end_the_run_but_not_at_once(
    stand: Open, clock: Clock, dark: set[str]
) -> None:
    """A short outage of the bastion is sat out; after minutes nobody knows whose the tier is."""
    ground = stand(ALICE, heartbeat_s=0.05)
    ground.take()
    heard: queue.SimpleQueue[Event | Command] = queue.SimpleQueue()
    ground.listen(heard.put)
    dark.update(("k1", "k2", "k3"))
    clock.now_s += 10_000
    ground.submit(segment(9))
    assert isinstance(final(heard, 9), Refused)


def _steal(ground: Ground, keepers: Mapping[str, Sequence[str]] = KEEPERS) -> list[Event]:
    """Take these leases away, as `fleetctl lock steal` does."""
    said: queue.SimpleQueue[Event] = queue.SimpleQueue()
    ground._post = said.put  # type: ignore[assignment]
    hosts = tiers_of(keepers)
    for ticket, (host, tiers) in enumerate(hosts.items(), 1):
        text = steal_text("fleet", tiers, "bob@y", "stuck since noon", 1.0)
        ground.submit(Look(ticket, host, text, 20.0))
    return [said.get(timeout=30) for _ in hosts]


_ANSWERS = st.sampled_from(
    [Answer(True, ()), Answer(False, (), "dark"), Answer(False, (HELD,)), None]
)


@given(st.fixed_dictionaries(dict.fromkeys(("k1", "k2", "k3"), _ANSWERS)))
def test_verdict_laws(found: dict[str, Answer | None]) -> None:
    """One refusal refuses; a grant needs a majority for every tier; two cannot both have it."""
    answers = {host: answer for host, answer in found.items() if answer is not None}
    verdict = judge(KEEPERS, answers)
    grants = {host for host, answer in answers.items() if answer.granted}
    if any(answer.tenures for answer in answers.values()):
        assert verdict.word == "refused"
    elif all(2 * len(grants & set(hosts)) > len(hosts) for hosts in KEEPERS.values()):
        assert verdict.word == "granted"
    else:
        assert verdict.word == "unsure"
        assert verdict.trouble
