"""Every host asked has an answer, or a reason why not."""

from __future__ import annotations

import threading
from functools import partial

import pytest

from fleetctl.cli.asking import Line, Unheard, ask_hosts
from fleetctl.transport.protocol import Look, Looked, Lost, Order, Output, Release, Sink


class _Fleet:
    """Answers from another thread: `up` hosts say their script back, others are lost."""

    def __init__(self, sink: Sink, up: frozenset[str]) -> None:
        self._sink = sink
        self._up = up
        self.released: list[str] = []
        self.closed = False

    def submit(self, order: Order) -> None:
        if isinstance(order, Release):
            self.released.append(order.host)
            return
        assert isinstance(order, Look)
        threading.Thread(target=self._answer, args=(order,)).start()

    def _answer(self, order: Look) -> None:
        if order.host in self._up:
            said = Output(head=order.script.encode())
            self._sink(Looked(order.ticket, order.host, 0, said, Output(), 0.1))
        else:
            self._sink(Lost(order.ticket, order.host, False, "connect", "refused"))

    def close(self) -> None:
        self.closed = True


def test_every_host_is_asked_once_and_let_go() -> None:
    """Answers and losses come back under their hosts; every connection is closed."""
    made: list[_Fleet] = []

    def reach(sink: Sink) -> _Fleet:
        made.append(_Fleet(sink, frozenset({"a", "b"})))
        return made[0]

    answers = ask_hosts({"a": "1", "b": "2", "c": "3"}, reach, timeout_s=5)
    assert isinstance(answers["a"], Looked)
    assert isinstance(answers["b"], Looked)
    assert answers["b"].stdout.head == b"2"
    assert isinstance(answers["c"], Lost)
    assert sorted(made[0].released) == ["a", "b", "c"]
    assert made[0].closed


def test_a_person_is_told_who_keeps_them(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """At a terminal silent hosts are named, ever more rarely; in a pipe nothing is said."""
    monkeypatch.setattr("fleetctl.cli.asking.NAMED_AFTER_S", 0.01)
    ask = partial(ask_hosts, {"b": "1", "c": "1"}, _Slow, timeout_s=5, within_s=0.1)
    assert ask() == {"b": None, "c": None}
    assert capsys.readouterr().err == ""
    monkeypatch.setattr("sys.stderr.isatty", lambda: True)
    assert ask() == {"b": None, "c": None}
    told = capsys.readouterr().err.splitlines()
    assert told
    assert all(line.endswith(" s from b,c") for line in told)
    unheard = Unheard(100.0)
    unheard.next_s = 103.0
    at_s = [(unheard.words(["b"], unheard.next_s), unheard.next_s)[1] for _ in range(3)]
    assert at_s == [106.0, 112.0, 124.0]


def test_asking_nobody_is_no_trouble() -> None:
    """A fleet without deploys has no one to ask."""
    assert ask_hosts({}, lambda sink: _Fleet(sink, frozenset()), timeout_s=5) == {}


class _Slow:
    """Host `a` answers at once; `b` when it is told to."""

    def __init__(self, sink: Sink) -> None:
        self._sink = sink
        self.asked: list[Look] = []

    def submit(self, order: Order) -> None:
        assert isinstance(order, Look)
        self.asked.append(order)
        if order.host == "a":
            self.answer(order)

    def answer(self, order: Look) -> None:
        self._sink(Looked(order.ticket, order.host, 0, Output(), Output(), 0.1))

    def close(self) -> None:
        pass


def test_who_is_late_holds_nobody_up_and_is_not_asked_twice_at_once() -> None:
    """What was not told in time is unknown; the next question goes there once this has come."""
    made: list[_Slow] = []

    def reach(sink: Sink) -> _Slow:
        made.append(_Slow(sink))
        return made[0]

    line = Line(reach)
    both = {"a": "1", "b": "1"}
    for _ in range(2):
        answers = line.ask(both, 30.0, within_s=0.05)
        assert isinstance(answers["a"], Looked)
        assert answers["b"] is None
    assert [order.host for order in made[0].asked] == ["a", "b", "a"]
    made[0].answer(made[0].asked[1])
    assert line.ask(both, 30.0, within_s=0.05)["b"] is None, "an old answer answers nothing new"
    assert [order.host for order in made[0].asked] == ["a", "b", "a", "a", "b"]
