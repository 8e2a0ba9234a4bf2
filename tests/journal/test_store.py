"""The journal keeps what it is given, tells damage by its place, and lets one controller write."""

from __future__ import annotations

import sqlite3
from pathlib import Path

import pytest

from fleetctl.base.errors import LockHeld, UsageError
from fleetctl.journal.errors import JournalFull, JournalUnusable
from fleetctl.journal.rows import RunRow, StepTime, StoredRecord
from fleetctl.journal.schema import FORMAT
from fleetctl.journal.store import Journal
from fleetctl.plan.history import Sample
from tests.rollout.builders import a_phase, a_plan, a_step

PLAN = a_plan(a_phase([["web001"]], [a_step("one")]))


def row(run: str) -> RunRow:
    return RunRow(run, "test", "a test", "digest", "me@here 1", 5.0, ("push", "x"), 1)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """A journal with one run of three records."""
    place = tmp_path / "journal.db"
    with Journal(place) as journal:
        journal.create_run(row("r1"), PLAN, [b"first"])
        journal.append("r1", 2, 6.0, [b"second", b"third"])
    return place


def test_records_and_plan_come_back_as_they_were(path: Path) -> None:
    """A second process reads records in order, from any place on, and the exact plan."""
    with Journal(path) as journal:
        assert list(journal.records("r1")) == [
            StoredRecord(1, 5.0, b"first"), StoredRecord(2, 6.0, b"second"),
            StoredRecord(3, 6.0, b"third"),
        ]  # fmt: skip
        assert [record.seq for record in journal.records("r1", after=2)] == [3]
        assert journal.plan_of("r1") == PLAN
        assert journal.runs() == [row("r1")]


def test_a_record_out_of_turn_is_refused_whole(path: Path) -> None:
    """Two writers cannot both append: the second one's transaction leaves nothing behind."""
    with Journal(path) as journal:
        with pytest.raises(LockHeld, match="somebody else"):
            journal.append("r1", 3, 7.0, [b"again"], live={"web001": "rel-1"}, ended=0)
        assert journal.live("test") == {}
        assert len(list(journal.records("r1"))) == 3
        assert journal.find("r1").exit_code is None


@pytest.mark.parametrize(
    ("damage", "place"),
    [
        ("UPDATE records SET body = x'00' WHERE seq = 2", "record 2"),
        ("DELETE FROM records WHERE seq = 2", "record 2"),
        ("UPDATE records SET seq = 9 WHERE seq = 3", "record 3"),
        ("UPDATE runs SET plan = x'c1'", "record 0"),
    ],
)
def test_damage_is_told_by_its_place(path: Path, damage: str, place: str) -> None:
    """A flipped body, a gap, a moved record, a bad plan: never read as if nothing were wrong."""
    with sqlite3.connect(path) as database:
        database.execute(damage)
    database.close()
    with Journal(path) as journal, pytest.raises(JournalUnusable, match=place):
        _ = journal.plan_of("r1"), list(journal.records("r1"))


def test_a_torn_file_is_refused(path: Path) -> None:
    """A file that is no database any more gives an error with a hint, not a trace."""
    path.write_bytes(b"not a database at all" * 100)
    for beside in path.parent.glob("journal.db-*"):
        beside.unlink()
    with pytest.raises(JournalUnusable, match="hint: "):
        Journal(path)


def test_a_newer_format_is_refused(path: Path) -> None:
    """An older program never writes into a newer journal."""
    with sqlite3.connect(path) as database:
        database.execute(f"PRAGMA user_version={FORMAT + 1}")
    database.close()
    with pytest.raises(JournalUnusable, match="newer fleetctl"):
        Journal(path)


def test_another_programs_database_is_left_alone(tmp_path: Path) -> None:
    """A SQLite file of somebody else is refused and stays as it was."""
    path = tmp_path / "other.db"
    with sqlite3.connect(path) as database:
        database.execute("CREATE TABLE theirs (x)")
    database.close()
    with pytest.raises(JournalUnusable, match="another program"):
        Journal(path)


def test_a_full_disk_keeps_what_was_durable(path: Path) -> None:
    """When the disk is full the append raises, and the records before it are all there."""
    with Journal(path) as journal:
        pages = journal._database.execute("PRAGMA page_count").fetchone()[0]
        journal._database.execute(f"PRAGMA max_page_count={pages}")
        with pytest.raises(JournalFull, match="make room"):
            journal.append("r1", 4, 7.0, [b"x" * 1_000_000])
        assert len(list(journal.records("r1"))) == 3


def test_the_fence_only_grows(path: Path) -> None:
    """Also when the wall clock goes back, and across processes."""
    with Journal(path) as journal:
        first = journal.take_fence(1000.0)
        second = journal.take_fence(10.0)
    with Journal(path) as journal:
        third = journal.take_fence(2000.0)
    assert first == 1_000_000
    assert second == first + 1
    assert third == 2_000_000


def test_one_controller_a_run(path: Path) -> None:
    """The second one is refused with the name of the first, and let in when that one is gone."""
    with Journal(path) as journal:
        held = journal.lock("r1")
        held.take("ann@laptop 42")
        other = journal.lock("r1")
        assert other.holder() == "ann@laptop 42"
        with pytest.raises(LockHeld, match="ann@laptop 42"):
            other.take("bob@desk 7")
        held.release()
        assert other.holder() == ""
        other.take("bob@desk 7")
        assert held.holder() == "bob@desk 7"
        other.release()


def test_runs_are_found_by_the_beginning_of_their_id(path: Path) -> None:
    """`last`, a whole id, a unique beginning; several or none are told, with the nearest name."""
    with Journal(path) as journal:
        journal.create_run(row("r2-long"), PLAN, [b"first"])
        journal.create_run(row("r2-other"), PLAN, [b"first"])
        assert journal.find("last").id == "r2-other"
        assert journal.find("r2-l").id == "r2-long"
        assert journal.find("r1").id == "r1"
        with pytest.raises(UsageError, match="several"):
            journal.find("r2")
        with pytest.raises(UsageError, match="r2-long"):
            journal.find("r2-lomg")


def test_a_misspelt_last_is_told_with_what_was_meant(path: Path, tmp_path: Path) -> None:
    """`last` is a word people type; it is offered only where there is a run it could name."""
    with Journal(path) as journal, pytest.raises(UsageError) as caught:
        journal.find("las")
    assert caught.value.hint == 'did you mean "last"?'
    with Journal(tmp_path / "empty.db") as journal, pytest.raises(UsageError) as caught:
        journal.find("las")
    assert caught.value.hint == ""


def test_orders_reach_the_run_they_are_for(path: Path) -> None:
    """An order from another terminal is read by its run only, and once past its number."""
    with Journal(path) as journal, Journal(path) as elsewhere:
        journal.create_run(row("r2"), PLAN, [b"first"])
        elsewhere.give_order("r1", "abort", "ann")
        assert [order.word for order in journal.orders("r1")] == ["abort"]
        assert journal.orders("r2") == []
        assert journal.orders("r1", after=journal.orders("r1")[0].number) == []


def test_what_runs_teach_is_kept(path: Path) -> None:
    """Live releases and step durations are written with the records they come from."""
    with Journal(path) as journal:
        times = [StepTime("restart", "web", "web001", 2.5)]
        journal.append("r1", 4, 9.0, [b"x"], live={"web001": "rel-2"}, times=times, ended=0)
        assert journal.live("test")["web001"].release == "rel-2"
        assert journal.times("test") == [Sample("restart", "web", "web001", 1, 2.5)]
        assert journal.find("r1").exit_code == 0
        journal.reopen("r1", 5, 10.0, [b"y"])
        assert journal.find("r1").exit_code is None


def test_times_are_kept_by_step_not_by_run(path: Path) -> None:
    """A week of small commands does not push the times of Saturday's steps out."""
    with Journal(path) as journal:
        for number in range(2, 16):
            run = f"r{number}"
            journal.create_run(row(run), PLAN, [b"x"])
            name = "upgrade" if number == 2 else "uptime"
            journal.append(run, 2, 9.0, [b"y"], times=[StepTime(name, "web", "web001", 2.5)],
                           ended=0)  # fmt: skip
        runs: dict[str, list[int]] = {}
        for sample in journal.times("test"):
            runs.setdefault(sample.name, []).append(sample.run)
        assert runs == {"upgrade": [2], "uptime": list(range(6, 16))}
        assert journal.times("test", before="r7") == [
            sample for sample in journal.times("test") if sample.run < 7
        ]
