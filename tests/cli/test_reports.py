"""`runs report` and `runs diff` over a journal, as a person calls them."""

from __future__ import annotations

import json
import stat
from collections.abc import Iterator
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from fleetctl.base.errors import ExitCode
from fleetctl.cli.main import fleetctl
from fleetctl.journal.rows import RunRow
from fleetctl.journal.store import Journal
from fleetctl.rollout.records import Record
from fleetctl.rollout.runlog import encode_record
from tests.report.weekend import START_S, Troubles, Weekend, weekend_plan


@pytest.fixture
def journal(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Journal]:
    """Three Saturdays: two good ones, then one that was stopped."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("FLEETCTL_JOURNAL", str(tmp_path / "journal.db"))
    with Journal(tmp_path / "journal.db") as opened:
        broken = Troubles(failing=("repo002", "repo003"))
        for run, troubles in (("1108-a", Troubles()), ("1115-b", Troubles()), ("1122-c", broken)):
            _keep(opened, run, troubles)
        yield opened


def _keep(journal: Journal, run: str, troubles: Troubles) -> None:
    plan = weekend_plan()
    entries = Weekend(plan, troubles, run).play()
    row = RunRow(run, plan.fleet, plan.title, "d1", "ann@desk 42", START_S, ("push",), 44)
    bodies = []
    for entry in entries:
        assert isinstance(entry.record, Record)
        bodies.append(encode_record(entry.record))
    journal.create_run(row, plan, bodies[:1])
    for entry, body in zip(entries[1:], bodies[1:], strict=True):
        journal.append(run, entry.seq, entry.wall_s, [body])


def _call(*words: str) -> Result:
    return CliRunner().invoke(fleetctl, ["runs", *words])


def test_a_report_is_a_file_for_its_owner_alone(journal: Journal, tmp_path: Path) -> None:
    """Hosts' output may be in it; its name is the run's, and it carries the chain's end."""
    done = _call("report", "last")
    assert (done.exit_code, done.stderr) == (0, "written: fleetctl-1122-c.html\n")
    path = tmp_path / "fleetctl-1122-c.html"
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    head = journal.stored("1122-c").head
    assert head is not None
    assert head.chain.hex() in path.read_text()
    assert _call("report", "1108", "-o", "-").stdout.startswith("<!doctype html>")
    assert _call("report", "last", "-o", "no/such/place.html").exit_code == ExitCode.USAGE


def test_a_summary_for_chat_says_the_outcome_first(journal: Journal) -> None:
    """A few lines, the first of which is enough."""
    lines = _call("report", "last", "--text").stdout.splitlines()
    assert lines[0].startswith("Saturday push (phacility): Stopped by gate or budget: 2 hosts lost")
    assert "- 2 hosts failed at “upgrade the schemas” in phase repo, same error: repo[002-003]" in (
        " ".join(lines)
    )
    assert "- ben@laptop approved: Secure runs the new release. Upgrade the databases?" in lines
    assert len(lines) < 12


def test_same_as_last_saturday(journal: Journal) -> None:
    """Without a word the last run against the one before: 0 when the same, 1 when not."""
    changed = _call("diff", "--output", "json")
    assert changed.exit_code == ExitCode.HOST_FAILED
    rows = json.loads(changed.stdout)
    assert rows[0] == {"what": "exit", "where": "run", "before": "0", "now": "6"}
    same = _call("diff", "1115")
    assert (same.exit_code, same.stdout) == (0, "")
    assert "every host ended the same way" in same.stderr
    assert _call("diff", "1108", "1122").exit_code == ExitCode.HOST_FAILED
    assert "no run before 1108-a" in _call("diff", "1108").stderr
