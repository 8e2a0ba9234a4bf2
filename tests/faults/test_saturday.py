"""The Saturday push as it stands, on 44 lab hosts: stopped in the middle, taken up again."""

from __future__ import annotations

import json
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

import fleetctl.lab.demo
from tests.cli.program import Program, end

DEMO = Path(fleetctl.lab.demo.__file__).parent
ROOT = DEMO.parents[2]
PUSH_S = 400.0
POOLS = 96
"""Of the 32 instances of the 16 shards."""
REPO = [f"repo{number:03d}" for number in range(1, 17)]
pytestmark = [pytest.mark.slow, pytest.mark.exhaustive]


@pytest.fixture
def program(tmp_path: Path) -> Iterator[Program]:
    """The shipped inventory's lab, two releases of the demo application, the first one pinned."""
    program = Program(tmp_path, tmp_path / ".lab" / "inventory.yaml")
    with socket.socket() as probe:
        probe.bind(("127.254.254.254", 0))
        port = probe.getsockname()[1]
    settings = [
        "root=app",
        "disk=.",
        "engine=sqlite",
        f"http_port={port}",
        f"python={sys.executable}",
    ]
    words = [word for setting in settings for word in ("--var", setting)]
    up = program.call("lab", "up", "-i", str(ROOT / "inventory" / "phacility.yaml"), "--playbook",
                      str(ROOT / "playbooks" / "saturday-push.yaml"), *words)  # fmt: skip
    assert up.returncode == 0, up.stderr
    try:
        for number, layers in ((1, ["application"]), (2, ["application", "second"])):
            for layer in layers:
                shutil.copytree(DEMO / layer, tmp_path / f"r{number}", dirs_exist_ok=True)
            program.call(
                "releases", "add", f"r{number}", "--schema", str(number), "--id", f"r{number}"
            )
        yield program
    finally:
        program.call("lab", "down", "--wipe")


def run(program: Program, *words: str, stop_at: str = "") -> tuple[int, str]:
    """Run it, saying yes to the approval, and interrupting once a line says `stop_at`."""
    process = program.start(*words)
    said: list[str] = []
    try:
        assert process.stderr is not None
        until_s = time.monotonic() + PUSH_S
        for line in process.stderr:
            assert time.monotonic() < until_s, "".join(said)
            said.append(line)
            if "a person is asked" in line:
                program.call("runs", "approve", "last")
            if stop_at and stop_at in line:
                process.send_signal(signal.SIGINT)
                stop_at = ""
        out, _ = process.communicate(timeout=30)
        return process.returncode, "".join([*said, out])
    finally:
        end(process)


def daemons(program: Program, host: str) -> str:
    """The release the daemons of a repo host were started from; empty when they do not run."""
    home = program.folder / ".lab" / "hosts" / host / "home"
    done = subprocess.run(
        ["sh", "-c", "sh app/current/bin/daemons status && sh app/current/bin/daemons release"],
        cwd=home, env={"HOME": str(home), "PATH": "/usr/bin:/bin"}, capture_output=True, text=True,
        check=False,
    )  # fmt: skip
    return " ".join(sorted(set(done.stdout.split())))


def pools(program: Program) -> dict[str, int]:
    """State -> how many pools of the fleet are in it."""
    told = program.call("pools", "status", "--by", "tier", "-o", "json")
    assert told.returncode == 0, told.stderr
    words: dict[str, int] = json.loads(told.stdout)[0]["words"]
    return words


def test_the_push_stopped_in_the_middle_leaves_nothing_down_and_ends_when_resumed(
    program: Program,
) -> None:
    """All 44 hosts by the shipped playbook; an interrupt among the repo hosts; then the rest.

    What was asleep before sleeps afterwards, and nothing is held any more.
    """
    program.call("releases", "pin", "all", "r1")
    code, told = run(program, "push", "--yes")
    assert (code, "44 of 44 accounted for: 44 changed" in told) == (0, True), told[-3000:]
    code, told = run(program, "pools", "install", "--yes")
    assert (code, "16 of 16 accounted for: 16 changed" in told) == (0, True), told[-3000:]
    program.call("releases", "pin", "all", "r2")
    code, told = run(program, "push", "--yes", stop_at="phase repo batch 2")
    assert code == 130, told[-3000:]
    assert {daemons(program, host) for host in REPO} == {"r1", "r2"}
    run(program, "runs", "resume", "last", "--failed", "--yes")
    code, told = run(program, "runs", "resume", "last", "--yes")
    assert (code, "44 of 44 accounted for: 44 changed" in told) == (0, True), told[-3000:]
    assert {daemons(program, host) for host in REPO} == {"r2"}
    assert pools(program) == {"HIBERNATING": POOLS}
    code, told = run(program, "rollback", "last", "--yes")
    assert code == 0, told[-3000:]
    assert {daemons(program, host) for host in REPO} == {"r1"}
    assert pools(program) == {"HIBERNATING": POOLS}
