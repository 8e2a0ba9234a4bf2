"""Events of pools for people: times that can be read, no header twice, no silence for a mistake."""

from __future__ import annotations

import re

import pytest
from click.testing import CliRunner

from fleetctl.base.errors import UsageError
from fleetctl.cli.main import fleetctl
from fleetctl.cli.overseers import Silent, none_keeps
from fleetctl.cli.poollocal import event_line, event_row, printed
from fleetctl.cli.poolread import _check_known, _follow, _show
from fleetctl.inventory.model import Fleet, Host, Login, Pools

EVENT = {"t": 1000.0, "w": 1_800_000_000.25, "e": "intent", "p": "a/k", "to": "paused"}


def test_an_end_is_told_by_the_clock_on_the_wall() -> None:
    """`u` is of the clock of the host's start; and much happens within one second."""
    row = event_row({**EVENT, "u": 1060.5, "by": "ann"})
    assert row["wall"].endswith(":00.250")
    assert re.fullmatch(r"by=ann until=\d{4}-\d\d-\d\d \d\d:\d\d:00\.750", row["more"])
    assert "u=" not in event_line(row)
    assert event_row({"e": "said", "u": 5.0})["more"] == "u=5.0"


def test_what_follows_has_no_header_again(capsys: pytest.CaptureFixture[str]) -> None:
    """The first look is a table; each later event is a line, with its host."""
    _show([{**EVENT, "host": "r1"}], "table")
    first = capsys.readouterr().out.splitlines()
    assert first[0].startswith("HOST")
    _follow([{**EVENT, "host": "r1"}, {**EVENT, "host": "r2"}], "table")
    lines = capsys.readouterr().out.splitlines()
    assert [line.split("  ")[0] for line in lines] == ["r1", "r2"]
    _follow([{**EVENT, "host": "r1"}], "yaml")
    assert capsys.readouterr().out.startswith('{"host":')


def test_a_pool_nobody_has_is_a_mistake_only_when_all_told() -> None:
    """A host that is silent may have it."""
    with pytest.raises(UsageError, match="known to have nosuch"):
        _check_known(["nosuch"], {"r1": {"pools": 0}}, str)
    _check_known(["nosuch"], {"r1": {"pools": 0}, "r2": Silent("unknown", "x")}, str)
    _check_known(["k"], {"r1": {"pools": 0}, "r2": {"pools": 3}}, str)


def test_a_daemon_that_printed_nothing_is_told_in_words() -> None:
    """A name with nothing below it looked like a log that was not found."""
    assert printed("one\n\ntwo\n") == ["one", "", "two"]
    assert printed("") == ["(nothing is printed yet)"]


@pytest.mark.parametrize("where", [[], ["--local"]])
def test_less_than_none_is_refused(where: list[str]) -> None:
    """It showed the oldest instead of the last."""
    done = CliRunner().invoke(fleetctl, ["pools", *where, "events", "--last", "-5"])
    assert done.exit_code != 0
    assert "'--last'" in str(done.exception) + done.output


def test_a_tier_without_pools_is_told_apart_from_a_fleet_without() -> None:
    """Which tier has none, and which have; the first step only where nobody has."""
    web = Host("web001", "web", "127.0.0.1", Login())
    repo = Host("repo001", "repo", "127.0.0.1", Login(), pools=Pools())
    mixed = none_keeps(Fleet("f", {"web001": web, "repo001": repo}, {}, "f.yaml"), ["web001"])
    assert mixed.why == "no `pools:` in tier web"
    assert mixed.hint == "this tier has: repo"
    none = none_keeps(Fleet("f", {"web001": web}, {}, "f.yaml"), ["web001"])
    assert none.hint.startswith("say `pools:` in a tier")
