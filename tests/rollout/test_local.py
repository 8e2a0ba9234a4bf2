"""The whole way on real ground: driver, journal, and steps run by sh over the local transport."""

from __future__ import annotations

import os
import shlex
import subprocess
import sys
from collections.abc import Callable, Mapping
from pathlib import Path

import pytest

from fleetctl.base.errors import ExitCode
from fleetctl.base.outcome import Outcome
from fleetctl.journal.store import Journal
from fleetctl.plan.model import Budget, Plan
from fleetctl.rollout.driver import Opening, RunResult, Wanted, push, resume
from fleetctl.rollout.records import HostSettled
from fleetctl.rollout.runlog import read_records
from fleetctl.transport.local import LocalTransport
from fleetctl.transport.protocol import Sink, Transport
from tests.rollout.builders import a_phase, a_plan, a_step, hosts_named

HOSTS = hosts_named(3)
OPENING = Opening("tester", ("push",), "r1")


def transport_in(folder: Path) -> Callable[[Sink], Transport]:
    """Each host has a home of its own."""

    def environment(host: str) -> Mapping[str, str]:
        home = folder / host
        home.mkdir(exist_ok=True)
        return {**os.environ, "HOME": str(home), "FLEETCTL_HOME": str(home / ".fleetctl")}

    return lambda sink: LocalTransport(sink, environment=environment)


def outcomes(folder: Path) -> dict[str, Outcome]:
    with Journal(folder / "journal.db") as journal:
        records = [recorded.record for recorded in read_records(journal, "r1")]
    return {r.host: r.outcome for r in records if isinstance(r, HostSettled)}


def marks(folder: Path, host: str) -> list[str]:
    path = folder / host / "marks"
    return path.read_text().split() if path.exists() else []


def push_in(folder: Path, plan: Plan) -> RunResult:
    with Journal(folder / "journal.db") as journal:
        return push(plan, OPENING, journal, transport_in(folder))


def test_steps_run_once_in_order_and_the_release_is_read_back(tmp_path: Path) -> None:
    """A push over real sh runs every step once, keeps the live release, and answers 0."""
    steps = [
        a_step("one", act="echo one >> ~/marks", barrier=True),
        a_step("two", act="echo two >> ~/marks"),
        a_step("three", act="echo never >> ~/marks", check="true"),
        a_step("read", act="echo rel-2", reads_release=True, expects="rel-2"),
    ]
    plan = a_plan(a_phase([HOSTS[:1], HOSTS[1:]], steps, release="rel-2"))
    result = push_in(tmp_path, plan)
    assert result == RunResult("r1", ExitCode.OK, "")
    assert [marks(tmp_path, host) for host in HOSTS] == [["one", "two"]] * 3
    with Journal(tmp_path / "journal.db") as journal:
        assert {h: live.release for h, live in journal.live("test").items()} == dict.fromkeys(
            HOSTS, "rel-2"
        )
        assert journal.find("last").exit_code == 0


def test_a_failed_host_stops_the_rest_and_a_retry_mends_it(tmp_path: Path) -> None:
    """Over budget nothing more starts; `--failed` runs what failed; resume does the rest."""
    steps = [
        a_step("one", act="echo one >> ~/marks"),
        a_step("two", act="test -f ~/mended && echo two >> ~/marks"),
    ]
    plan = a_plan(a_phase([HOSTS[:1], HOSTS[1:]], steps, budget=Budget(0)))
    assert push_in(tmp_path, plan).exit_code is ExitCode.STOPPED
    assert outcomes(tmp_path) == {
        "web001": Outcome.FAILED, "web002": Outcome.SKIPPED, "web003": Outcome.SKIPPED
    }  # fmt: skip
    for host in HOSTS:
        (tmp_path / host).mkdir(exist_ok=True)
        (tmp_path / host / "mended").touch()
    with Journal(tmp_path / "journal.db") as journal:
        again = resume(
            "r1", OPENING, journal, transport_in(tmp_path), wanted=Wanted(only_failed=True)
        )
        assert again.exit_code is ExitCode.STOPPED
        rest = resume("r1", OPENING, journal, transport_in(tmp_path))
    assert rest.exit_code is ExitCode.OK
    assert [marks(tmp_path, host) for host in HOSTS] == [["one", "two"]] * 3
    assert set(outcomes(tmp_path).values()) == {Outcome.CHANGED}


DYING = """
import os, sys
from pathlib import Path
from fleetctl.journal.store import Journal
from fleetctl.rollout.runlog import RunLog
from tests.rollout.test_local import OPENING, dying_plan, transport_in
from fleetctl.rollout.driver import push

folder, dies_at, after = Path(sys.argv[1]), int(sys.argv[2]), sys.argv[3] == "after"
written, append = 0, RunLog.append
def dying(self, records, wall_s):
    global written
    written += 1
    if written == dies_at and not after:
        os.kill(os.getpid(), 9)
    shown = append(self, records, wall_s)
    if written == dies_at:
        os.kill(os.getpid(), 9)
    return shown
RunLog.append = dying
push(dying_plan(), OPENING, Journal(folder / "journal.db"), transport_in(folder))
"""


def dying_plan() -> Plan:
    steps = [
        a_step("one", act="echo one >> ~/marks", barrier=True),
        a_step("two", act="sleep 0.1; echo two >> ~/marks"),
    ]
    return a_plan(a_phase([HOSTS[:1], HOSTS[1:]], steps))


@pytest.mark.slow
@pytest.mark.parametrize("when", ["before", "after"])
@pytest.mark.parametrize("dies_at", range(1, 7))
def test_a_controller_killed_at_any_write_is_resumed_and_nothing_runs_twice(
    dies_at: int, when: str, tmp_path: Path
) -> None:
    """kill -9 before or after each journal write, resume at once: every effect exactly once."""
    dying = subprocess.run(
        [sys.executable, "-c", DYING, str(tmp_path), str(dies_at), when],
        check=False, timeout=300, capture_output=True, cwd=Path(__file__).parents[2],
    )  # fmt: skip
    assert dying.returncode in (0, -9), dying.stderr.decode()
    with Journal(tmp_path / "journal.db") as journal:
        result = resume("r1", OPENING, journal, transport_in(tmp_path))
    assert result.exit_code is ExitCode.OK
    assert [marks(tmp_path, host) for host in HOSTS] == [["one", "two"]] * 3


def test_what_a_host_says_reaches_the_journal_whole(tmp_path: Path) -> None:
    """Output of a failing step is kept with its exit status, hostile bytes and all."""
    text = "a'b\"c $(false) \\ \n"
    act = f"printf %s {shlex.quote(text)}; printf '\\377' >&2; exit 7"
    plan = a_plan(a_phase([HOSTS[:1]], [a_step("one", act=act)]))
    assert push_in(tmp_path, plan).exit_code is ExitCode.STOPPED
    with Journal(tmp_path / "journal.db") as journal:
        ends = [x.record for x in read_records(journal, "r1")]
    settled = next(record for record in ends if type(record).__name__ == "StepSettled")
    assert (settled.exit_status, settled.stdout, settled.stderr) == (7, text.encode(), b"\xff")  # type: ignore[union-attr]
