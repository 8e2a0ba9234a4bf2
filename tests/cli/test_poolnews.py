"""What the console asks overseers, over a transport whose hosts answer as a test wants."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import msgspec
import pytest

from fleetctl.cli import overseers, poolnews, reach
from fleetctl.cli.overseers import Silent, told_by
from fleetctl.cli.poolnews import PoolNews
from fleetctl.cli.poolstatus import read
from fleetctl.plan.model import Plan
from fleetctl.pools.cache import read_cache
from fleetctl.transport.protocol import Look, Looked, Order, Output, Sink
from tests.console.served import fleet_of
from tests.report.weekend import weekend_plan

FLEET = fleet_of(weekend_plan({"repo": 3}))
TALLY = {"at": 1.0, "by": "kind", "kinds": [], "groups": {}, "rest": {}, "left_out": 0,
         "overseer": {"pools": 0}}  # fmt: skip


class _Hosts:
    """Those that have an answer give it at once; the others never say a word."""

    def __init__(self, sink: Sink, answers: Mapping[str, object]) -> None:
        self._sink = sink
        self._answers = answers

    def submit(self, order: Order) -> None:
        if isinstance(order, Look) and order.host in self._answers:
            self._sink(_looked(order.ticket, order.host, json.dumps(self._answers[order.host])))

    def close(self) -> None:
        pass


def _looked(ticket: int, host: str, text: str) -> Looked:
    out = text.encode()
    return Looked(ticket, host, 0, Output(out, b"", len(out)), Output(), 0.0)


def _answering(monkeypatch: pytest.MonkeyPatch, answers: Mapping[str, object]) -> None:
    def opener(plan: Plan) -> Callable[[Sink], _Hosts]:
        return lambda sink: _Hosts(sink, answers)

    monkeypatch.setattr(reach, "reach", opener)
    monkeypatch.setattr(poolnews, "WITHIN_S", 0.2)


def test_a_host_that_hangs_does_not_make_the_others_old_news(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whoever has told is on the pages soon; who has not is unknown there, by kind and instance."""
    _answering(monkeypatch, {"repo001": TALLY, "repo003": TALLY})
    news = PoolNews(FLEET, tmp_path)
    began_s = time.monotonic()
    assert set(news.ask(True)) == {"repo001", "repo003"}
    news.close()
    assert time.monotonic() - began_s < 30  # of a minute it would have
    told = read_cache(tmp_path, FLEET.name).hosts
    assert [told[host].silent for host in sorted(told)] == ["", "unknown", ""]


def test_who_asks_for_once_is_told_what_the_others_say(monkeypatch: pytest.MonkeyPatch) -> None:
    """Events, explanations and orders are not kept back by one host that hangs."""
    _answering(monkeypatch, {"repo001": {"pools": 2}, "repo003": {"pools": 0}})
    monkeypatch.setattr(overseers, "WITHIN_S", 0.2)
    told = overseers.ask_overseers(FLEET, list(FLEET.hosts), "settled")
    assert told["repo002"] == Silent("unknown", "no answer within its deadline")
    assert [told["repo001"], told["repo003"]] == [{"pools": 2}, {"pools": 0}]


def test_hosts_are_counted_as_they_are_now(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Who has no pools of the kind is not counted; who does not answer may have some, and is."""
    _answering(monkeypatch, {"repo001": {"pools": 2}, "repo002": {"pools": 0}})
    news = PoolNews(FLEET, tmp_path)
    assert news.count("pull", list(FLEET.hosts)) == ["repo001", "repo003"]


@pytest.mark.parametrize("text", ['{"at": NaN}', '{"at": 1e999}', '{"a":' * 200_000])
def test_numbers_that_are_none_are_no_answer(text: str) -> None:
    """One host's nonsense is that host's: no page and no sum can break on it."""
    told = told_by(_looked(1, "h", text))
    assert told == Silent("unknown", "its answer makes no sense")


def test_what_we_cannot_read_hides_no_other_host(monkeypatch: pytest.MonkeyPatch) -> None:
    """A bug met on one host's answer leaves that host unknown, with its name, and no other."""

    def convert(answer: Mapping[str, Any], kind: type) -> Any:
        if answer["at"] == 2.0:
            raise AttributeError("at")
        return right(answer, kind)

    right = msgspec.convert
    monkeypatch.setattr(msgspec, "convert", convert)
    answers = read({"a": TALLY, "b": TALLY | {"at": 2.0}, "c": TALLY})
    assert [isinstance(one, Silent) for one in answers.values()] == [False, True, False]
    assert "a bug of fleetctl" in str(answers["b"])
    assert "AttributeError" in str(answers["b"])
