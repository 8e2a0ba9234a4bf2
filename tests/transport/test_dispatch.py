"""Orders shared out over threads and connections, told with wires that do what the test says."""

from __future__ import annotations

import itertools
import queue
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from fleetctl.transport.dispatch import Dispatcher
from fleetctl.transport.lanes import Lanes
from fleetctl.transport.local import LocalWire
from fleetctl.transport.protocol import Event, Look, Looked, Lost, SegmentEnded
from fleetctl.transport.watchdog import Watchdog
from fleetctl.transport.wire import Broken, Wire
from tests.transport.desk import Desk, run

OpenDesk = Callable[..., Desk]


@pytest.fixture
def open_desk() -> Iterator[OpenDesk]:
    opened: list[Dispatcher] = []

    def start(dial: Callable[[str], Wire], fanout: int = 4) -> Desk:
        events: queue.SimpleQueue[Event] = queue.SimpleQueue()
        opened.append(Dispatcher(dial, events.put, fanout=fanout))
        return Desk(opened[-1], events, itertools.count(1))

    yield start
    for dispatcher in opened:
        dispatcher.close()


def here(folder: Path) -> LocalWire:
    return LocalWire({"HOME": str(folder), "PATH": "/usr/bin:/bin"})


def until(holds: Callable[[], bool]) -> None:
    deadline_s = time.monotonic() + 30
    while not holds():
        assert time.monotonic() < deadline_s
        time.sleep(0.001)


def ask(desk: Desk, script: str, host: str = "h1", timeout_s: float = 50.0) -> int:
    """Submit a look; its ticket."""
    ticket = next(desk.tickets)
    desk.transport.submit(Look(ticket, host, script, timeout_s))
    return ticket


def test_host_that_cannot_be_reached_is_lost_with_nothing_sent(open_desk: OpenDesk) -> None:
    """What connecting says is handed on as it is."""

    def dial(host: str) -> Wire:
        raise Broken("auth", "no", retryable=False)

    desk = open_desk(dial)
    assert desk.final(desk.segment(run("a", "true"))) == Lost(
        1, "h1", False, "auth", "no", retryable=False
    )


def test_bug_while_connecting_still_gets_a_final_event(open_desk: OpenDesk) -> None:
    """Whatever breaks, the order ends; its place is given back."""

    def dial(host: str) -> Wire:
        raise ZeroDivisionError("oops")

    desk = open_desk(dial, fanout=1)
    for _ in range(3):
        lost = desk.final(desk.segment(run("a", "true")))
        assert isinstance(lost, Lost)
        assert (lost.cause, lost.sent) == ("internal", False)


def test_never_more_connections_than_the_fanout(open_desk: OpenDesk, tmp_path: Path) -> None:
    """Places are counted over all hosts, and idle connections make room."""
    lock, living, most = threading.Lock(), set[str](), [0]

    class Counted(LocalWire):
        def __init__(self, host: str) -> None:
            super().__init__({"HOME": str(tmp_path / host), "PATH": "/usr/bin:/bin"})
            self.host = host
            (tmp_path / host).mkdir(exist_ok=True)
            with lock:
                living.add(host)
                most[0] = max(most[0], len(living))

        def close(self) -> None:
            with lock:
                living.discard(self.host)
            super().close()

    desk = open_desk(Counted, fanout=2)
    tickets = [
        desk.segment(run(f"s{number}", "true"), host=host)
        for number in range(2)
        for host in ("a", "b", "c", "d")
    ]
    assert {type(desk.final(ticket)) for ticket in tickets} == {SegmentEnded}
    assert most[0] <= 2


def test_a_host_that_hangs_keeps_one_thread_however_often_it_is_asked(
    open_desk: OpenDesk, tmp_path: Path
) -> None:
    """Looks at it share the one try to connect, and all others are answered meanwhile."""
    hung, tries = threading.Event(), itertools.count()

    def dial(host: str) -> Wire:
        if host == "hung":
            next(tries)
            hung.wait(30)
            raise Broken("connect", "it never spoke")
        return here(tmp_path)

    desk = open_desk(dial, fanout=3)
    looks = [ask(desk, "true", host="hung") for _ in range(20)]
    assert isinstance(desk.transport, Dispatcher)
    door = desk.transport._doors["hung"]
    until(lambda: len(door.parked) == 19)
    looks.append(desk.segment(run("a", "true"), host="hung"))
    assert isinstance(desk.final(ask(desk, "true", host="well")), Looked)
    hung.set()
    for ticket in looks:
        lost = desk.final(ticket)
        assert isinstance(lost, Lost)
        assert (lost.detail, lost.sent) == ("it never spoke", False)
    assert next(tries) == 1


def test_looks_parked_while_connecting_are_answered_then(
    open_desk: OpenDesk, tmp_path: Path
) -> None:
    """One whose time is over is lost: who asked has gone, and must not have it done later."""
    slow = threading.Event()

    def dial(host: str) -> Wire:
        slow.wait(30)
        return here(tmp_path)

    desk = open_desk(dial, fanout=3)
    segment = desk.segment(run("a", "true"))
    assert isinstance(desk.transport, Dispatcher)
    door = desk.transport._doors["h1"]
    until(lambda: door.dialling)
    looks = [ask(desk, "true"), ask(desk, "true"), ask(desk, "true")]
    stale = ask(desk, "touch stale", timeout_s=0.0)
    until(lambda: len(door.parked) == 4)
    slow.set()
    assert {type(desk.final(ticket)) for ticket in looks} == {Looked}
    assert isinstance(desk.final(segment), SegmentEnded)
    lost = desk.final(stale)
    assert isinstance(lost, Lost)
    assert not lost.sent
    assert not (tmp_path / "stale").exists()


def test_orders_after_close_are_lost_with_nothing_sent(open_desk: OpenDesk, tmp_path: Path) -> None:
    """A late order is answered, not forgotten."""
    desk = open_desk(lambda host: here(tmp_path))
    desk.transport.close()
    lost = desk.final(desk.segment(run("a", "true")))
    assert isinstance(lost, Lost)
    assert (lost.cause, lost.sent) == ("closed", False)


def test_lanes_run_everything_in_no_more_threads_than_allowed() -> None:
    """Every piece of work runs, at most so many at once."""
    lanes, done = Lanes("test", 3), queue.SimpleQueue[str]()
    for _ in range(50):
        lanes.put(lambda: done.put(threading.current_thread().name))
    names = {done.get(timeout=30) for _ in range(50)}
    lanes.end()
    lanes.join(30)
    assert 1 <= len(names) <= 3


def test_watchdog_bites_the_late_and_nobody_else() -> None:
    """A block that ends in time is left alone; one that does not is bitten once, about then."""
    dog, bitten = Watchdog(), queue.SimpleQueue[str]()
    with dog.limit(30, lambda: bitten.put("patient")):
        pass
    started_s = time.monotonic()
    with dog.limit(60, lambda: bitten.put("slow")), dog.limit(0.05, lambda: bitten.put("late")):
        assert bitten.get(timeout=30) == "late"
        assert time.monotonic() - started_s >= 0.05
    dog.end()
    assert bitten.empty()
