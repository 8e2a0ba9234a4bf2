"""The commands over real SSH servers: what a person does on a Saturday, and what goes wrong."""

from __future__ import annotations

import json
import signal
from pathlib import Path

import pytest

from fleetctl.base.errors import ExitCode
from tests.cli.program import PATIENCE_S, Program, end, wait_until
from tests.labfixture import StartLab

pytestmark = pytest.mark.slow

HOSTS = ("db001", "db002", "db003", "db004")
ONCE = {host: ["one", "three"] for host in HOSTS}
NOT_AT_ALL: dict[str, list[str]] = {host: [] for host in HOSTS}
PLAYBOOK = """\
title: Saturday push
budget: 0
phases:
  - name: db
    hosts: tier=db
    batches: [1, 100%]
    steps:
      - run: echo one >> steps
        name: first
      - run: test ! -e broken || { echo "no space on $(hostname)" >&2; exit 3; }
        name: second
        idempotent: true
      - run: while [ -e hold ]; do sleep 0.1; done; echo three >> steps
        name: third
"""
DEPLOY = """\
title: deploy
phases:
  - name: db
    hosts: tier=db
    batches: [1, 100%]
    steps:
      - deploy: {to: srv/app, keep: 2}
"""


@pytest.fixture
def program(tmp_path: Path, lab_fleet: StartLab) -> Program:
    """Four db hosts and a playbook."""
    program = Program(tmp_path, lab_fleet({"db": HOSTS}))
    program.write("push.yaml", PLAYBOOK)
    return program


def _steps(program: Program) -> dict[str, list[str]]:
    return {host: program.lines(host, "steps") for host in HOSTS}


def test_a_push_accounts_for_every_host(program: Program) -> None:
    """Every step ran once on every host, the recap says so, and programs get a row a host."""
    done = program.call("push", "push.yaml", "--yes", "--output", "json")
    assert done.returncode == 0, done.stderr
    assert "4 of 4 accounted for: 4 changed" in done.stderr
    rows = json.loads(done.stdout)
    assert [(row["host"], row["outcome"]) for row in rows] == [(h, "changed") for h in HOSTS]
    assert _steps(program) == ONCE
    shown = program.here("runs", "show", "last")
    assert shown.returncode == 0
    assert shown.stdout.startswith("4 of 4 accounted for: 4 changed\n")


def test_without_a_confirmation_nothing_is_touched(program: Program) -> None:
    """No terminal and no --yes: refused, and no host has heard of us."""
    done = program.call("push", "push.yaml")
    assert done.returncode == ExitCode.REFUSED
    assert "4 hosts" in done.stderr
    assert _steps(program) == NOT_AT_ALL
    assert not any((program.lab.home(host) / ".fleetctl").exists() for host in HOSTS)
    assert json.loads(program.here("runs", "list", "-o", "json").stdout) == []


def test_a_check_changes_nothing(program: Program) -> None:
    """--check asks and does not act."""
    done = program.here("push", "push.yaml", "--check", "--yes")
    assert done.returncode == 0, done.stderr
    assert _steps(program) == NOT_AT_ALL


def test_a_failure_stops_the_push_and_is_resumed(program: Program) -> None:
    """The lost host is named with its last words; mended, it goes on where it was."""
    program.write(str(program.lab.home("db001") / "broken"), "")
    done = program.call("push", "push.yaml", "--yes")
    assert done.returncode == ExitCode.STOPPED, done.stdout + done.stderr
    assert "1 host failed at `second`: db001" in done.stdout
    assert "no space on" in done.stdout
    assert _steps(program)["db002"] == []
    (program.lab.home("db001") / "broken").unlink()
    again = program.here("runs", "resume", "last", "--failed", "--yes")
    assert _steps(program) == {**NOT_AT_ALL, "db001": ["one", "three"]}, again.stderr
    assert "1 changed, 3 skipped" in again.stdout
    rest = program.here("runs", "resume", "last", "--yes")
    assert rest.returncode == 0, rest.stdout + rest.stderr
    assert _steps(program) == ONCE


def test_killed_with_9_and_resumed_no_step_runs_twice(program: Program) -> None:
    """The controller dies in the middle of a step; the next one asks the host and goes on."""
    hold = program.lab.home("db002") / "hold"
    hold.touch()
    process = program.start("push", "push.yaml", "--yes")
    try:
        wait_until(lambda: bool(program.lines("db002", "steps")), "db002 at its third step")
        process.send_signal(signal.SIGKILL)
        process.communicate(timeout=PATIENCE_S)
    finally:
        end(process)
    (row,) = json.loads(program.here("runs", "list", "-o", "json").stdout)
    assert row["state"] == "cut off"
    assert program.here("runs", "show", "last").returncode == ExitCode.UNKNOWN
    hold.unlink()
    done = program.here("runs", "resume", "last", "--yes")
    assert done.returncode == 0, done.stdout + done.stderr
    assert _steps(program) == ONCE


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_a_signal_drains(program: Program, number: signal.Signals) -> None:
    """What is in flight ends, nothing new starts, the exit code says so, and it can be resumed."""
    hold = program.lab.home("db001") / "hold"
    hold.touch()
    process = program.start("push", "push.yaml", "--yes")
    try:
        wait_until(lambda: bool(program.lines("db001", "steps")), "db001 at work")
        process.send_signal(number)
        wait_until(lambda: "stop" in _told(program), "the stop in the journal")
        hold.unlink()
        stdout, stderr = process.communicate(timeout=PATIENCE_S)
    finally:
        end(process)
    assert process.returncode == ExitCode.INTERRUPTED, stdout + stderr
    assert _steps(program) == {"db001": ["one", "three"], "db002": [], "db003": [], "db004": []}
    assert program.here("runs", "resume", "last", "--yes").returncode == 0
    assert _steps(program) == ONCE


def _told(program: Program) -> str:
    return program.here("runs", "show", "last").stdout


def test_two_interrupts_stop_what_runs_on_the_hosts(program: Program) -> None:
    """The remote process group is gone, not orphaned."""
    (program.lab.home("db001") / "hold").touch()
    process = program.start("push", "push.yaml", "--yes")
    try:
        wait_until(lambda: bool(program.lines("db001", "steps")), "db001 at work")
        process.send_signal(signal.SIGINT)
        wait_until(lambda: "stop" in _told(program), "the drain in the journal")
        process.send_signal(signal.SIGINT)
        stdout, stderr = process.communicate(timeout=PATIENCE_S)
    finally:
        end(process)
    assert process.returncode not in (0, None), stdout + stderr
    assert _steps(program)["db001"] == ["one"]


def test_a_reader_that_goes_away_does_not_end_a_run(program: Program) -> None:
    """Records stream to a pipe nobody reads any more; the push goes to its end."""
    process = program.start("push", "push.yaml", "--yes", "--output", "jsonl")
    try:
        assert process.stdout is not None
        process.stdout.close()
        process.stdout = None
        _, stderr = process.communicate(timeout=PATIENCE_S)
    finally:
        end(process)
    assert process.returncode == 0, stderr
    assert _steps(program) == ONCE


def test_ad_hoc_answers_are_folded(program: Program) -> None:
    """Equal answers once; the host that differs stands alone, and the exit code is truthful."""
    (program.lab.home("db004") / "odd").touch()
    done = program.here("run", "tier=db", "--yes", "--", "if [ -e odd ]; then exit 3; fi; echo up")
    assert done.returncode == ExitCode.HOST_FAILED, done.stderr
    assert done.stdout.splitlines() == [
        "---------------",
        "db[001-003] (3)",
        "---------------",
        "up",
        "---------------",
        "db004 (1): exit 3",
        "---------------",
    ]


def test_status_asks_the_hosts(program: Program) -> None:
    """Live releases, drift from the pin, and unknown for who does not answer."""
    program.write("app/index.html", "hello")
    program.write("deploy.yaml", DEPLOY)
    assert program.here("releases", "add", "app", "--id", "r1").returncode == 0
    assert program.here("releases", "pin", "db", "r1").returncode == 0
    done = program.here("push", "deploy.yaml", "--yes")
    assert done.returncode == 0, done.stdout + done.stderr
    program.lab.inventory.write_text(
        program.lab.inventory.read_text() + f"playbook: {program.folder / 'deploy.yaml'}\n"
    )
    done = program.here("status", "--output", "json")
    assert done.returncode == 0, done.stderr
    rows = json.loads(done.stdout)
    assert [(r["live"], r["pin"], r["state"]) for r in rows] == [("r1", "r1", "as pinned")] * 4
    current = program.lab.home("db002") / "srv/app/current"
    current.unlink()
    current.symlink_to("releases/r0")
    program.lab.fault("db003", "refuse")
    done = program.here("status", "--output", "json")
    assert done.returncode == ExitCode.HOST_FAILED
    assert [row["state"] for row in json.loads(done.stdout)] == [
        "as pinned",
        "DRIFT",
        "unreachable",
        "as pinned",
    ]
    cached = program.here("status", "--cached", "--output", "json")
    assert [row["live"] for row in json.loads(cached.stdout)] == ["r1"] * 4
    deployed = program.here("deploy", "--tier", "db", "--host", "db002", "--yes")
    assert deployed.returncode == 0, deployed.stdout + deployed.stderr
    assert current.readlink().name == "r1"


def test_a_stale_plan_is_refused(program: Program) -> None:
    """What is run is what was shown; what changed is named."""
    assert program.here("plan", "push.yaml", "--save", "push.plan").returncode == 0
    program.write("push.yaml", PLAYBOOK + "# one more thought\n")
    done = program.here("push", "--plan", "push.plan", "--yes")
    assert done.returncode == ExitCode.REFUSED
    assert "push.yaml" in done.stderr
    assert _steps(program) == NOT_AT_ALL
    program.write("push.yaml", PLAYBOOK)
    assert program.here("push", "--plan", "push.plan", "--yes").returncode == 0
    assert _steps(program) == ONCE
