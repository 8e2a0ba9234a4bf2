"""Without a terminal a run is told in plain lines or in JSON lines."""

from __future__ import annotations

import json

import pytest

from fleetctl.base.outcome import Outcome
from fleetctl.cli.progress import RunView
from fleetctl.cli.watching import JsonLines, PlainLines, stamped
from fleetctl.rollout import records as r
from fleetctl.rollout.observers import Recorded
from fleetctl.transport.protocol import Said
from tests.cli.samples import DB, START_S, Story, plan


def _batch(story: Story) -> list[Recorded]:
    return [Recorded(*entry) for entry in story.entries]


def test_plain_lines_carry_the_time_and_go_to_stderr(capsys: pytest.CaptureFixture[str]) -> None:
    """stdout stays free for data."""
    PlainLines(RunView(plan())).recorded(_batch(Story().open()))
    told = capsys.readouterr()
    assert told.out == ""
    assert told.err.splitlines() == [
        stamped(START_S, "run 01RUN opened: Saturday push, 20 hosts"),
        stamped(START_S, "phase db: 16 hosts in 3 batches"),
    ]


def test_json_lines_are_one_object_a_record(capsys: pytest.CaptureFixture[str]) -> None:
    """Every record, with its place, time and type; output of steps as text."""
    story = Story().open().tell(
        r.StepSettled("db", "db001", "k", Outcome.FAILED, 1, stderr=b"na\xefve"),
    )  # fmt: skip
    JsonLines(RunView(plan())).recorded(_batch(story))
    rows = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert [row["type"] for row in rows] == ["run-opened", "phase-began", "step-settled"]
    assert [row["seq"] for row in rows] == [1, 2, 3]
    assert rows[2]["stderr"] == "na\ufffdve"
    assert rows[2]["outcome"] == "failed"
    assert rows[0]["words"] == ["push", "x.yaml"]


def test_records_known_before_are_not_told_again(capsys: pytest.CaptureFixture[str]) -> None:
    """A resumed run tells what is new."""
    story = Story().open()
    watcher = PlainLines(story.view(), seq=len(story.entries))
    watcher.recorded(_batch(story.tell(r.RunResumed(8, "ann"))))
    assert [line[9:] for line in capsys.readouterr().err.splitlines()] == ["run 01RUN resumed"]


def test_a_line_of_a_step_reaches_the_view() -> None:
    """The last line of a host at work can be shown."""
    watcher = PlainLines(RunView(plan()))
    watcher.recorded(_batch(Story().open().send("db", DB[:1])))
    watcher.said(Said(1, "db001", "k", "applying 7 of 9"))
    assert watcher.view.in_flight()[0].line == "applying 7 of 9"
