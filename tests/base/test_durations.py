"""Durations read and write the way people say them."""

from __future__ import annotations

import pytest

from fleetctl.base.durations import format_duration, parse_duration_s


@pytest.mark.parametrize(
    ("text", "seconds"),
    [("30s", 30.0), ("5m", 300.0), ("1h30m", 5400.0), ("250ms", 0.25), ("7", 7.0), (2.5, 2.5)],
)
def test_a_duration_is_read(text: str | float, seconds: float) -> None:
    """Units add up; a bare number is seconds."""
    assert seconds == parse_duration_s(text)


@pytest.mark.parametrize("text", ["", "5 parsecs", "-3s", "m", True, -1])
def test_what_is_no_duration_is_refused(text: str | float) -> None:
    """A typo never becomes some other duration."""
    with pytest.raises(ValueError, match="duration"):
        parse_duration_s(text)


def test_a_duration_is_told_in_the_unit_a_person_would_use() -> None:
    """Short ones keep a decimal, long ones lose the seconds."""
    assert format_duration(0.4) == "0.4 s"
    assert format_duration(185) == "3 min 05 s"
    assert format_duration(7800) == "2 h 10 min"
