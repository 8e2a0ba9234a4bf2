"""The map of the fleet: never fine without knowing."""

from __future__ import annotations

from pathlib import Path

import pytest

from fleetctl.console.atwork import AtWork
from fleetctl.console.doubts import Left, doubtful, left_by
from fleetctl.console.fleetmap import Known, counts, fleet_map
from fleetctl.console.shelf import Shelf
from fleetctl.journal.errors import JournalFull
from fleetctl.journal.rows import LiveRelease, RunRow
from fleetctl.journal.store import Journal
from fleetctl.report.reading import Entry
from fleetctl.report.story import RunStory
from tests.console.served import LIVE, fleet_of, half_of, keep_run, make_world
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


def _left(entries: list[Entry]) -> Left:
    return left_by(RunStory(weekend_plan()).take(entries), AtWork().take(entries))


def test_a_host_that_may_have_been_switched_is_unknown() -> None:
    """A lost host, and one that is past its switch, are not what they were read to run before."""
    doubts = doubtful([_left(half_of(weekend_plan(), "r2"))])
    assert {"repo002", "repo003", "repo004"} <= doubts
    assert not any(host.startswith(("db", "web")) for host in doubts)
    fleet = fleet_of(weekend_plan({"repo": 2}))
    known = Known(live(repo001=NEW, repo002=NEW), doubts)
    (row,) = fleet_map(fleet, known, {"repo": NEW}, NOW_S)
    assert [cell.state for cell in row.cells] == ["as pinned", "UNKNOWN"]
    assert "may have been changed since" in row.cells[1].told


def test_a_later_read_back_settles_a_doubt() -> None:
    """A following run that reads the hosts back leaves none of them unknown."""
    earlier = _left(half_of(weekend_plan(), "r2"))
    assert doubtful([earlier, _left(Weekend(weekend_plan()).play())]) == frozenset()
    assert sum(TIERS.values()) == 44


def test_a_doubt_outlasts_runs_that_change_no_release(tmp_path: Path) -> None:
    """Ten commands later the hosts a push has lost are still unknown; the next push settles it."""
    world = make_world(tmp_path)
    shelf = Shelf(world.path)
    name = world.fleet.name
    with Journal(world.path) as journal:
        for number in range(10):
            row = RunRow(f"r{number}", name, "uptime", "d", "ann@desk 1", START_S, ("run", "x"), 1)
            journal.create_run(row, world.plan, [])
        assert {"repo002", "repo003"} <= shelf.doubtful(name)
        keep_run(journal, world.plan, "last", Weekend(world.plan, run="last").play())
        assert shelf.doubtful(name) == frozenset()
    shelf.close()


def test_the_journal_is_only_read(tmp_path: Path) -> None:
    """What the console has open cannot write, whatever is asked of it; none is made, either."""
    world = make_world(tmp_path)
    shelf = Shelf(world.path)
    assert len(shelf.runs(9)) == 2
    assert shelf._journal is not None
    with pytest.raises(JournalFull):
        shelf._journal.give_order(LIVE, "abort", "somebody")
    shelf.close()
    assert Shelf(tmp_path / "none.db").runs(9) == []
    assert not (tmp_path / "none.db").exists()
