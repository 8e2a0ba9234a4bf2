"""Lookouts: what a row of a database is told as, and what of their words is understood."""

from __future__ import annotations

import os
import time
from pathlib import Path

import pytest

from fleetctl.pools.overseer.lookat import told
from fleetctl.pools.overseer.lookouts import Lookout, Notice
from fleetctl.pools.overseer.specs import Attention


@pytest.mark.parametrize(
    ("row", "line"),
    [
        (("acme", "task"), "acme/task 0\n"),
        (("acme", "task", 7), "acme/task 7\n"),
        (("acme", "task", 7, None), "acme/task 7\n"),
        (("acme", "task", None, 3), "acme/task 0 3\n"),
        (("acme", "task", 7, 0), "acme/task 7 0\n"),
    ],
)
def test_a_row_is_told_without_what_it_does_not_say(row: tuple[object, ...], line: str) -> None:
    """NULL and missing columns are the same; a count of nothing is not no count."""
    assert told(row) == line


def _started(command: list[str], folder: Path) -> Lookout:
    lookout = Lookout(Attention("q", {"command": command}))
    lookout.start(dict(os.environ), str(folder / "log"), time.monotonic())
    return lookout


def _said(lookout: Lookout, enough: int) -> list[Notice]:
    notices: list[Notice] = []
    end = time.monotonic() + 30
    while len(notices) < enough and time.monotonic() < end:
        notices += lookout.read(time.monotonic())
        time.sleep(0.005)
    return notices


def test_lines_are_understood_and_nonsense_is_passed_over(tmp_path: Path) -> None:
    """Names, numbers, the end of a look; a line that is none of these is nothing."""
    text = "a/b\na/b 4\na/b 4 2\na/b x\n\n=\na/b 1 2 3 4\n.\n"
    lookout = _started(["sh", "-c", f"printf '{text}'; sleep 60"], tmp_path)
    try:
        assert _said(lookout, 5) == [
            Notice("q", "a/b", 0, None),
            Notice("q", "a/b", 4, None),
            Notice("q", "a/b", 4, 2),
            Notice("q", "", 0, None),
            Notice("q", "", 0, 0),
        ]
        assert lookout.failures == 0
    finally:
        lookout.end(0.0)


def test_one_that_ends_is_started_later_and_later(tmp_path: Path) -> None:
    """A lookout that dies is no reason to spin; its end is noticed and its process is gone."""
    lookout = _started(["sh", "-c", "exit 1"], tmp_path)
    rests = []
    for _ in range(3):
        end = time.monotonic() + 30
        while lookout.pipe >= 0 and time.monotonic() < end:
            lookout.read(100.0)
        rests.append(round(lookout.start_at - 100.0))
        lookout.start(dict(os.environ), str(tmp_path / "log"), 100.0)
    lookout.end(0.0)
    assert rests == [1, 2, 4]


def test_one_that_is_silent_is_found_out(tmp_path: Path) -> None:
    """Running and not looking is as good as dead, after half a minute."""
    lookout = _started(["sleep", "60"], tmp_path)
    try:
        now = time.monotonic()
        assert not lookout.silent(now + 20)
        assert lookout.silent(now + 40)
    finally:
        lookout.end(0.0)


def test_a_program_that_is_not_there_is_tried_again(tmp_path: Path) -> None:
    """And nothing is left open."""
    before = len(list(Path("/proc/self/fd").iterdir()))
    lookout = Lookout(Attention("q", {"command": ["/no/such/program"]}))
    assert not lookout.start({}, str(tmp_path / "log"), 50.0)
    assert lookout.start_at == 51.0
    assert len(list(Path("/proc/self/fd").iterdir())) == before
