"""What is said of a change of pools before it is confirmed."""

from __future__ import annotations

from typing import Any

from fleetctl.cli.overseers import Silent
from fleetctl.cli.poolnotes import notes

NOW_S = 1_800_000_000.0
MONDAY = {"is": "paused", "by": "mo", "why": "schema", "left_s": 200_000, "pools": 2}
PAUSE = {"do": "pause", "by": "ann", "why": "keys", "for_s": 20.0}


def told(**foreseen: Any) -> dict[str, Any]:
    """An overseer's answer."""
    return {"pools": 2, "foreseen": foreseen}


def test_a_pause_says_whose_it_replaces_and_when_it_ends() -> None:
    """A length without a unit is seconds, so the moment is shown; equal pauses are told once."""
    found = {"r1": told(needed=2, kept=[MONDAY]), "r2": told(needed=2, kept=[MONDAY])}
    first, second = notes(PAUSE, found, NOW_S)
    assert first.startswith('replaces the pause by mo "schema", which ends ')
    assert first.endswith("in 55 h 33 min: 4 pools on r[1-2]")
    assert second.startswith("this pause ends ")
    assert second.endswith("in 20 s")


def test_a_pause_without_an_end_says_so_also_of_the_one_before() -> None:
    """Somebody must say resume."""
    endless = {**MONDAY, "left_s": None, "is": "drained", "pools": 1}
    found = {"r1": told(needed=1, kept=[endless])}
    assert notes({**PAUSE, "for_s": None}, found, NOW_S) == [
        'replaces the drain by mo "schema", which has no end: somebody must say resume: '
        "1 pool on r1",
        "this pause has no end: somebody must say resume",
    ]


def test_the_same_pause_again_replaces_nothing() -> None:
    """It is said that nothing would change, unless some host did not tell."""
    same = {"is": "paused", "by": "ann", "why": "keys", "left_s": 20, "pools": 2}
    found: dict[str, Any] = {"r1": told(needed=0, kept=[same])}
    lines = notes(PAUSE, found, NOW_S)
    assert not any(line.startswith("replaces") for line in lines)
    assert lines[-1] == "all is so already: nothing would change"
    found["r2"] = Silent("unknown", "no answer")
    assert len(notes(PAUSE, found, NOW_S)) == 1


def test_hibernate_says_who_goes_on_and_whom_only_time_wakes() -> None:
    """Added up over hosts, with the longest of their times."""
    found = {
        "r1": told(needed=1, least=1, timed=3, longest_s=3600.0),
        "r2": told(needed=1, least=0, timed=4, longest_s=21600.0),
    }
    assert notes({"do": "hibernate"}, found, NOW_S) == [
        "1 pool with a `min` goes on: hibernate leaves those alone; drain ends them",
        "7 pools name no queue and no socket: unless somebody wakes them by name they sleep until"
        " their time, 6 h 00 min at most",
    ]


def test_an_overseer_that_cannot_foresee_is_told_nothing_of() -> None:
    """One of before: what is not known is not said to be zero."""
    assert notes({"do": "hibernate"}, {"r1": {"pools": 2}}, NOW_S) == []
