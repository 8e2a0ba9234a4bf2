"""`fleetctl pools --local`, against a real overseer."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator

import pytest
from click.testing import CliRunner, Result

from fleetctl.cli.main import fleetctl
from tests.pools.overseer.live import Host, host

slow = pytest.mark.slow


@pytest.fixture(scope="module")
def live(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Host]:
    """A host with three pools, one of which cannot be started."""
    with host(tmp_path_factory.mktemp("h")) as made:
        made.write(
            kind={
                "task": made.taskmaster(at_start="asleep", max=2),
                "sick": {"command": ["/no/such/program"]},
            },
            instances=[
                {"names": ["acme", "bolt"], "kinds": ["task"]},
                {"names": ["acme"], "kinds": ["sick"]},
            ],
        )
        made.start()
        made.until_state("acme/sick", "FAILED")
        yield made


def _run(live: Host, *words: str) -> Result:
    return CliRunner().invoke(fleetctl, ["pools", "--local", "--home", str(live.home), *words])


@slow
def test_status_shows_what_does_not_sleep_and_counts_the_rest(live: Host) -> None:
    """FAILED with its cause; sleepers are a number, and rows only when asked for."""
    told = _run(live, "status")
    assert told.exit_code == 0
    assert "1 failed, 2 hibernating" in told.stderr
    assert re.search(r"acme/sick +FAILED +exec_error", told.stdout)
    assert "bolt/task" not in told.stdout
    rows = json.loads(_run(live, "status", "--all", "-o", "json").stdout)
    assert [row["state"] for row in rows] == ["HIBERNATING", "HIBERNATING", "FAILED"]


@slow
def test_a_pool_is_woken_paused_explained_and_put_to_sleep(live: Host) -> None:
    """Each command does its work on the real thing and leaves its mark in the events."""
    assert _run(live, "pause", "bolt/task", "--why", "a look").exit_code == 0
    assert "bolt/task is held back" in _run(live, "wake", "bolt/task").stderr
    paused = live.pool("bolt/task")
    assert paused["state"] == "PAUSED"
    assert paused["why"].endswith("a look")
    explained = _run(live, "explain", "bolt/task").stdout
    assert "grows by 0, because: paused" in explained
    assert _run(live, "resume", "bolt/task").exit_code == 0
    live.until(lambda: any(e.get("x") == "ready" for e in live.events()))
    assert _run(live, "hibernate", "bolt/task").exit_code == 0
    live.until_state("bolt/task", "HIBERNATING")
    told = _run(live, "events", "bolt/task", "-o", "jsonl").stdout.splitlines()
    seen = [json.loads(line)["event"] for line in told]
    assert seen[:3] == ["intent", "attention", "intent"]
    assert {"wake", "ready", "slept"} <= set(seen)


@slow
def test_what_concerns_several_pools_is_confirmed_by_their_number(live: Host) -> None:
    """A pattern is refused without a person or --yes, and nothing is done."""
    told = _run(live, "drain", "*/task", "--why", "keys")
    assert told.exit_code == 8
    assert "2 pools" in told.stderr
    assert live.pool("acme/task")["state"] == "HIBERNATING"
    assert _run(live, "drain", "*/task", "--why", "keys", "--yes").exit_code == 0
    assert live.pool("acme/task")["state"] == "DRAINED"
    assert _run(live, "resume", "*/task", "--yes").exit_code == 0


@slow
def test_a_name_that_is_none_is_told_with_the_nearest(live: Host) -> None:
    """Nothing is done for a typo."""
    told = _run(live, "wake", "acme/tsk")
    assert told.exit_code == 8
    assert "no pool is called 'acme/tsk'; did you mean 'acme/task'?" in told.stderr


@slow
def test_metrics_and_log_are_there(live: Host) -> None:
    """Prometheus' text has the states; what a daemon prints is told by `log` alone."""
    text = _run(live, "metrics").stdout
    assert 'fleetctl_pools{state="failed"} 1' in text
    assert "fleetctl_wake_seconds_count" in text
    assert _run(live, "log", "acme/task").stdout.startswith("== acme/task#0")


def test_without_local_it_says_what_it_cannot_do() -> None:
    """The fleet-wide commands are not there yet, and it does not act as if they were."""
    told = CliRunner().invoke(fleetctl, ["pools", "status"])
    assert told.exit_code == 2
    assert "fleetctl pools --local" in told.stderr
