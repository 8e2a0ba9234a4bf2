"""When a push is to start: days, dates, what is over, and nights in which the clocks change."""

from __future__ import annotations

from datetime import datetime
from zoneinfo import ZoneInfo

import pytest

from fleetctl.base.errors import UsageError
from fleetctl.cli.moments import moment_words, read_moment

BERLIN = ZoneInfo("Europe/Berlin")
NOW = datetime(2026, 11, 25, 14, 30, tzinfo=BERLIN)  # a Wednesday


def at(text: str, now: datetime = NOW) -> str:
    return moment_words(read_moment(text, now.timestamp(), BERLIN).at_s, BERLIN)


@pytest.mark.parametrize(("text", "meant"), [
    ("sat 06:00", "sat 2026-11-28 06:00 CET (+01:00)"),
    ("Saturday 6:05", "sat 2026-11-28 06:05 CET (+01:00)"),
    ("wed 15:00", "wed 2026-11-25 15:00 CET (+01:00)"),
    ("15:00", "wed 2026-11-25 15:00 CET (+01:00)"),
    ("tomorrow 06:00", "thu 2026-11-26 06:00 CET (+01:00)"),
    ("2026-12-05 06:00", "sat 2026-12-05 06:00 CET (+01:00)"),
    ("2026-12-05T06:00:30", "sat 2026-12-05 06:00 CET (+01:00)"),
    ("2026-12-05T06:00Z", "sat 2026-12-05 07:00 CET (+01:00)"),
    ("2026-12-05 06:00+03:00", "sat 2026-12-05 04:00 CET (+01:00)"),
    ("2027-07-03 06:00", "sat 2027-07-03 06:00 CEST (+02:00)"),
    ("in 2h", "wed 2026-11-25 16:30 CET (+01:00)"),
])  # fmt: skip
def test_what_is_said_is_the_next_such_time(text: str, meant: str) -> None:
    """By the clock on the wall, here, unless an offset is said."""
    assert at(text) == meant


@pytest.mark.parametrize(("text", "next_one"), [
    ("wed 06:00", "2026-12-02 06:00"),
    ("14:00", "2026-11-26 14:00"),
    ("today 14:00", "2026-11-26 14:00"),
    ("2026-11-21 06:00", "2026-11-26 06:00"),
    ("2026-11-21T06:00Z", "2026-11-26 07:00"),
])  # fmt: skip
def test_what_is_over_is_refused_and_the_next_is_offered(text: str, next_one: str) -> None:
    """Never taken for next week: who is late must say so."""
    with pytest.raises(UsageError) as caught:
        at(text)
    assert "is over" in caught.value.what
    assert caught.value.hint == f"the next: --at '{next_one}'"


@pytest.mark.parametrize("text", ["soon", "25:00", "noday 06:00", "14:00", "in a while"])
def test_a_mistake_names_the_flag_it_was_made_in(text: str) -> None:
    """Several commands take a time, each by a flag of its own."""
    with pytest.raises(UsageError) as caught:
        read_moment(text, NOW.timestamp(), BERLIN, flag="--until")
    assert caught.value.what.startswith("--until")
    assert "--at" not in str(caught.value)


def test_six_o_clock_is_six_o_clock_after_the_clocks_changed() -> None:
    """The night before is an hour shorter or longer; the start is not moved by it."""
    spring = datetime(2026, 3, 28, 20, 0, tzinfo=BERLIN)
    autumn = datetime(2026, 10, 24, 20, 0, tzinfo=BERLIN)
    assert (
        read_moment("sun 06:00", spring.timestamp(), BERLIN).at_s - spring.timestamp() == 9 * 3600
    )
    assert (
        read_moment("sun 06:00", autumn.timestamp(), BERLIN).at_s - autumn.timestamp() == 11 * 3600
    )


def test_a_time_no_clock_shows_is_refused_and_one_shown_twice_is_told() -> None:
    """02:30 of the night the clocks go forward; of the night they go back, the first."""
    spring = datetime(2026, 3, 28, 20, 0, tzinfo=BERLIN)
    with pytest.raises(UsageError, match=r"no clock shows 02:30") as caught:
        at("sun 02:30", spring)
    assert caught.value.hint == "say 03:30, or a time before"
    moment = read_moment("2026-10-25 02:30", NOW.timestamp() - 86400 * 60, BERLIN)
    assert moment_words(moment.at_s, BERLIN) == "sun 2026-10-25 02:30 CEST (+02:00)"
    assert "twice" in moment.note


@pytest.mark.parametrize("text", [
    "", "sometime", "satt 06:00", "sat", "sat 6", "sat 25:00", "2026-13-01 06:00", "in a while",
    "sat 06:00 or so", "2026-11-31 06:00", "2026-12-05T06:00+99:00", "t 06:00", "06:60",
])  # fmt: skip
def test_what_is_no_time_is_told(text: str) -> None:
    """With what it could have been."""
    with pytest.raises(UsageError):
        at(text)


def test_a_mistyped_day_is_known() -> None:
    """The nearest day is offered."""
    with pytest.raises(UsageError) as caught:
        at("satruday 06:00")
    assert 'did you mean "saturday"' in caught.value.hint
