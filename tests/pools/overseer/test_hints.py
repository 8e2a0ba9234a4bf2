"""Hints for pools nobody knows: counted and told, and never a flood."""

from __future__ import annotations

import json

from fleetctl.pools.overseer.hints import NAME_MOST, REST_S, UnknownHints


def test_a_flood_of_wrong_names_is_one_line_an_hour_and_one_name() -> None:
    """Our own log is told of the first, then hourly of the latest; only the latest is kept."""
    said: list[str] = []
    hints = UnknownHints(said.append)
    for number in range(10_000):
        hints.add(f"i{number}/task", "datagram", 100.0 + number / 10_000)
    assert said == [
        "a hint (datagram) named 'i0/task', which no pool is called; 1 such since the start\n"
    ]
    hints.add("last/task", "spool", 101.0 + REST_S)
    assert said[1:] == [
        "a hint (spool) named 'last/task', which no pool is called; 10001 such since the start\n"
    ]
    told = hints.latest({"acme/task": 1}, 1000.0)
    assert told == {"pool": "last/task", "source": "spool", "at": 1101.0 + REST_S, "count": 10001}


def test_a_name_that_is_a_pool_by_now_is_no_trouble() -> None:
    """A hint that came before its instance did is not told any more; it stays counted."""
    hints = UnknownHints(list[str]().append)
    assert hints.latest({}, 0.0) is None
    hints.add("new/task", "spool", 1.0)
    assert hints.latest({"new/task": 1}, 0.0) is None
    assert hints.count == 1


def test_whatever_a_file_is_called_can_be_told() -> None:
    """Long names are cut; bytes that are no text and signs that move cursors are not passed on."""
    hints = UnknownHints(list[str]().append)
    hints.add("x\x1b[2J\udc80" + "y" * 5000, "spool", 1.0)
    told = hints.latest({}, 0.0)
    assert told is not None
    assert told["pool"] == "x?[2J?" + "y" * (NAME_MOST - 6)
    json.dumps(told).encode()
