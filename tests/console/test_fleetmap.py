"""The map of the fleet: never fine without knowing."""

from __future__ import annotations

from fleetctl.console.atwork import AtWork
from fleetctl.console.doubts import doubtful
from fleetctl.console.fleetmap import Known, counts, fleet_map
from fleetctl.journal.rows import LiveRelease
from fleetctl.report.reading import Entry
from fleetctl.report.story import RunStory
from tests.console.served import fleet_of, half_of
from tests.report.weekend import START_S, TIERS, Weekend, weekend_plan

NOW_S = START_S + 3600
OLD, NEW = "2026-11-15-aa", "2026-11-22-bb"


def live(**releases: str) -> dict[str, LiveRelease]:
    """Read back an hour ago."""
    return {host: LiveRelease(host, one, START_S, "r1") for host, one in releases.items()}


def test_a_host_is_as_pinned_drifting_or_unknown() -> None:
    """Hosts are grouped by what they run, the worst first, and who was never read is UNKNOWN."""
    fleet = fleet_of(weekend_plan({"db": 5}))
    known = Known(live(db001=NEW, db002=NEW, db003=OLD))
    (row,) = fleet_map(fleet, known, {"db": NEW}, NOW_S)
    assert [(one.state, one.release, one.hosts, one.age) for one in row.groups] == [
        ("DRIFT", OLD, "db003", "1 h 00 min"),
        ("UNKNOWN", "", "db[004-005]", ""),
        ("as pinned", NEW, "db[001-002]", "1 h 00 min"),
    ]
    assert row.state == "DRIFT"
    assert counts([row]) == [("≠", "DRIFT", 1), ("?", "UNKNOWN", 2), ("✓", "as pinned", 2)]


def test_without_a_pin_nothing_is_fine() -> None:
    """A tier nobody pinned is told as such."""
    fleet = fleet_of(weekend_plan({"db": 1}))
    (row,) = fleet_map(fleet, Known(live(db001=NEW)), {}, NOW_S)
    assert [cell.state for cell in row.cells] == ["no pin"]


def test_a_large_tier_is_told_folded_only() -> None:
    """A thousand hosts are three lines, not a thousand boxes."""
    fleet = fleet_of(weekend_plan({"db": 999}))
    (row,) = fleet_map(fleet, Known({}), {"db": NEW}, NOW_S)
    assert row.cells == ()
    assert [(one.hosts, one.size) for one in row.groups] == [("db[001-999]", 999)]


def _told(entries: list[Entry]) -> tuple[RunStory, AtWork]:
    return RunStory(weekend_plan()).take(entries), AtWork().take(entries)


def test_a_host_that_may_have_been_switched_is_unknown() -> None:
    """A lost host, and one that is past its switch, are not what they were read to run before."""
    doubts = doubtful([_told(half_of(weekend_plan(), "r2"))])
    assert {"repo002", "repo003", "repo004"} <= doubts
    assert not any(host.startswith(("db", "web")) for host in doubts)
    fleet = fleet_of(weekend_plan({"repo": 2}))
    known = Known(live(repo001=NEW, repo002=NEW), doubts)
    (row,) = fleet_map(fleet, known, {"repo": NEW}, NOW_S)
    assert [cell.state for cell in row.cells] == ["as pinned", "UNKNOWN"]
    assert "may have been changed since" in row.cells[1].told


def test_a_later_read_back_settles_a_doubt() -> None:
    """A following run that reads the hosts back leaves none of them unknown."""
    earlier = _told(half_of(weekend_plan(), "r2"))
    assert doubtful([earlier, _told(Weekend(weekend_plan()).play())]) == frozenset()
    assert sum(TIERS.values()) == 44
