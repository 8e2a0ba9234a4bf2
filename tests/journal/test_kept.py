"""Journals of every format there ever was open, tell what they told, and go on."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from fleetctl.base.errors import ExitCode
from fleetctl.journal.schema import FORMAT
from fleetctl.journal.store import Journal
from fleetctl.rollout.driver import Opening, Wanted, replay, resume
from fleetctl.rollout.records import ViewDropped, WordTaken
from fleetctl.rollout.runlog import read_records
from tests.journal.keep import CUT, DONE, DRAINED, HOSTS, STOPPED, done_plan, stopped_plan
from tests.rollout.test_local import marks, transport_in

KEPT = sorted((Path(__file__).parent / "kept").glob("format*.db"))
COUNTS = {DONE: 30, STOPPED: 13, CUT: 17}
"""Run -> records, as they were when the files were made."""


@pytest.fixture(params=KEPT, ids=lambda path: path.stem)
def kept(request: pytest.FixtureRequest, tmp_path: Path) -> Path:
    """A copy of a kept journal."""
    return Path(shutil.copy(request.param, tmp_path / "journal.db"))


def test_there_is_a_kept_journal_of_every_format() -> None:
    """Who changes the format keeps a journal of it, made by `tests.journal.keep`."""
    assert [path.stem for path in KEPT] == [f"format{n}" for n in range(1, FORMAT + 1)]


def test_it_tells_what_it_told(kept: Path) -> None:
    """Runs, plans, records, states, live releases and durations read as they were written."""
    with Journal(kept) as journal:
        assert {row.id: row.exit_code for row in journal.runs()} == {DONE: 0, STOPPED: 6, CUT: None}
        assert {run: len(list(read_records(journal, run))) for run in COUNTS} == COUNTS
        assert journal.plan_of(DONE) == journal.plan_of(CUT) == done_plan()
        assert journal.plan_of(STOPPED) == stopped_plan()
        assert set(journal.live("test")) == set(HOSTS)
        assert {one.name for one in journal.times("test")} >= {"one", "two"}
        assert [(order.word, order.by) for order in journal.orders(CUT)] == [
            ("abort", "ann@desk 4")
        ]
        done, _ = replay(journal, DONE)
        cut, _ = replay(journal, CUT)
    assert done.ended is not None
    assert cut.ended is None


@pytest.mark.parametrize("run", [STOPPED, CUT])
def test_its_runs_go_on(kept: Path, run: str) -> None:
    """A run begun under an old format is resumed to its end, and reads well afterwards."""
    way = transport_in(kept.parent)
    for host in HOSTS:
        (kept.parent / host).mkdir()
        (kept.parent / host / "mended").touch()
    with Journal(kept) as journal:
        if run == STOPPED:
            resume(run, Opening("ann", ()), journal, way, wanted=Wanted(only_failed=True))
        assert resume(run, Opening("ann", ()), journal, way).exit_code is ExitCode.OK
    with Journal(kept) as journal:
        state, _ = replay(journal, run)
        assert state.ended is not None
        assert journal.find(run).exit_code == 0
    assert marks(kept.parent, HOSTS[2]) == ["one", "two"]


def test_what_a_run_was_told_is_read_for_ever(tmp_path: Path) -> None:
    """The records of words and lost views are those of format 2; the drained run goes on."""
    path = Path(shutil.copy(KEPT[0].with_name("words2.db"), tmp_path / "journal.db"))
    with Journal(path) as journal:
        records = [recorded.record for recorded in read_records(journal, DRAINED)]
        assert WordTaken("drain", "ann@desk 0", "SIGINT") in records
        assert ViewDropped("records on stdout", "its reader went away") in records
        way = transport_in(tmp_path)
        assert resume(DRAINED, Opening("ann", ()), journal, way).exit_code is ExitCode.OK
