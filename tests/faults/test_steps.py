"""Steps that flood, daemonise, ask for a password, or fill their host's disk, in a real push."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from fleetctl.base.errors import ExitCode
from fleetctl.lab.layout import ServerKind
from tests.cli.program import CALL, Program, wait_until
from tests.faults.sick import HOSTS, SICK, Ward
from tests.labfixture import RunningLab, StartLab

pytestmark = pytest.mark.slow
SERVERS = ["embedded", pytest.param("openssh", marks=pytest.mark.openssh)]
EMBEDDED = pytest.mark.parametrize("ward", SERVERS[:1], indirect=True)
OPENSSH = pytest.mark.parametrize("ward", SERVERS[1:], indirect=True)
MANY = ("h1", "h2", "h3", "h4")


@pytest.fixture(scope="module")
def labs() -> dict[str, RunningLab]:
    return {}


@pytest.fixture(params=SERVERS)
def lab(
    request: pytest.FixtureRequest, module_lab_fleet: StartLab, labs: dict[str, RunningLab]
) -> RunningLab:
    """Four hosts by each kind of server; tests leave other files there."""
    server: ServerKind = request.param
    if server not in labs:
        labs[server] = module_lab_fleet({"db": MANY}, server)
    return labs[server]


@pytest.fixture
def program(tmp_path: Path, lab: RunningLab) -> Program:
    return Program(tmp_path, lab)


def _book(step: str, more: str = "") -> str:
    return (
        "title: x\nbudget: 2\nphases:\n  - name: db\n    hosts: tier=db\n    steps:\n"
        f"      - run: |\n          {step}\n{more}"
    )


def _peak_kb(program: Program, *words: str) -> int:
    """The most memory it ever took; it must end well."""
    process = subprocess.Popen([sys.executable, "-c", CALL, *words, "--yes"], cwd=program.folder,
                               env=program.environ, stdin=subprocess.DEVNULL,
                               stdout=subprocess.DEVNULL,
                               stderr=subprocess.DEVNULL)  # fmt: skip
    _, status, usage = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    assert process.returncode == 0
    return usage.ru_maxrss


def test_a_flood_on_both_streams_leaves_the_controller_small(program: Program) -> None:
    """100 MB on each stream of one host: memory is flat, and nobody beside it is held up."""
    flood = "head -c 100000000 /dev/zero & head -c 100000000 /dev/zero >&2; wait"
    program.write("calm.yaml", _book("echo calm"))
    program.write("flood.yaml", _book(f"case $HOME in */h4/home) {flood} ;; esac; date +%s%N >end"))
    calm_kb = _peak_kb(program, "push", "calm.yaml")
    assert _peak_kb(program, "push", "flood.yaml") - calm_kb < 20_000
    ends = {host: int(program.lines(host, "end")[0]) for host in MANY}
    assert max(ends[host] for host in MANY[:3]) <= ends["h4"]
    shown = program.call("runs", "logs", "last", "--host", "h4").stdout
    assert len(shown) < 200_000


def test_a_daemon_that_keeps_the_streams_open_holds_up_nothing(program: Program) -> None:
    """The push ends with the step; the daemon lives on."""
    program.write("push.yaml", _book("(exec sleep 600) & echo $! >daemon; echo started"))
    done = program.call("push", "push.yaml", "--yes")
    pids = [int(program.lines(host, "daemon")[0]) for host in MANY]
    try:
        assert done.returncode == 0, done.stdout + done.stderr
        assert all(Path(f"/proc/{pid}").exists() for pid in pids)
    finally:
        for pid in pids:
            os.kill(pid, signal.SIGKILL)


@pytest.mark.parametrize("asking", [
    "printf 'Password: '; read -r answer || exit 7",
    "printf 'Password: ' >/dev/tty && read -r answer </dev/tty || exit 7",
    "stty -echo || exit 7; read -r answer",
])  # fmt: skip
def test_a_step_that_asks_for_a_password_fails_at_once(program: Program, asking: str) -> None:
    """There is neither an input nor a terminal to read one from: failed, with its own status."""
    program.write("push.yaml", _book(asking))
    done = program.call("push", "push.yaml", "--yes")
    assert done.returncode in (ExitCode.HOST_FAILED, ExitCode.STOPPED), done.stderr
    assert "exit 7" in done.stdout
    assert "4 failed" in done.stdout


UPLOAD = """\
title: x
budget: 0
phases:
  - name: db
    hosts: tier=db
    batches: [4, 100%]
    steps:
      - upload: {from: big, to: srv/big}
      - run: echo one >> marks
"""


@pytest.fixture
def ward(request: pytest.FixtureRequest, tmp_path: Path, lab_fleet: StartLab) -> Ward:
    ward = Ward(tmp_path, lab_fleet({"db": HOSTS}, request.param))
    ward.program.write("big", "x" * 2_000_000)
    return ward


@OPENSSH
def test_a_disk_that_fills_up_in_an_upload(ward: Ward) -> None:
    """Failed with the reason, nothing half at its place, no later step; then laid down whole."""
    ward.program.write("push.yaml", UPLOAD)
    ward.lab.fault(SICK, "full-disk", size="500k")
    code, told = ward.call("push", "push.yaml")
    assert code == ExitCode.STOPPED, told
    assert ward.outcomes()[SICK] == "failed"
    assert not (ward.lab.home(SICK) / "srv/big").exists()
    assert ward.marks() == {SICK: [], "h1": ["one"], "h2": ["one"], "h3": ["one"], "h5": []}
    ward.mend()
    assert (ward.lab.home(SICK) / "srv/big").stat().st_size == 2_000_000
    assert ward.marks() == {host: ["one"] for host in HOSTS}


@EMBEDDED
def test_a_disk_that_is_full_when_a_step_has_ended(ward: Ward) -> None:
    """Its end cannot be recorded there, and is told; the next step does not begin."""
    quiet = "mkdir did; while [ -e hold ]; do sleep 0.05; done; mkdir done"
    book = _book(quiet, "      - run: echo one >> marks\n").replace("budget: 2", "budget: 0")
    ward.program.write("push.yaml", book.replace("steps:", "batches: [4, 100%]\n    steps:"))
    process = ward.start("push", "push.yaml")
    wait_until((ward.lab.home(SICK) / "did").exists, "at work")
    ward.lab.fault(SICK, "full-disk")
    ward.hold.unlink()
    code, told = ward.finish(process)
    assert code == ExitCode.STOPPED, told
    assert ward.rows()[SICK]["outcome"] == "failed"
    assert (ward.lab.home(SICK) / "done").is_dir()
    assert ward.marks() == {SICK: [], "h1": ["one"], "h2": ["one"], "h3": ["one"], "h5": []}
    ward.mend()
    assert ward.marks() == {host: ["one"] for host in HOSTS}


@pytest.fixture
def small_home(ward: Ward) -> Iterator[Path]:
    """The sick host's home on a real disk of 1 MiB; needs the right to mount."""
    home = ward.lab.home(SICK)
    words = ["mount", "-t", "tmpfs", "-o", "size=1m", "tmpfs", str(home)]
    if sys.platform != "linux" or os.geteuid() != 0:
        pytest.skip("mounting a small disk needs root on Linux")
    done = subprocess.run(words, check=False, capture_output=True, text=True)
    if done.returncode != 0:
        pytest.skip(f"mounting a small disk is not allowed here: {done.stderr.strip()}")
    yield home
    subprocess.run(["umount", "-l", str(home)], check=True)


@OPENSSH
def test_a_real_small_disk(ward: Ward, small_home: Path) -> None:
    """Too small for the upload: failed, told why; with room made, it goes on where it was."""
    ward.program.write("push.yaml", UPLOAD)
    code, told = ward.call("push", "push.yaml")
    assert code == ExitCode.STOPPED, told
    assert ward.outcomes()[SICK] == "failed"
    assert "disk" in told.lower() or "space" in told.lower(), told
    assert ward.marks() == {SICK: [], "h1": ["one"], "h2": ["one"], "h3": ["one"], "h5": []}
    words = ["mount", "-o", "remount,size=20m", str(small_home)]
    subprocess.run(words, check=True, capture_output=True)
    ward.mend()
    assert (small_home / "srv/big").stat().st_size == 2_000_000
