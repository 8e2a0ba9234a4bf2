"""Until when a pause or a drain holds: what people type, and what overseers are told."""

from __future__ import annotations

import time

import pytest

from fleetctl.cli.poolflags import end_of


@pytest.mark.parametrize(
    ("for_text", "until", "seconds"),
    [("30m", None, 1800), (None, "2h", 7200), (None, "1h30m", 5400), (None, None, None)],
)
def test_a_length_is_one_by_either_flag(
    for_text: str | None, until: str | None, seconds: float | None
) -> None:
    """`--until 2h` can mean nothing else; without a flag there is no end."""
    assert end_of(for_text, until) == ({} if seconds is None else {"for_s": seconds})


@pytest.mark.parametrize("until", ["tomorrow 06:00", "in 3h"])
def test_a_time_is_told_as_such(until: str) -> None:
    """Hosts are asked one batch after another: the end is the same for the last of them."""
    told = end_of(None, until)
    assert told["until_s"] > time.time()
    assert told["for_s"] == pytest.approx(told["until_s"] - time.time(), abs=2)
