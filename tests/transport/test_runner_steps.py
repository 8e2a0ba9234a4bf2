"""What a step is on the host: a copy of the runner's shell or a shell apart; what ends with it."""

from __future__ import annotations

import os
import signal
import time
from pathlib import Path

import pytest

from fleetctl.transport.frames import encode_segment
from fleetctl.transport.protocol import Killed, RunSegment, SegmentEnded
from tests.transport.desk import Desk, await_that, run
from tests.transport.test_runner import desk, path

__all__ = ["desk", "path"]
_APART = (
    "echo $$", "echo ${$}", "kill 0", "echo $PPID", ". ./x", "a; . ./x", "if a; then . x; fi",
    "eval y", "source x", 'trap "kill 0" EXIT',
)  # fmt: skip
_WITHIN = (
    "echo ok",
    "systemctl restart app",
    "./run.sh",
    "echo skill",
    "cp a . && ls ..",
    "x=$#",
)


def _flags(act: str) -> str:
    step = run("k", act)
    order = encode_segment(RunSegment(1, "h", "r", 1, (step,)), (step,), 1.0).decode()
    return order.split("\n_step ")[1].split(" ")[4]


@pytest.mark.parametrize("act", _APART)
def test_text_that_asks_for_its_own_process_gets_one(act: str) -> None:
    """Its pid, its parent, signals, and texts we cannot see: a shell apart."""
    assert "a" in _flags(act)


@pytest.mark.parametrize("act", _WITHIN)
def test_ordinary_text_costs_no_shell_of_its_own(act: str) -> None:
    """All else runs in a copy of the runner's shell."""
    assert "a" not in _flags(act)


def test_a_step_is_told_its_own_run_beside_that_it_works_under(desk: Desk) -> None:
    """A run started by a step of another has its leases and fence, and an id of its own."""
    say = run("a", 'echo "$FLEETCTL_RUN $FLEETCTL_RUN_ID"')
    (outer,) = desk.do(say)
    ticket = next(desk.tickets)
    desk.transport.submit(RunSegment(ticket, "h1", "inner", 10, (say,), "run-1"))
    assert isinstance(desk.final(ticket), SegmentEnded)
    (inner,) = desk.results(ticket)
    assert outer.stdout.head == b"run-1:10 run-1\n"
    assert inner.stdout.head == b"run-1:10 inner\n"


def test_own_pid_of_a_step_is_its_own(desk: Desk) -> None:
    """`echo $$ >pidfile; exec daemon` writes the daemon's pid, which leads a group of its own."""
    first, second = desk.do(
        run("a", "echo $$; cut -d' ' -f5 /proc/$$/stat"), run("b", "echo $$; sh -c 'echo $PPID'")
    )
    pid, group = first.stdout.head.split()
    assert pid == group
    assert len(set(second.stdout.head.split())) == 1
    assert second.stdout.head.split()[0] != pid


def test_steps_share_nothing_but_the_host(desk: Desk) -> None:
    """Variables, folder, options, traps, umask and exits of one step are unknown to the next."""
    first, second = desk.do(
        run("a", "umask; x=1; cd /; umask 027; set -f; trap 'echo bye' EXIT; exit 0"),
        run("b", 'umask; echo "${x-none}" /pro*; [ "$PWD" = / ] || echo elsewhere'),
    )
    mask, _, said = first.stdout.head.partition(b"\n")
    assert said == b"bye\n"
    assert second.stdout.head == mask + b"\nnone /proc\nelsewhere\n"


def test_set_e_ends_a_step_where_it_fails(desk: Desk) -> None:
    """A text is evaluated where errors count, not inside a condition."""
    (result,) = desk.do(run("a", "set -e; echo one; false; echo two"))
    assert (result.end, result.stdout.head) == ("failed", b"one\n")


def test_step_does_not_know_the_token(desk: Desk) -> None:
    """Who knew it could tell ends that never were."""
    (result,) = desk.do(run("a", 'echo "${_T-gone}"; env | grep _T= || echo clean'))
    assert result.stdout.head == b"gone\nclean\n"


def test_signal_to_its_whole_group_spares_the_runner(desk: Desk) -> None:
    """What a step's program does with `kill 0` ends that step, and the next one runs."""
    killer = "sh -c 'ki''ll 0; sleep 5'"
    first, *_ = desk.do(run("a", f"{killer}; echo on"))
    assert first.end == "failed"
    assert desk.do(run("b", "echo next"))[0].stdout.head == b"next\n"


@pytest.mark.parametrize("ender", ["deadline", "order"])
def test_what_an_earlier_step_left_running_outlives_a_later_steps_end(
    desk: Desk, tmp_path: Path, ender: str
) -> None:
    """A daemon in the same group, begun just before, and its new children are not the step's."""
    daemon = '(while :; do sleep 0.3; done) & echo $! >"$HOME/daemon"'
    hang = 'sleep 100 & echo $! >"$HOME/child"; touch "$HOME/in"; wait'
    limit_s = 1.0 if ender == "deadline" else 50.0
    home = tmp_path / "ho me"
    ticket = desk.segment(run("a", daemon), run("b", hang, timeout_s=limit_s))
    if ender == "order":
        await_that((home / "in").exists)
        killed = desk.kill()
        assert isinstance(killed, Killed)
        assert killed.found
    desk.final(ticket)
    assert [r.end for r in desk.results(ticket)][1] in ("timed out", "killed")
    left = int((home / "daemon").read_text())
    try:
        child = int((home / "child").read_text())
        # It was struck before the end was told; dying takes a turn of a processor.
        await_that(lambda: not _runs(child), "the child's end")
        assert _runs(left)
    finally:
        os.kill(left, signal.SIGKILL)


def test_what_a_step_left_running_is_no_step_any_more(desk: Desk, tmp_path: Path) -> None:
    """With the step over, there is nothing to stop, whoever is left of its group."""
    desk.do(run("a", 'sleep 77 & echo $! >"$HOME/daemon"'))
    killed = desk.kill()
    left = int((tmp_path / "ho me" / "daemon").read_text())
    try:
        assert isinstance(killed, Killed)
        assert not killed.found
        assert _runs(left)
    finally:
        os.kill(left, signal.SIGKILL)


def test_idle_guard_naps_longer_but_a_short_step_gets_one_that_is_awake(
    desk: Desk, tmp_path: Path
) -> None:
    """A host kept at a barrier is left in peace; a step of seconds still ends at its deadline."""
    _put_sleep_on_record(tmp_path)
    naps = tmp_path / "ho me" / "naps"
    desk.do(run("a", "true"))
    posted_s = time.monotonic()  # at the latest
    await_that(lambda: len(naps.read_text().split()) > 4)
    assert naps.read_text().split()[:5] == ["2", "4", "6", "6", "6"]
    time.sleep(max(0.0, posted_s + 2.2 - time.monotonic()))
    seen = len(naps.read_text().split())
    assert desk.do(run("b", "/bin/sleep 60; true", timeout_s=1))[0].end == "timed out"
    after = naps.read_text().split()[seen:]
    assert after.index("2") < after.index("0.5")  # awake before it saw the step in hand


def _put_sleep_on_record(tmp_path: Path) -> None:
    """The desk's `sleep` notes how long it should take, and takes a tenth of a second."""
    program = tmp_path / "bin" / "sleep"
    program.write_text('#!/bin/sh\necho "$1" >>"$HOME/naps"\nexec /bin/sleep 0.1\n')
    program.chmod(0o755)
    (tmp_path / "ho me" / "naps").touch()


def test_fence_survives_a_torn_write_of_the_next(desk: Desk, tmp_path: Path) -> None:
    """Half a fence counts for nothing: the one before still rules."""
    desk.do(run("a", "true"), fence=10)
    desk.do(run("a", "true"), fence=11, run="run-2")
    ledger = tmp_path / "ho me/.fleetctl/ledger"
    held = [file for file in ledger.glob("fence.*") if b"11 run-2" in file.read_bytes()]
    assert len(held) == 1
    (other,) = set(ledger.glob("fence.[12]")) - set(held)
    other.write_bytes(b"99999 run-torn")
    desk.release()
    (result,) = desk.do(run("b", "true"), fence=11, run="run-2")
    assert result.end == "acted"


def test_hosts_ledger_does_not_grow_with_the_number_of_runs(desk: Desk, tmp_path: Path) -> None:
    """Fences are written over each other, old runs and dead runners' claims are cleared away."""
    for number in range(1, 51):
        desk.do(run("a", "true"), fence=number, run=f"run-{number}")
        desk.release()
    state = tmp_path / "ho me/.fleetctl"
    await_that(lambda: len(list((state / "ledger").glob("run.*"))) <= 41)
    assert len(list(state.glob("lock.*"))) <= 10
    assert sum(file.stat().st_size for file in (state / "ledger").glob("fence.*")) < 100


def test_clock_set_back_does_not_cost_the_newest_run_its_record(desk: Desk, tmp_path: Path) -> None:
    """Of many runs the oldest are cleared away by their fences, whatever the files' times say."""
    ledger = tmp_path / "ho me/.fleetctl/ledger"
    desk.do(run("a", "true"), fence=1, run="run-1")
    for number in range(2, 41):
        (ledger / f"run.run-{number}").write_text(f"\nopen x\nfence {number}\n")
    far_s = time.time() + 10**6
    for file in ledger.glob("run.*"):
        os.utime(file, (far_s, far_s))
    desk.release()
    desk.do(run("a", "true"), fence=50, run="run-new")
    desk.release()
    await_that(lambda: len(list(ledger.glob("run.*"))) <= 32)
    kept = {file.name for file in ledger.glob("run.*")}
    assert kept == {"run.run-new", *(f"run.run-{number}" for number in range(10, 41))}


def _runs(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False
