"""The program on the host, in each shell it may meet there."""

from __future__ import annotations

import hashlib
import itertools
import os
import queue
import shutil
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from fleetctl.playbook.operations import Put
from fleetctl.transport.frames import encode_segment
from fleetctl.transport.local import LocalTransport
from fleetctl.transport.protocol import Event, Refused, RunSegment
from fleetctl.transport.session import RUNNER, program
from tests.transport.desk import Desk, await_that, lay, run

SHELLS = ("dash", "bash", "busybox")
_TICKETS = itertools.count(1)


@pytest.fixture(params=SHELLS)
def path(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """A PATH on which `sh` is that shell (bash so called is in its POSIX mode)."""
    found = shutil.which(request.param)
    if found is None:
        pytest.skip(f"no {request.param} here")
    folder = tmp_path / "bin"
    folder.mkdir()
    (folder / "sh").symlink_to(found)
    return f"{folder}:{os.environ['PATH']}"


@pytest.fixture
def desk(path: str, tmp_path: Path) -> Iterator[Desk]:
    """A desk at a home folder with a name that must be quoted."""
    home = tmp_path / "ho me"
    home.mkdir()
    events: queue.SimpleQueue[Event] = queue.SimpleQueue()
    transport = LocalTransport(
        events.put, environment=lambda host: {"HOME": str(home), "PATH": path}
    )
    yield Desk(transport, events, _TICKETS)
    transport.close()


def test_life_of_a_run(desk: Desk) -> None:
    """Acts, checks, failures, replays and answers are the same in every shell."""
    results = desk.do(
        run("a", "echo hi; echo err >&2"), run("b", "false", check="true"), run("c", "exit 9")
    )
    assert [(r.end, r.exit_status) for r in results] == [
        ("acted", 0), ("checked", 0), ("failed", 9),
    ]  # fmt: skip
    assert desk.do(run("a", "echo hi"))[0].replayed
    assert [r.end for r in desk.ask("a", "b", "c", "d")] == ["acted", "checked", "failed", "absent"]
    assert isinstance(desk.final(desk.segment(run("a", "true"), run="other", fence=9)), Refused)


def test_deadline_and_kill(desk: Desk, tmp_path: Path) -> None:
    """The process group is ended, by the host itself and by order."""
    assert desk.do(run("slow", "sleep 60; true", timeout_s=1))[0].end == "timed out"
    ticket = desk.segment(run("long", 'touch "$HOME/in"; sleep 60; true'))
    await_that((tmp_path / "ho me" / "in").exists)
    desk.kill()
    desk.final(ticket)
    assert [r.end for r in desk.results(ticket)] == ["killed"]


@pytest.mark.parametrize("ender", ["deadline", "order"])
@pytest.mark.parametrize(
    "text",
    [
        'touch "$HOME/in"; sleep 60; touch "$HOME/after"',
        '(touch "$HOME/in"; sleep 60; touch "$HOME/after") | cat; touch "$HOME/after"',
        'sh -c \'touch "$HOME/in"; sleep 60; touch "$HOME/after"\'; touch "$HOME/after"',
    ],
)
def test_a_step_that_is_ended_does_not_go_on_to_its_next_command(
    desk: Desk, tmp_path: Path, text: str, ender: str
) -> None:
    """A shell that outlived what it waits for would do what comes after it: delete, say."""
    ticket = desk.segment(run("long", text, timeout_s=1 if ender == "deadline" else 50))
    if ender == "order":
        await_that((tmp_path / "ho me" / "in").exists)
        desk.kill()
    desk.final(ticket)
    assert [r.end for r in desk.results(ticket)] == [
        "timed out" if ender == "deadline" else "killed"
    ]
    time.sleep(0.1)  # for what should not be to happen
    assert not (tmp_path / "ho me" / "after").exists()


def test_every_byte_of_text_and_output_survives(desk: Desk) -> None:
    """The shells' own control characters in a step's text are only characters."""
    text = "".join(chr(value) for value in range(1, 256) if chr(value) != "'")
    (result,) = desk.do(run("a", f"printf %s '{text}'"))
    assert result.stdout.head.decode() == text
    (zeros,) = desk.do(run("b", "printf 'a\\000b'"))
    assert zeros.stdout.head == b"a\0b"


def test_relative_destination_is_in_the_home_folder(path: str, tmp_path: Path) -> None:
    """Wherever the login's shell starts: a relative path means the home it is told to have."""
    digest = hashlib.sha256(b"text").hexdigest()
    staged = tmp_path / ".fleetctl" / "runs" / f"r=put.{digest}"
    staged.parent.mkdir(parents=True)
    staged.write_bytes(b"text")
    step = lay("p", Put("/not/here", digest, 4, "a b/dest"))
    order = encode_segment(RunSegment(1, "h1", "r", 1, (step,)), (step,), 1.0)
    script = f"_T=token\n{program(*RUNNER)}".encode() + order
    subprocess.run(
        ["sh"], executable=shutil.which("sh", path=path), input=script, check=True, cwd="/",
        env={"HOME": str(tmp_path), "PATH": path}, stdout=subprocess.DEVNULL,
    )  # fmt: skip
    assert (tmp_path / "a b" / "dest").read_bytes() == b"text"


def test_signals_reach_a_step_as_usual(desk: Desk) -> None:
    """What the runner ignores for itself is not ignored in what it starts."""
    (result,) = desk.do(run("a", "grep SigIgn /proc/self/status"))
    assert int(result.stdout.head.split()[1], 16) & 0b1000000000111 == 0


def test_interrupted_step_is_told_and_not_run_blindly(desk: Desk, tmp_path: Path) -> None:
    """A record of a beginning without an end, and no process: nobody knows; nothing is guessed."""
    act = 'echo x >>"$HOME/acts"; kill -9 $PPID; kill -9 $$'
    ticket = desk.segment(run("a", act))
    desk.final(ticket)
    assert [r.end for r in desk.ask("a", "b")] == ["interrupted", "absent"]
    assert [r.end for r in desk.do(run("a", act))] == ["interrupted"]
    assert (tmp_path / "ho me" / "acts").read_text() == "x\n"


def test_torn_record_line_is_no_record(desk: Desk, tmp_path: Path) -> None:
    """Half a line, as a power cut leaves it, counts for nothing and spoils nothing after it."""
    desk.do(run("a", "true"))
    desk.release()
    record = tmp_path / "ho me/.fleetctl/ledger/run.run-1"
    with record.open("a") as file:
        file.write("ended b 1 act")
    assert [r.end for r in desk.ask("a", "b")] == ["acted", "absent"]
    assert not desk.do(run("b", "true"))[0].replayed
    assert [r.end for r in desk.ask("a", "b")] == ["acted", "acted"]


def test_newer_connection_of_a_run_shuts_the_older_out(desk: Desk, path: str, tmp_path: Path
                                                       ) -> None:  # fmt: skip
    """After an answer to Ask, an order still on its way on the old connection does nothing."""
    home = {"HOME": str(tmp_path / "ho me"), "PATH": path}
    desk.do(run("a", "true"))
    events: queue.SimpleQueue[Event] = queue.SimpleQueue()
    newer = Desk(LocalTransport(events.put, environment=lambda host: home), events, _TICKETS)
    assert [r.end for r in newer.ask("b")] == ["absent"]
    final = desk.final(desk.segment(run("b", 'touch "$HOME/late"')))
    newer.transport.close()
    assert isinstance(final, Refused)
    assert final.reason == "runner"
    assert not (tmp_path / "ho me" / "late").exists()


_RACE = """
_T=token
{program}
enter_once() {{
  _claim race 6000 || exit 9
  [ ! -s "$_F/inside" ] || {{ echo clash >>"$_F/clashes"; }}
  echo $$ >"$_F/inside"
  read -r count <"$_F/count"
  [ $((count % 3)) -ne 0 ] || sleep 0.01
  : >"$_F/inside"
  echo $((count + 1)) >"$_F/count"
  _withdraw
}}
i=0
while [ $i -lt {rounds} ]; do enter_once; i=$((i + 1)); done
"""


@pytest.mark.slow
def test_lock_is_one_shells_at_a_time(path: str, tmp_path: Path) -> None:
    """Shells racing for the lock never meet inside, and each gets in."""
    shells, rounds = 8, 15
    (tmp_path / "count").write_text("0\n")
    script = _RACE.format(program=program(*RUNNER), rounds=rounds).encode()
    home = {"FLEETCTL_HOME": str(tmp_path), "PATH": path}
    racing = [_start(script, home) for _ in range(shells)]
    for process in racing:
        process.communicate(timeout=120)
        assert process.returncode == 0
    assert not (tmp_path / "clashes").exists()
    assert int((tmp_path / "count").read_text()) == shells * rounds


@pytest.mark.slow
def test_lock_of_a_killed_holder_is_taken_over(path: str, tmp_path: Path) -> None:
    """KILL inside the lock leaves a void claim: whoever comes next gets in."""
    (tmp_path / "count").write_text("0\n")
    script = _RACE.format(program=program(*RUNNER), rounds=1000).encode()
    home = {"FLEETCTL_HOME": str(tmp_path), "PATH": path}
    racing = [_start(script, home) for _ in range(4)]
    for doomed in racing:
        enough = _count(tmp_path) + 3
        await_that(lambda: _count(tmp_path) >= enough, "a new holder")  # noqa: B023  at once
        doomed.kill()
        doomed.communicate()
        (tmp_path / "inside").write_text("")
    assert not [claim for claim in tmp_path.glob("lock.*") if claim.read_bytes() == b""][4:]


def _start(script: bytes, home: dict[str, str]) -> subprocess.Popen[bytes]:
    process = subprocess.Popen(
        ["sh"], executable=shutil.which("sh", path=home["PATH"]), stdin=subprocess.PIPE,
        stdout=subprocess.DEVNULL, env=home,
    )  # fmt: skip
    assert process.stdin is not None
    process.stdin.write(script)
    process.stdin.flush()
    return process


def _count(folder: Path) -> int:
    return int((folder / "count").read_text().strip() or 0)
