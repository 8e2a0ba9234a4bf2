"""A full disk under the journal: nothing goes out unrecorded, what is out ends, resume goes on."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from fleetctl.base.errors import ExitCode
from fleetctl.journal.reserve import RESERVE_BYTES
from tests.cli.program import PATIENCE_S, Program, end, wait_until
from tests.labfixture import StartLab

pytestmark = pytest.mark.slow

HOSTS = tuple(f"db{number:03d}" for number in range(1, 7))
PLAYBOOK = """\
title: Saturday push
phases:
  - name: db
    hosts: tier=db
    batches: [3, 100%]
    steps:
      - run: echo one >> steps; while [ -e hold ]; do sleep 0.1; done; echo two >> steps
        name: upgrade
      - run: head -c 20000 /dev/zero | tr '\\\\0' x; echo three >> steps
        name: restart
"""
ONCE = ["one", "two", "three"]


@pytest.fixture
def small(tmp_path: Path) -> Iterator[Path]:
    """A disk of a few MiB; needs the right to mount."""
    folder = tmp_path / "small"
    folder.mkdir()
    size = f"size={RESERVE_BYTES + 2**20}"
    words = ["mount", "-t", "tmpfs", "-o", size, "tmpfs", str(folder)]
    if sys.platform != "linux" or os.geteuid() != 0:
        pytest.skip("mounting a small disk needs root on Linux")
    done = subprocess.run(words, check=False, capture_output=True, text=True)
    if done.returncode != 0:
        pytest.skip(f"mounting a small disk is not allowed here: {done.stderr.strip()}")
    yield folder
    subprocess.run(["umount", "-l", str(folder)], check=True)


@pytest.fixture
def program(tmp_path: Path, lab_fleet: StartLab) -> Program:
    """Six db hosts, the first three held in their first step."""
    program = Program(tmp_path, lab_fleet({"db": HOSTS}))
    program.write("push.yaml", PLAYBOOK)
    for host in HOSTS[:3]:
        (program.lab.home(host) / "hold").touch()
    return program


def _fill(folder: Path, leave: int = 0) -> Path:
    """Take all the room there is but `leave` bytes."""
    ballast = folder / "ballast"
    fd = os.open(ballast, os.O_WRONLY | os.O_CREAT)
    try:
        while os.write(fd, bytes(4096)):
            pass
    except OSError:
        os.close(fd)
    if leave:
        os.truncate(ballast, ballast.stat().st_size - leave)
    return ballast


def _read_until(process: subprocess.Popen[str], text: str) -> str:
    """What it says on stderr, up to the line with `text`."""
    assert process.stderr is not None
    told = ""
    for line in process.stderr:
        told += line
        if text in line:
            return told
    raise AssertionError(told)


def _let_go(program: Program) -> None:
    for host in HOSTS[:3]:
        (program.lab.home(host) / "hold").unlink(missing_ok=True)


def _steps(program: Program) -> dict[str, list[str]]:
    return {host: program.lines(host, "steps") for host in HOSTS}


def test_a_disk_that_fills_up_stops_the_run_in_good_order(program: Program, small: Path) -> None:
    """The reserve lets the run drain and say so: 130, all accounted for, each effect once."""
    program.environ["FLEETCTL_JOURNAL"] = str(small / "journal.db")
    process = program.start("push", "push.yaml", "--yes")
    try:
        wait_until(lambda: all(program.lines(host, "steps") for host in HOSTS[:3]), "at work")
        ballast = _fill(small)
        _let_go(program)
        stdout, stderr = process.communicate(timeout=PATIENCE_S)
    finally:
        end(process)
    assert process.returncode == ExitCode.INTERRUPTED, stdout + stderr
    assert "stop (journal): the journal cannot be written" in stdout
    assert "next: fleetctl runs resume" in stdout
    assert _steps(program) == {host: ONCE if host in HOSTS[:3] else [] for host in HOSTS}
    refused = program.here("runs", "resume", "last", "--yes")
    assert refused.returncode == ExitCode.REFUSED, refused.stderr
    assert "make room" in refused.stderr
    ballast.unlink()
    done = program.here("runs", "resume", "last", "--yes")
    assert done.returncode == 0, done.stdout + done.stderr
    assert _steps(program) == dict.fromkeys(HOSTS, ONCE)
    assert program.here("runs", "verify").returncode == 0


def test_without_the_reserve_what_is_out_still_ends(program: Program, small: Path) -> None:
    """No record can be kept at all: steps out end on their hosts, 3 says that we cannot tell."""
    program.environ["FLEETCTL_JOURNAL"] = str(small / "journal.db")
    process = program.start("push", "push.yaml", "--yes")
    try:
        wait_until(lambda: all(program.lines(host, "steps") for host in HOSTS[:3]), "at work")
        (small / "journal.db.reserve").unlink()
        ballast = _fill(small)
        (program.lab.home(HOSTS[0]) / "hold").unlink()
        told = _read_until(process, "nothing new starts")
        assert re.search(r"letting db\[00[12]-003\] end what they are at", told), told
        assert process.poll() is None
        _let_go(program)
        stderr = told + process.communicate(timeout=PATIENCE_S)[1]
    finally:
        end(process)
    assert process.returncode == ExitCode.UNKNOWN, stderr
    assert "nothing new starts" in stderr
    assert "fleetctl runs resume" in stderr
    assert _steps(program) == {host: ONCE if host in HOSTS[:3] else [] for host in HOSTS}
    ballast.unlink()
    done = program.here("runs", "resume", "last", "--yes")
    assert done.returncode == 0, done.stdout + done.stderr
    assert _steps(program) == dict.fromkeys(HOSTS, ONCE)


def test_a_full_disk_before_the_start_touches_nothing(program: Program, small: Path) -> None:
    """Refused before the first connection, with the way out."""
    program.environ["FLEETCTL_JOURNAL"] = str(small / "journal.db")
    _let_go(program)
    ballast = _fill(small, 200_000)
    refused = program.call("push", "push.yaml", "--yes")
    assert refused.returncode == ExitCode.REFUSED, refused.stderr
    assert "make room" in refused.stderr
    assert _steps(program) == {host: [] for host in HOSTS}
    ballast.unlink()
    assert json.loads(program.here("runs", "list", "-o", "json").stdout) == []


LIMITED = """
import resource, signal
from fleetctl.journal import reserve
from fleetctl.cli.main import main
reserve.RESERVE_BYTES = 0
resource.setrlimit(resource.RLIMIT_FSIZE, (150_000, 150_000))
main()
"""


def test_a_limit_on_file_sizes_is_a_full_disk_too(program: Program) -> None:
    """Without any right to mount: the log may not grow any more, and the promises hold."""
    _let_go(program)
    words = [sys.executable, "-c", LIMITED, "push", "push.yaml", "--yes"]
    done = subprocess.run(words, cwd=program.folder, env=program.environ, capture_output=True,
                          text=True, timeout=PATIENCE_S, check=False)  # fmt: skip
    assert done.returncode == ExitCode.UNKNOWN, done.stdout + done.stderr
    assert "fleetctl runs resume" in done.stderr
    resumed = program.here("runs", "resume", "last", "--yes")
    assert resumed.returncode == 0, resumed.stdout + resumed.stderr
    assert _steps(program) == dict.fromkeys(HOSTS, ONCE)
