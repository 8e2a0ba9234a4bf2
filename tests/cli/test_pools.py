"""`fleetctl pools --local`, against a real overseer."""

from __future__ import annotations

import json
import re
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from fleetctl.cli.main import fleetctl
from fleetctl.cli.poollocal import warn
from fleetctl.pools.overseer.answers import answer
from fleetctl.pools.overseer.loop import Overseer
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


def test_a_socket_that_cannot_be_had_is_named(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Nobody can connect, so the pool sleeps on: status on the host says which, and why."""
    overseer = Overseer(str(tmp_path), str(tmp_path))
    overseer.listeners.failing["acme/web"] = "127.0.0.1:80: Permission denied"
    told = answer(overseer, {"do": "status"})
    overseer.epoll.close()
    warn(told["overseer"])
    said = capsys.readouterr().err
    assert said == "the socket of acme/web cannot be opened: 127.0.0.1:80: Permission denied\n"


def test_a_hint_for_no_pool_is_told_with_its_name(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Who writes a wrong name into the spool sees it in status on the host, with the time."""
    overseer = Overseer(str(tmp_path), str(tmp_path))
    overseer.unknown_hints.add("acme/tsk", "spool", time.monotonic())
    told = answer(overseer, {"do": "status"})
    overseer.epoll.close()
    assert told["overseer"]["unknown_hints"] == 1
    warn(told["overseer"])
    said = capsys.readouterr().err
    assert "a hint (spool) named acme/tsk, which no pool is called: 1 such, the latest " in said


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


def test_what_only_a_host_can_do_is_refused_without_local() -> None:
    """A command of one host's overseer alone names the way to it, and does nothing."""
    told = CliRunner().invoke(fleetctl, ["pools", "debug", "hang", "acme/task"])
    assert told.exit_code == 2
    assert "fleetctl pools --local debug" in told.stderr


def test_each_way_has_its_own_commands_and_help() -> None:
    """`--help` lists what can be said after it; no command of the other way."""
    here = CliRunner().invoke(fleetctl, ["pools", "--local", "--help"]).stdout
    assert re.search(r"^  debug ", here, re.MULTILINE)
    fleet = CliRunner().invoke(fleetctl, ["pools", "--help"]).stdout
    assert not re.search(r"^  debug ", fleet, re.MULTILINE)
    assert re.search(r"^  pack ", fleet, re.MULTILINE)


def test_a_folder_of_an_overseer_goes_with_local_alone() -> None:
    """Across the fleet the inventory says where overseers are: a --home is not passed over."""
    told = CliRunner().invoke(fleetctl, ["pools", "--home", "x", "pack", "y"])
    assert told.exit_code == 2
