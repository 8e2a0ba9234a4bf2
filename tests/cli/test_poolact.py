"""Pools of a real overseer put to sleep and woken by pushes and by hand, over real SSH."""

from __future__ import annotations

import json
import shutil
import signal
from collections.abc import Iterator
from pathlib import Path

import msgspec
import pytest
from click.testing import CliRunner, Result

from fleetctl.base.errors import ExitCode
from fleetctl.cli.main import fleetctl
from fleetctl.inventory.model import Pools
from tests.cli.program import PATIENCE_S, Program, end, wait_until
from tests.labfixture import StartLab, a_fleet
from tests.pools.overseer.live import Host, host

pytestmark = pytest.mark.slow

PUSH = """\
title: Push
phases:
  - name: repo
    hosts: tier=repo
    steps:
      - pools: hibernate
        restored_by: wake the pools
      - run: "touch deploying; while [ -e hold ]; do sleep 0.05; done; test ! -e broken"
        name: deploy
      - pools: wake
        name: wake the pools
"""
BEFORE = {"asleep/nap": "HIBERNATING", "runs/task": "RUNNING", "stopped/task": "PAUSED"}


@pytest.fixture(scope="module")
def overseer(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Host]:
    """Keeps a pool that runs, one that sleeps, one that somebody paused."""
    with host(tmp_path_factory.mktemp("h")) as made:
        command = ["sleep", "1000"]
        made.write(
            kind={
                "task": made.taskmaster(down_after=600),
                "nap": {"command": command, "ready": "exec", "at_start": "asleep"},
            },
            instances=[
                {"names": ["runs", "stopped"], "kinds": ["task"]},
                {"names": ["asleep"], "kinds": ["nap"]},
            ],
        )
        made.start()
        shutil.copy(made.program, made.home / "overseer.pyz")
        yield made


@pytest.fixture(scope="module")
def shared(
    tmp_path_factory: pytest.TempPathFactory, module_lab_fleet: StartLab, overseer: Host
) -> Program:
    """A lab of one host on which the overseer works."""
    fleet = a_fleet({"repo": ["repo001"]})
    hosts = {n: msgspec.structs.replace(h, pools=Pools()) for n, h in fleet.hosts.items()}
    fleet = msgspec.structs.replace(fleet, hosts=hosts)
    program = Program(tmp_path_factory.mktemp("p"), module_lab_fleet(fleet))
    folder = _home(program) / ".fleetctl"
    folder.mkdir()
    (folder / "overseer").symlink_to(overseer.home)
    program.write("push.yaml", PUSH)
    return program


@pytest.fixture
def program(shared: Program, overseer: Host) -> Program:
    """As it is before a test: one runs, one sleeps, one is paused."""
    for name in ("hold", "broken", "deploying"):
        (_home(shared) / name).unlink(missing_ok=True)
    overseer.ask("resume", pools=["*"])
    overseer.ask("hibernate", pools=["asleep/nap"])
    overseer.ask("wake", pools=["runs/task", "stopped/task"])
    for name in ("runs/task", "stopped/task"):
        overseer.until(lambda name=name: _slots(overseer, name) == ["idle"])  # type: ignore[misc]
    overseer.ask("pause", pools=["stopped/task"], why="keys change", by="bob")
    overseer.until_state("asleep/nap", "HIBERNATING")
    assert _states(overseer) == BEFORE
    return shared


def _home(program: Program) -> Path:
    return program.lab.home("repo001")


def _slots(overseer: Host, name: str) -> list[str]:
    return [slot["state"] for slot in overseer.pool(name)["slots"]]


def _states(overseer: Host) -> dict[str, str]:
    return {row["pool"]: row["state"] for row in overseer.pools()}


def _deploying(program: Program) -> None:
    wait_until((_home(program) / "deploying").exists, "the deploy")


def _as_before(overseer: Host, before: set[int]) -> None:
    """What ran has a new process, what slept sleeps, what was paused is."""
    assert _states(overseer) == BEFORE
    assert _slots(overseer, "runs/task") == ["idle"]
    assert overseer.pids("runs/task").isdisjoint(before)
    assert not overseer.pids("asleep/nap")


def test_a_push_that_fails_between_leaves_pools_as_they_were(
    program: Program, overseer: Host
) -> None:
    """The deploy fails: what the run put to sleep runs again, and nothing else does."""
    before = overseer.pids()
    (_home(program) / "broken").touch()
    (_home(program) / "hold").touch()
    process = program.start("push", "push.yaml", "--yes")
    try:
        _deploying(program)
        assert not overseer.pids()
        assert overseer.pool("runs/task")["state"] == "HELD"
        (_home(program) / "hold").unlink()
        out, err = process.communicate(timeout=PATIENCE_S)
    finally:
        end(process)
    assert process.returncode == 6, out + err
    _as_before(overseer, before)


@pytest.mark.parametrize("way", ["kill", "interrupt"])
def test_a_controller_that_goes_leaves_pools_as_they_were(
    program: Program, overseer: Host, way: str
) -> None:
    """kill -9 and a resume, or Ctrl-C twice: pools stay down meanwhile, and are given back."""
    before = overseer.pids()
    (_home(program) / "hold").touch()
    process = program.start("push", "push.yaml", "--yes")
    try:
        _deploying(program)
        if way == "kill":
            process.kill()
            process.wait(PATIENCE_S)
            assert not overseer.pids()
            (_home(program) / "hold").unlink()
            resumed = program.here("runs", "resume", "last", "--yes")
            assert resumed.returncode == 0, resumed.stdout + resumed.stderr
        else:
            process.send_signal(signal.SIGINT)
            assert process.stderr is not None
            assert any("nothing new starts" in line for line in process.stderr)
            process.send_signal(signal.SIGINT)
            out, err = process.communicate(timeout=PATIENCE_S)
            assert process.returncode == 130, out + err
    finally:
        end(process)
    _as_before(overseer, before)


def test_what_a_run_that_is_over_holds_is_told_and_can_be_taken_away(
    program: Program, overseer: Host
) -> None:
    """A push beside the holds of a dead one does its work, but does not end well: the pools are
    down, and it says whose they are. Released by hand they are as before, and `runs` says why."""
    before = overseer.pids()
    overseer.ask("hold", token="gone-1", why="run gone-1", by="fleetctl")
    overseer.until(lambda: not overseer.pids())
    done = program.here("push", "push.yaml", "--yes")
    assert done.returncode == ExitCode.HOST_FAILED, done.stdout + done.stderr
    assert (
        "3 pools held back by run gone-1: repo001 (1); "
        "fleetctl runs resume gone-1, or fleetctl pools release gone-1" in done.stdout
    )
    assert "exit 1: daemons are held back by another run" in done.stdout
    assert "next: " not in done.stdout
    assert json.loads(program.here("runs", "list", "-o", "json").stdout)[0]["exit"] == 1
    words = ("release", "gone-1", "tier=repo", "--why", "its machine burnt", "--yes")
    done = program.here("pools", *words)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "held: 3 pools; 1 host" in done.stderr
    assert done.stdout == "1 host, 1 running, 1 held back by others\n"
    _as_before(overseer, before)
    assert "nothing to do" in _asked(program, *words).stderr
    journal = program.environ["FLEETCTL_JOURNAL"]
    listed = CliRunner().invoke(fleetctl, ["runs", "list", "-o", "json", "--journal", journal])
    assert json.loads(listed.stdout)[0]["title"] == "pools release gone-1: its machine burnt"


def test_by_hand_the_busy_finish_first_unless_one_says_now(
    program: Program, overseer: Host
) -> None:
    """One line says what came of it; the run says what was done and why."""
    overseer.put("runs", "hang", 1)
    overseer.until(lambda: _slots(overseer, "runs/task") == ["busy"])
    before = overseer.pids("runs/task")
    words = ("pools", "hibernate", "task", "--tier", "repo", "--why", "quiet please", "--yes")
    done = program.here(*words)
    assert done.returncode == 0, done.stdout + done.stderr
    assert done.stdout == "1 host, 1 busy: sleep when done, 1 paused\n"
    assert overseer.pids("runs/task") == before
    done = program.here(*words, "--now")
    assert "interrupts on repo001: runs/task" in done.stderr
    assert done.stdout == "1 host, 1 pool asleep, 1 paused\n"
    overseer.rows("DELETE FROM task")
    told = program.here("runs", "list", "--output", "json")
    assert "pools hibernate */task: quiet please" in json.dumps(json.loads(told.stdout)[0])


def test_commands_that_restart_drain_and_resume(program: Program, overseer: Host) -> None:
    """Each is read back from the overseers; nothing that sleeps is roused."""
    before = overseer.pids("runs/task")
    done = program.here("pools", "restart", "--yes", "--output", "json")
    assert done.returncode == 0, done.stderr
    row = json.loads(done.stdout)[0]
    assert (row["host"], row["up"]) == ("repo001", 1)
    assert overseer.pids("runs/task").isdisjoint(before)
    drained = program.here("pools", "drain", "--instance", "runs", "--why", "x", "--yes")
    assert drained.stdout == "1 host, 1 drained\n", drained.stderr
    resumed = program.here("pools", "resume", "--instance", "runs", "--yes")
    assert resumed.stdout == "1 host, 1 running\n", resumed.stderr
    assert _states(overseer) == BEFORE


def test_a_second_time_is_nothing_to_do(program: Program, overseer: Host) -> None:
    """The host ends ok and not changed, and both the plan and the sum say so; whose pause would be
    replaced is said before."""
    words = ("pools", "resume", "task", "--instance", "runs", "--yes")
    done = program.here(*words)
    assert done.stdout == "1 host, 1 running; nothing to do\n", done.stderr
    assert "all is so already" in done.stderr
    assert "1 ok" in done.stderr
    assert "changed" not in done.stderr.splitlines()[-1]
    done = program.here("pools", "restart", "nap", "--yes")
    assert done.stdout == "1 host, 1 pool asleep; nothing to do\n", done.stderr
    done = program.here("pools", "pause", "stopped/task", "--why", "x", "--for", "20", "--yes")
    assert 'replaces the pause by bob "keys change", which has no end' in done.stderr
    assert "in 20 s" in done.stderr
    assert "nothing to do" not in done.stdout
    done = program.here("pools", "scale", "--reset", "runs/task", "--yes")
    assert done.stdout == "1 host, 1 running; nothing to do\n", done.stderr
    done = program.here("pools", "reload", "--yes")
    assert done.stdout.endswith("; nothing to do\n"), done.stdout


def _asked(program: Program, *words: str) -> Result:
    """A command that starts no run, in this process."""
    environ = {key: program.environ[key] for key in ("FLEETCTL_INVENTORY", "FLEETCTL_JOURNAL")}
    return CliRunner().invoke(fleetctl, ["pools", *words], env=environ)


def test_what_happened_is_told_of_all_hosts_and_text_of_one(
    program: Program, overseer: Host
) -> None:
    """Events with their host; the law of a pool; a log where one host is meant."""
    rows = json.loads(_asked(program, "events", "runs/task", "--last", "90", "-o", "json").stdout)
    assert {(row["host"], row["pool"]) for row in rows} == {("repo001", "runs/task")}
    assert "idle" in {row["to"] for row in rows}
    assert _asked(program, "events", "runs/task", "--last", "0").stdout == ""
    nobody = _asked(program, "events", "nosuch", "--follow")
    assert nobody.exit_code == ExitCode.USAGE
    told = _asked(program, "explain", "task").stdout
    assert "  runs/task: RUNNING" in told.splitlines()[1]
    assert "did you mean 'runs/task'?" in _asked(program, "explain", "runs/tusk").stderr
    assert "stopped/task: PAUSED" in told
    told = _asked(program, "log", "runs/task", "--host", "repo001").stdout
    assert told.startswith("== runs/task#0\n")


def test_what_is_not_meant_changes_nothing(program: Program, overseer: Host) -> None:
    """A kind nobody has, and nobody who types the number of hosts."""
    nobody = _asked(program, "hibernate", "tusk", "--yes")
    assert nobody.exit_code == ExitCode.USAGE
    assert "none of these hosts is known to have tusk" in nobody.stderr
    assert "did you mean 'task'?" in nobody.stderr
    assert "did you mean 'runs'?" in _asked(program, "wake", "--instance", "rums").stderr
    unasked = _asked(program, "hibernate", "task")
    assert unasked.exit_code == ExitCode.REFUSED
    assert "now: 1 host, 1 running, 1 paused" in unasked.stderr
    assert _states(overseer) == BEFORE
