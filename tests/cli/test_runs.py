"""Runs are found, shown, read and steered from any terminal."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import msgspec
import pytest
from click.testing import CliRunner, Result

from fleetctl.base.errors import ExitCode
from fleetctl.base.outcome import Outcome
from fleetctl.cli.main import fleetctl
from fleetctl.journal.rows import RunRow
from fleetctl.journal.store import Journal
from fleetctl.rollout import records as r
from fleetctl.rollout.controls import read_answer
from tests.cli.samples import DB, DB_STEPS, START_S, WEB, Story, plan


@pytest.fixture
def journal(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Journal]:
    """An empty journal the commands find by their environment."""
    monkeypatch.setenv("FLEETCTL_JOURNAL", str(tmp_path / "journal.db"))
    with Journal(tmp_path / "journal.db") as opened:
        yield opened


def _keep(journal: Journal, story: Story, exit_code: int | None = None) -> None:
    row = RunRow("01RUN", "acme", "Saturday push", "d1", "ann@desk 42", START_S, ("push",), 20)
    bodies = [msgspec.msgpack.encode(record) for _, _, record in story.entries]
    journal.create_run(row, plan(), bodies)
    journal.append("01RUN", len(bodies) + 1, START_S + 60, [], ended=exit_code)


def _failed() -> Story:
    story = Story().open().send("db", DB[:2]).finish("db", DB[:1]).fail("db002", "disk full\n")
    return story.tell(r.StopOrdered("budget", "1 lost"), r.PhaseEnded("db", False), r.RunEnded(6))


def _call(*words: str, stdin: str = "") -> Result:
    return CliRunner().invoke(fleetctl, ["runs", *words], input=stdin)


def test_runs_are_listed_with_their_state(journal: Journal) -> None:
    """A run whose controller died is cut off, not running."""
    _keep(journal, _failed())
    (row,) = json.loads(_call("list", "--output", "json").stdout)
    assert (row["run"], row["state"], row["exit"], row["hosts"]) == ("01RUN", "cut off", None, 20)
    lock = journal.lock("01RUN")
    lock.take("bea@lap 7")
    (row,) = json.loads(_call("list", "--output", "json").stdout)
    lock.release()
    assert row["state"] == "live"


def test_a_live_run_takes_until_now(journal: Journal, monkeypatch: pytest.MonkeyPatch) -> None:
    """A long step writes nothing, and the run takes its time all the same."""
    _keep(journal, Story().open().send("db", DB[:1]))
    monkeypatch.setattr("fleetctl.cli.runs.time.time", lambda: START_S + 3600)
    lock = journal.lock("01RUN")
    lock.take("bea@lap 7")
    live = _call("show", "01RUN").output
    lock.release()
    assert "goes on; so far it took 1 h" in live
    assert "1 h" not in _call("show", "01RUN").output  # cut off: nobody knows for how long


def test_no_runs_are_no_error(journal: Journal) -> None:
    """A program gets an empty array, a person a word."""
    assert json.loads(_call("list", "--output", "json").stdout) == []
    assert _call("list").stderr == "no runs yet\n"


def test_a_journal_that_is_not_there_is_a_mistake_and_is_not_made(
    journal: Journal, tmp_path: Path
) -> None:
    """A typo in --journal shows no empty list; what was meant is told."""
    typo = tmp_path / "jurnal.db"
    for words in (("list",), ("show", "last"), ("logs", "last")):
        result = _call(*words, "--journal", str(typo))
        assert result.exit_code == ExitCode.USAGE
        assert f'did you mean "{tmp_path / "journal.db"}"?' in result.stderr
        assert not typo.exists()


def test_no_journal_yet_is_no_mistake(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Who has pushed nothing has no runs, and looking makes no file."""
    monkeypatch.setenv("FLEETCTL_JOURNAL", str(tmp_path / "new.db"))
    assert _call("list").stderr == "no runs yet\n"
    assert not (tmp_path / "new.db").exists()


def test_a_live_run_is_not_to_be_resumed(journal: Journal) -> None:
    """Whoever looks at a run that is being driven is not told to take it up."""
    _keep(journal, Story().open().send("db", DB[:2]).finish("db", DB[:1]))
    assert "runs resume" in _call("show", "last").stdout
    lock = journal.lock("01RUN")
    lock.take("bea@lap 7")
    shown = _call("show", "last").stdout
    lock.release()
    assert "runs resume" not in shown
    assert "run 01RUN goes on" in shown


@pytest.mark.parametrize("name", ["01RUN", "01R", "last"])
def test_a_run_is_shown_and_exits_as_it_did(journal: Journal, name: str) -> None:
    """By id, by the beginning of one, or the last."""
    _keep(journal, _failed(), ExitCode.STOPPED)
    result = _call("show", name)
    assert result.exit_code == ExitCode.STOPPED
    assert result.stdout.startswith("20 of 20 accounted for: 1 changed, 18 skipped, 1 failed\n")
    rows = json.loads(_call("show", name, "--output", "json").stdout)
    assert [row["host"] for row in rows if row["outcome"] == "failed"] == ["db002"]


def test_a_mistyped_run_is_a_usage_error(journal: Journal) -> None:
    """Nothing is guessed."""
    _keep(journal, _failed(), ExitCode.STOPPED)
    result = _call("show", "02RUN")
    assert result.exit_code == ExitCode.USAGE
    assert "01RUN" in result.stderr


def test_logs_are_picked_by_host_and_step(journal: Journal) -> None:
    """What a step said, errors marked; a word that matches nothing is an error."""
    _keep(journal, _failed(), ExitCode.STOPPED)
    lines = _call("logs", "last", "--host", "db[002-003]").stdout.splitlines()
    assert lines[0][9:] == "db002 `schema upgrade` failed, exit 1, 0.0 s"
    assert lines[1:] == ["  ! disk full"]
    rows = json.loads(_call("logs", "last", "--step", "switch", "--output", "json").stdout)
    assert [(row["host"], row["title"]) for row in rows] == [("db001", "switch to r2")]
    assert _call("logs", "last", "--host", "bd002").exit_code == ExitCode.USAGE
    assert (
        'did you mean "schema upgrade"' in _call("logs", "last", "--step", "schma upgrade").stderr
    )


def test_a_resume_is_confirmed_by_the_hosts_left(journal: Journal) -> None:
    """Hosts that ended well are not counted, for they are not touched again."""
    _keep(journal, _failed(), ExitCode.STOPPED)
    result = _call("resume", "last")
    assert result.exit_code == ExitCode.REFUSED
    assert "to do: 18 hosts: db[003-016],web[001-004]" in result.stderr
    assert "to do: 1 host: db002" in _call("resume", "last", "--failed").stderr


def test_a_run_that_is_done_is_not_resumed(journal: Journal) -> None:
    """Nothing left to do is said before anybody is asked."""
    story = Story().open().send("db", DB).finish("db", DB).tell(r.PhaseEnded("db", True))
    story.tell(r.PhaseBegan("web")).send("web", WEB).finish("web", WEB).tell(r.RunEnded(0))
    _keep(journal, story, ExitCode.OK)
    result = _call("resume", "last", "--yes")
    assert result.exit_code == ExitCode.REFUSED
    assert "nothing left to do" in result.stderr
    row = RunRow("00CUT", "acme", "Saturday push", "d1", "ann@desk 42", START_S, ("push",), 20)
    journal.create_run(row, plan(), [b"x"])
    assert "run 00CUT (Saturday push) was cut off" in _call("resume", "01RUN").stderr


def test_a_live_run_is_not_driven_twice(journal: Journal) -> None:
    """The second controller is told who the first is."""
    _keep(journal, _failed())
    lock = journal.lock("01RUN")
    lock.take("bea@lap 7")
    result = _call("resume", "last", "--yes")
    lock.release()
    assert result.exit_code == ExitCode.LOCK_HELD
    assert "bea@lap 7" in result.stderr


def test_a_live_run_is_stopped_from_elsewhere(journal: Journal) -> None:
    """The order waits in the journal for the controller; a run that is not live gets none."""
    _keep(journal, _failed())
    assert _call("abort", "last").exit_code == ExitCode.REFUSED
    lock = journal.lock("01RUN")
    lock.take("bea@lap 7")
    assert _call("abort", "last").exit_code == 0
    assert _call("abort", "last", "--kill").exit_code == 0
    lock.release()
    assert [order.word for order in journal.orders("01RUN")] == ["abort", "kill"]


def test_an_open_approval_is_answered_from_elsewhere(journal: Journal) -> None:
    """The gate that asks is found; one that does not ask cannot be answered."""
    story = Story().open().send("db", DB[:1]).finish("db", DB[:1])
    ask = r.QuestionAsked(
        "p1-g01-approval", "gate", "db", "Go on?", ("approve", "refuse"), "refuse", 60.0, 0
    )
    _keep(journal, story.tell(r.GateAsked("db", 0, "p1-g01-approval"), ask))
    lock = journal.lock("01RUN")
    lock.take("bea@lap 7")
    assert _call("approve", "last", "p1-g02").exit_code == ExitCode.USAGE
    assert _call("approve", "last").exit_code == 0
    assert _call("approve", "last", "Go on?", "--no", "--why", "not today").exit_code == 0
    assert _call("answer", "last", "approve").exit_code == 0
    wrong = _call("answer", "last", "aprove")
    lock.release()
    assert wrong.exit_code == ExitCode.USAGE
    assert 'did you mean "approve"' in wrong.stderr
    told = [read_answer(order.by, order.detail) for order in journal.orders("01RUN")]
    assert [(one.gate, one.choice, one.why) for one in told] == [
        ("p1-g01-approval", "approve", ""),
        ("p1-g01-approval", "refuse", "not today"),
        ("p1-g01-approval", "approve", ""),
    ]


def test_an_unknown_host_is_left_to_do(journal: Journal) -> None:
    """Unknown is never counted as done."""
    story = Story().open().send("db", DB[:1])
    story.tell(r.HostSettled("db", "db001", Outcome.UNKNOWN, "", DB_STEPS[0].key, "no answer"))
    _keep(journal, story.tell(r.RunEnded(3)), ExitCode.UNKNOWN)
    assert "to do: 1 host: db001" in _call("resume", "last", "--failed").stderr


@pytest.mark.parametrize(
    ("words", "what"),
    [
        (("--done", "db001"), "add --failed"),
        (("--failed", "--done", "db0001"), 'no host "db0001"\n  hint: did you mean "db001"?'),
        (("--failed", "--again", "db002"), "db002 is not unknown, but skipped"),
        (("--failed", "--again", "db001", "--done", "db001"), "db001 cannot be both"),
    ],
)
def test_what_cannot_be_said_of_a_host_is_refused(
    journal: Journal, words: tuple[str, ...], what: str
) -> None:
    """A word about a host that is not unknown changes nothing and starts nothing."""
    story = Story().open().send("db", DB[:1])
    story.tell(r.HostSettled("db", "db001", Outcome.UNKNOWN, "", DB_STEPS[0].key, "no answer"))
    _keep(journal, story.tell(r.RunEnded(3)), ExitCode.UNKNOWN)
    refused = _call("resume", "last", *words, "--yes")
    assert (refused.exit_code, what in refused.stderr) == (ExitCode.USAGE, True), refused.stderr
