"""Tasks as a real source counts them, in the tally: how many, since when, and when nobody knows."""

from __future__ import annotations

import contextlib
from pathlib import Path
from typing import Any

import pytest

from tests.pools.overseer.live import QUERY, Host, host


def _group(live: Host) -> dict[str, Any]:
    group: dict[str, Any] = live.ask("tally")["groups"]["task"]
    return group


@pytest.mark.slow
def test_the_tally_follows_the_source_and_knows_when_it_fails(tmp_path: Path) -> None:
    """Tasks of a paused pool get older, go when they are gone, and are uncertain without it."""
    with host(tmp_path) as live:
        live.write(
            kind={"task": live.taskmaster(at_start="asleep", queue="tasks")},
            instances=[{"names": ["acme", "bolt"], "kinds": ["task"]}],
            attention={"tasks": {"sqlite": str(live.database), "query": QUERY, "every": 0.1}},
        )
        live.start()
        live.until(lambda: "uncertain" not in _group(live))
        assert "claimable" not in _group(live)
        live.ask("pause", pools=["acme/task"], why="a look")
        live.put("acme", count=3)
        live.until(lambda: _group(live).get("claimable") == 3)
        first = _group(live)["oldest_s"]
        live.until(lambda: _group(live)["oldest_s"] > first + 0.5)
        with contextlib.closing(live.open_queue()) as database:
            database.execute("DELETE FROM task")
        live.until(lambda: "claimable" not in _group(live))
        assert "oldest_s" not in _group(live)
        with contextlib.closing(live.open_queue()) as database:
            database.execute("ALTER TABLE task RENAME TO gone")
        live.until(lambda: _group(live).get("uncertain") == 2)
        assert live.ask("tally")["overseer"]["lookouts_failing"] == 1
