"""A view that blocks, breaks or loses its reader is dropped; the push goes on to its end."""

from __future__ import annotations

import contextlib
import json
import os
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

import pytest

from tests.cli.program import PATIENCE_S, Program, end, wait_until
from tests.labfixture import StartLab

pytestmark = pytest.mark.slow

HOSTS = tuple(f"db{number:03d}" for number in range(1, 5))
PLAYBOOK = """\
title: Saturday push
phases:
  - name: db
    hosts: tier=db
    batches: [1, 100%]
    steps:
      - run: head -c 30000 /dev/zero | tr '\\\\0' x; echo one >> steps
        name: chatter
      - run: while [ -e hold ]; do sleep 0.1; done; echo two >> steps
        name: last
"""
CTRL_S = "\x13"
ONCE = {host: ["one", "two"] for host in HOSTS}
IMPATIENT = """
from fleetctl.rollout import observers
observers.STUCK_S = 1.0
from fleetctl.cli import live, watching
live.STUCK_S = 1.0
from fleetctl.cli.main import main
{then}
main()
"""
BREAKING = """
def broken(self, seq, wall_s, record):
    raise RuntimeError("the view broke")
watching.PlainLines.saw = broken
"""


@pytest.fixture
def program(tmp_path: Path, lab_fleet: StartLab) -> Program:
    """Four db hosts, the last of them held in its last step."""
    program = Program(tmp_path, lab_fleet({"db": HOSTS}))
    program.write("push.yaml", PLAYBOOK)
    (program.lab.home(HOSTS[-1]) / "hold").touch()
    return program


def _start(
    program: Program, words: Sequence[str], streams: Mapping[str, int], then: str = ""
) -> subprocess.Popen[str]:
    command = [sys.executable, "-c", IMPATIENT.format(then=then), "push", "push.yaml", "--yes"]
    return subprocess.Popen(
        [*command, *words], cwd=program.folder, env=program.environ, text=True,
        stdin=subprocess.DEVNULL, stdout=streams["stdout"], stderr=streams["stderr"],
    )  # fmt: skip


def _dropped(program: Program) -> str:
    """Which view was dropped, by the journal's account."""
    told = program.here("runs", "show", "last").stdout.splitlines()
    return "\n".join(line for line in told if " dropped: " in line)


def _finish(program: Program, process: subprocess.Popen[str]) -> int:
    """Let the last host end once the drop is in the journal; the exit code."""
    wait_until(lambda: bool(_dropped(program)), "the drop in the journal")
    (program.lab.home(HOSTS[-1]) / "hold").unlink()
    return process.wait(timeout=PATIENCE_S)


def _see_done(program: Program) -> None:
    assert {host: program.lines(host, "steps") for host in HOSTS} == ONCE
    (row,) = json.loads(program.here("runs", "list", "-o", "json").stdout)
    assert (row["state"], row["exit"]) == ("ended", 0)


OTHER = {"stdout": "stderr", "stderr": "stdout"}
NAMES = {"stdout": "records on stdout", "stderr": "lines on stderr"}


def _fill(pipe: int) -> None:
    """Make the pipe full without touching the description its writer has."""
    end_ = os.open(f"/proc/self/fd/{pipe}", os.O_WRONLY | os.O_NONBLOCK)
    try:
        for size in (4096, 1):
            with contextlib.suppress(BlockingIOError):
                while os.write(end_, bytes(size)):
                    pass
    finally:
        os.close(end_)


@pytest.mark.parametrize("stream", ["stdout", "stderr"])
@pytest.mark.parametrize("reader", ["stops reading", "goes away"])
def test_a_reader_that_is_lost_costs_the_view(program: Program, stream: str, reader: str) -> None:
    """The push ends with its own exit code, in time, and its journal says who was lost."""
    if reader == "stops reading" and not Path("/proc/self/fd").exists():
        pytest.skip("filling a pipe from outside needs /proc")
    ours, theirs = os.pipe()
    words = ("--output", "jsonl") if stream == "stdout" else ()
    with (program.folder / "other").open("w") as file:
        process = _start(program, words, {stream: theirs, OTHER[stream]: file.fileno()})
        try:
            shown = b""
            while b"phase" not in shown:
                shown += os.read(ours, 65536)
            if reader == "stops reading":
                _fill(theirs)
            else:
                os.close(ours)
            os.close(theirs)
            assert _finish(program, process) == 0
        finally:
            end(process)
    cause = {"stops reading": "it took nothing for 1 s", "goes away": "BrokenPipeError"}[reader]
    assert f"{NAMES[stream]} dropped: {cause}" in _dropped(program)
    _see_done(program)
    if reader == "stops reading":
        os.close(ours)


def test_a_push_nobody_listens_to_is_a_push_all_the_same(program: Program) -> None:
    """Confirmed by --yes, it does not end well without having begun as stderr is closed."""
    (program.lab.home(HOSTS[-1]) / "hold").unlink()
    ours, theirs = os.pipe()
    os.close(ours)
    process = _start(program, (), {"stdout": subprocess.DEVNULL, "stderr": theirs})
    os.close(theirs)
    try:
        assert process.wait(timeout=PATIENCE_S) == 0
    finally:
        end(process)
    _see_done(program)


def test_a_view_that_breaks_is_dropped_and_told(program: Program) -> None:
    """Our own mistake in a view costs the view: the push goes on, and its end says so."""
    with (program.folder / "told").open("w") as file:
        process = _start(program, (), dict.fromkeys(OTHER, file.fileno()), BREAKING)
        try:
            assert _finish(program, process) == 0
        finally:
            end(process)
    told = (program.folder / "told").read_text()
    assert "lines on stderr: RuntimeError: the view broke; the whole account: fleetctl runs" in told
    assert "4 of 4 accounted for" in told
    assert "RuntimeError: the view broke" in _dropped(program)
    _see_done(program)


def test_a_terminal_that_takes_nothing_is_dropped(program: Program) -> None:
    """The window hangs, or somebody pressed Ctrl-S: the picture is given up, the end is in time."""
    terminal = program.start_on_terminal(
        "push", "push.yaml", "--yes", call=IMPATIENT.format(then="")
    )
    try:
        terminal.wait_for("phase db")
        terminal.type(CTRL_S)
        assert _finish(program, terminal.process) == 0
    finally:
        end(terminal.process)
    assert "the live picture dropped: the terminal took nothing for 1 s" in (_dropped(program))
    _see_done(program)
