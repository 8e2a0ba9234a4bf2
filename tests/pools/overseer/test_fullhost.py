"""A host as full as the one this was made for: 400 instances, 1,200 pools, tasks arriving."""

from __future__ import annotations

import random
from pathlib import Path

import pytest

from tests.pools.overseer.live import QUERY, host

INSTANCES = 400
TASKS = 400


@pytest.mark.slow
@pytest.mark.exhaustive
def test_tasks_of_four_hundred_instances_are_each_done_once(tmp_path: Path) -> None:
    """Nobody is told of any task; the overseer is killed on the way; at the end all sleep again."""
    chance = random.Random(5)
    with host(tmp_path) as live:
        idle = live.taskmaster(at_start="asleep")
        task = live.taskmaster(at_start="asleep", max=4, queue="q")
        live.write(
            kind={"task": task, "pull": idle, "trigger": idle},
            instances=[{"names": ["i[001-400]"], "kinds": ["task", "pull", "trigger"]}],
            attention={"q": {"sqlite": str(live.database), "query": QUERY, "every": 0.5}},
        )
        live.start()
        assert live.ask("status")["counts"] == {"HIBERNATING": 3 * INSTANCES}
        for number in range(TASKS):
            what = "throw" if number % 50 == 7 else "ok"
            live.put(f"i{chance.randrange(1, INSTANCES + 1):03d}", what)
            if number == TASKS // 2:
                live.kill()
                live.start()
        live.until(lambda: not live.open_tasks(), 300)
        done = live.rows("SELECT count(*), count(DISTINCT task) FROM effect")
        assert done == [(TASKS, TASKS)]
        live.until(lambda: not live.pids(), 60)
        assert live.ask("status")["counts"] == {"HIBERNATING": 3 * INSTANCES}
