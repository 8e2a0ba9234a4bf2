"""Runs that were cut off are not forgotten: the next push and a resume of another one name them."""

from __future__ import annotations

from pathlib import Path

import pytest

from fleetctl.cli.unended import cut_off_notes
from fleetctl.journal.rows import RunRow
from fleetctl.journal.store import Journal
from tests.cli.samples import START_S, plan

DAY_S = 86400.0


def keep(journal: Journal, run: str, fleet: str = "acme", *, after_s: float = 0.0,
         ended: int | None = None) -> None:  # fmt: skip
    row = RunRow(run, fleet, "Saturday push", "d1", "ann@desk 42", START_S + after_s, (), 20)
    journal.create_run(row, plan(), [b"x"])
    if ended is not None:
        journal.append(run, 2, row.opened_s + 60, [], ended=ended)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "journal.db"


def test_only_runs_nobody_drives_are_named(path: Path) -> None:
    """Ended runs, live ones, other fleets' and those of long ago are let be."""
    with Journal(path) as journal:
        keep(journal, "old")
        keep(journal, "cut", after_s=9 * DAY_S)
        keep(journal, "live", after_s=9 * DAY_S)
        keep(journal, "ended", after_s=9 * DAY_S, ended=6)
        keep(journal, "theirs", "other", after_s=9 * DAY_S)
        live = journal.lock("live")
        live.take("bea@lap 7")
        notes = cut_off_notes(str(path), "acme", START_S + 10 * DAY_S)
        live.release()
    resume = f"fleetctl runs resume cut --journal {path}"
    assert notes == [f"note: run cut (Saturday push) was cut off and is not ended: {resume}"]


def test_many_are_counted(path: Path) -> None:
    """The newest are named, and the plan above them stays in sight."""
    with Journal(path) as journal:
        for number in range(5):
            keep(journal, f"r{number}", after_s=number)
    notes = cut_off_notes(str(path), "acme", START_S + DAY_S)
    assert [note.split()[2] for note in notes[:3]] == ["r4", "r3", "r2"]
    assert notes[3:] == [f"note: and 2 more: fleetctl runs list --journal {path}"]


def test_no_journal_is_made_for_looking(path: Path) -> None:
    """A first push has nothing to be told, and a plan that is refused leaves no file."""
    assert cut_off_notes(str(path), "acme", START_S) == []
    assert not path.exists()
