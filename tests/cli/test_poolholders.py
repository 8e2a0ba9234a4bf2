"""Whether a run that holds pools will let go of them: what the journal and the leases say."""

from __future__ import annotations

from pathlib import Path

import pytest

from fleetctl.base.errors import LockHeld
from fleetctl.cli import lock
from fleetctl.cli.poolholders import judged, refuse_live, standings
from fleetctl.inventory.model import Fleet
from fleetctl.journal.rows import RunRow
from fleetctl.journal.store import Journal
from fleetctl.pools.tallies import Group, Hold, Tally
from tests.cli.samples import plan
from tests.labfixture import a_fleet

FLEET = a_fleet({"repo": ["repo001"]})


def _begin(path: Path, *runs: str) -> Journal:
    journal = Journal(path)
    for run in runs:
        row = RunRow(run, "acme", "push", "", "me", 1.0, (), 1)
        journal.create_run(row, plan(), [])
    return journal


def _leases(monkeypatch: pytest.MonkeyPatch, *runs: str, all_told: bool = True) -> None:
    def held(_: Fleet) -> tuple[frozenset[str], bool]:
        return frozenset(runs), all_told

    monkeypatch.setattr(lock, "held_leases", held)


def test_a_run_is_over_when_nobody_drives_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """In this journal its lock tells, of other runs the leases do, and silence tells nothing."""
    path = tmp_path / "journal.db"
    journal = _begin(path, "mine", "gone")
    journal.lock("mine").take("ann@desk 4")
    _leases(monkeypatch, "theirs", "gone")
    found = standings(["mine", "gone", "theirs", "lost"], FLEET, str(path))
    assert found == {"mine": "live", "gone": "over", "theirs": "live", "lost": "over"}
    _leases(monkeypatch, "theirs", all_told=False)
    found = standings(["theirs", "lost"], FLEET, str(tmp_path / "none.db"))
    assert found == {"theirs": "live", "lost": "unknown"}
    assert not (tmp_path / "none.db").exists()


def test_holds_are_told_with_what_is_known_of_their_run(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Also those that are only counted; a pause is a person's, and no run is looked for."""
    path = tmp_path / "journal.db"
    _begin(path, "gone")
    _leases(monkeypatch, all_told=False)
    held = Group(pools=1, holds=(Hold("HELD", "run gone", "fleetctl", 1, run="gone"),))
    paused = Group(pools=1, holds=(Hold("PAUSED", "keys", "ann", 1),))
    tally = Tally(0.0, "kind", ("task",), {"task": held, "pull": paused}, held, 1, {})
    told = judged({"repo001": tally}, FLEET, str(path))["repo001"]
    assert isinstance(told, Tally)
    assert {told.groups["task"].holds[0].standing, told.rest.holds[0].standing} == {"over"}
    assert told.groups["pull"] == paused


def test_holds_of_a_live_run_are_not_to_be_taken_away(tmp_path: Path) -> None:
    """It lets go by itself. One that is over is found by the beginning of its id; any other run is
    taken by its word, for the lease of its tier tells whether it is at work."""
    path = tmp_path / "journal.db"
    journal = _begin(path, "mine", "gone")
    journal.lock("mine").take("ann@desk 4")
    with pytest.raises(LockHeld, match="run mine is at work"):
        refuse_live("mine", str(path))
    assert refuse_live("go", str(path)) == "gone"
    assert refuse_live("theirs", str(path)) == "theirs"
    assert refuse_live("theirs", str(tmp_path / "none.db")) == "theirs"
