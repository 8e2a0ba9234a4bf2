"""The program that stands in for a command, run by a real sh."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from fleetctl.lab.layout import Layout
from fleetctl.lab.rehearsal.mishaps import parse_mishaps
from fleetctl.lab.rehearsal.stage import Call, read_calls, set_stage
from tests.lab.rehearsal.plans import a_plan

KEY = "p1-s02-run"


@pytest.fixture
def layout(tmp_path: Path) -> Layout:
    """One host's home, with two failing tries asked for at KEY."""
    layout = Layout(tmp_path)
    set_stage(layout, ["db001"], parse_mishaps(("db001=fail@upgrade:2",), a_plan()))
    return layout


def call(layout: Layout, *words: str) -> subprocess.CompletedProcess[str]:
    """What the host would do."""
    home = layout.home("db001")
    return subprocess.run(
        ["sh", str(home / "rehearsal" / "standin.sh"), *words],
        env={"HOME": str(home), "PATH": "/usr/bin:/bin"},
        capture_output=True, text=True, check=False,
    )  # fmt: skip


def test_a_check_knows_what_was_acted_and_undone(layout: Layout) -> None:
    """To be done until it is done, and again when it was undone; each item by itself."""
    assert call(layout, "check", "k", "0").returncode == 1
    assert call(layout, "act", "k", "0", "r2").stdout == "r2\n"
    assert call(layout, "check", "k", "0").returncode == 0
    assert call(layout, "check", "k", "0", "", "../b c").returncode == 1
    assert call(layout, "act", "k", "0", "", "../b c").returncode == 0
    assert call(layout, "check", "k", "0", "", "../b c").returncode == 0
    assert call(layout, "undo", "k", "0").returncode == 0
    assert call(layout, "check", "k", "0").returncode == 1


def test_a_fault_shows_as_often_as_it_was_asked_for(layout: Layout) -> None:
    """Two tries fail, the third one is well."""
    tries = [call(layout, "act", KEY, "0", "well") for _ in range(3)]
    assert [each.returncode for each in tries] == [1, 1, 0]
    assert "rehearsed fault" in tries[0].stderr


def test_items_at_work_at_once_count_as_several_tries(layout: Layout) -> None:
    """Of eight items that begin together exactly two meet the fault that was asked for twice."""
    home = layout.home("db001")
    line = f'sh "$HOME/rehearsal/standin.sh" act {KEY} 0 t'
    text = f"for i in 1 2 3 4 5 6 7 8; do {line} $i || echo lost & done; wait"
    done = subprocess.run(
        ["sh", "-c", text], env={"HOME": str(home), "PATH": "/usr/bin:/bin"},
        capture_output=True, text=True, check=True,
    )  # fmt: skip
    assert done.stdout.split().count("lost") == 2


def test_every_call_is_noted(layout: Layout) -> None:
    """Who asks afterwards learns what each host was asked to do, in order."""
    call(layout, "check", "k", "0")
    call(layout, "act", "k", "0", "text", "item-1")
    assert read_calls(layout, ["db001"]) == [
        Call("db001", "check", "k", ""), Call("db001", "act", "k", "item-1"),
    ]  # fmt: skip


def test_a_list_and_a_gate_answer(layout: Layout) -> None:
    """Items come one a line; a gate holds, and a disk that has room."""
    assert call(layout, "list", "k", "0", "a\nb").stdout == "a\nb\n"
    assert call(layout, "gate", "g", "0").returncode == 0
    assert call(layout, "disk", "g", "0").returncode == 0
