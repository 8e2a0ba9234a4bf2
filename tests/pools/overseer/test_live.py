"""The shipped program with daemons that take tasks from a real queue, and what befalls them."""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import socket
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from fleetctl.base.errors import Refused, Unreachable
from tests.pools.overseer.live import QUERY, Host, host

pytestmark = pytest.mark.slow


@pytest.fixture
def live(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Host]:
    """A host, its overseer not yet started."""
    with host(tmp_path_factory.mktemp("h")) as made:
        yield made


def _watched(live: Host, names: list[str], **more: Any) -> None:
    """Task pools of these instances, and a lookout on the queue."""
    live.write(
        kind={"task": live.taskmaster(queue="q", **more)},
        instances=[{"names": names, "kinds": ["task"]}],
        attention={"q": {"sqlite": str(live.database), "query": QUERY, "every": 0.2}},
    )


def _runs(pid: int) -> bool:
    """It is there, and not only its remains."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except FileNotFoundError:
        return False


def _hint(live: Host, words: str) -> None:
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as sock:
        sock.sendto(f"X_FLEETCTL_WAKE={words}".encode(), str(live.home / "notify.sock"))


def test_a_pool_sleeps_when_its_queue_is_empty_and_wakes_when_it_is_not(live: Host) -> None:
    """No process while asleep; a task put into the queue is done without anybody being told."""
    _watched(live, ["i1", "i2"])
    live.start()
    live.until(lambda: not live.pids())
    assert {pool["state"] for pool in live.pools()} == {"HIBERNATING"}
    live.put("i2", count=3)
    live.until(lambda: not live.open_tasks())
    live.until_state("i2/task", "HIBERNATING")
    assert len(live.rows("SELECT DISTINCT pid FROM effect")) == 1


@pytest.mark.parametrize("way", ["datagram", "spool", "operator"])
def test_every_way_of_waking_works(live: Host, way: str) -> None:
    """A hint by datagram, a file in the spool, an operator's word: each starts the daemon."""
    kind = live.taskmaster(at_start="asleep")
    live.write(kind={"task": kind}, instances=[{"names": ["i1"], "kinds": ["task"]}])
    live.start()
    assert not live.pids()
    live.put("i1")
    if way == "datagram":
        _hint(live, "i1/task")
    elif way == "spool":
        (live.home / "wake" / "i1@task").touch()
    else:
        live.ask("wake", pools=["i1/task"])
    live.until(lambda: not live.open_tasks())
    live.until_state("i1/task", "HIBERNATING")
    assert not list((live.home / "wake").iterdir())


def test_throwing_and_poisonous_tasks_are_errors_and_not_sleep(live: Host) -> None:
    """A daemon that throws rests and goes on; beside a poisoned task the others are done all the
    same; a sibling never notices."""
    _watched(live, ["calm", "sick"])
    live.start()
    live.until(lambda: not live.pids())
    live.put("sick", "throw")
    live.until(lambda: not live.open_tasks())
    assert live.pool("sick/task")["errors_15m"] == 1
    live.put("sick", "poison")
    live.put("sick", "ok", 2)
    live.put("calm", "ok", 2)
    live.until(lambda: live.open_tasks() == 1)
    live.until(lambda: live.pool("sick/task")["errors_15m"] >= 2)
    causes = {e["c"] for e in live.events() if e.get("to") == "backoff"}
    assert causes == {"exit"}
    calm = [e for e in live.events() if e.get("p") == "calm/task" and e.get("to") == "backoff"]
    assert not calm


def test_a_daemon_that_hangs_is_ended_and_the_task_is_done_by_the_next(live: Host) -> None:
    """HANG is its own cause; what the watchdog ends is a real process that stands still."""
    _watched(live, ["i1"], watchdog=1, lease_s=2)
    live.start()
    live.put("i1", "hang")
    live.until(lambda: any(e.get("c") == "hang" for e in live.events()))
    live.until(lambda: not live.open_tasks())
    told = [e["to"] for e in live.events() if e.get("c") == "hang"]
    assert told[:2] == ["stopping", "backoff"]


def test_what_is_killed_from_outside_is_a_signal_and_comes_back(live: Host) -> None:
    """kill -9 of a daemon: cause signal, a rest of a second, started again."""
    kind = live.taskmaster(min=1)
    live.write(kind={"task": kind}, instances=[{"names": ["i1"], "kinds": ["task"]}])
    live.start()
    live.until_state("i1/task", "RUNNING")
    (before,) = live.pids()
    os.kill(before, signal.SIGKILL)
    live.until(lambda: bool(live.pids() - {before}))
    (told,) = [e for e in live.events() if e.get("to") == "backoff"]
    assert (told["c"], told["sig"]) == ("signal", 9)


def test_a_killed_overseer_is_followed_by_one_that_adopts_everybody(live: Host) -> None:
    """kill -9, daemons work on; the next overseer has the same processes, hears them, starts none,
    and learns of one that ended meanwhile."""
    kind = live.taskmaster(min=1)
    live.write(kind={"task": kind}, instances=[{"names": ["i[1-6]"], "kinds": ["task"]}])
    live.start()
    live.until(lambda: len([p for p in live.pools() if p["state"] == "RUNNING"]) == 6)
    before = live.pids()
    (dead,) = live.pids("i3/task")
    live.put("i1", "slow", 2)
    live.kill()
    os.kill(dead, signal.SIGKILL)
    live.start()
    live.until(lambda: len(live.pids()) == 6)
    assert before - live.pids() == {dead}
    live.until(lambda: not live.open_tasks())
    (told,) = [e for e in live.events() if e.get("to") == "backoff"]
    assert (told["p"], told["c"]) == ("i3/task", "lost")
    os.kill(min(live.pids("i5/task")), signal.SIGTERM)
    live.until(lambda: any(e.get("p") == "i5/task" and e.get("c") == "lost" for e in live.events()))


def test_daemons_are_adopted_although_the_log_is_gone(live: Host) -> None:
    """None is doubled: who carries our mark is taken into its slot."""
    kind = live.taskmaster(min=1)
    live.write(kind={"task": kind}, instances=[{"names": ["i[1-3]"], "kinds": ["task"]}])
    live.start()
    live.until(lambda: len([p for p in live.pools() if p["state"] == "RUNNING"]) == 3)
    before = live.pids()
    live.kill()
    (live.home / "events.jsonl").unlink()
    live.start()
    assert live.pids() == before


def test_a_program_replaced_under_way_keeps_its_daemons_as_children(live: Host) -> None:
    """USR2: the same pid, the same daemons, and how they end is still ours to learn."""
    kind = live.taskmaster(min=1)
    live.write(kind={"task": kind}, instances=[{"names": ["i[1-3]"], "kinds": ["task"]}])
    live.start()
    live.until(lambda: len([p for p in live.pools() if p["state"] == "RUNNING"]) == 3)
    before = live.pids()
    assert live.process is not None
    live.process.send_signal(signal.SIGUSR2)
    live.until(lambda: [e["e"] for e in live.events()[1:2]] == ["kept"])
    assert live.pids() == before
    os.kill(min(live.pids("i2/task")), signal.SIGKILL)
    live.until(lambda: any(e.get("sig") == 9 for e in live.events()))


def test_no_task_is_lost_or_done_twice_through_crashes(live: Host) -> None:
    """Twelve instances, tasks arriving, the overseer killed twice in the middle of it."""
    names = [f"i{number}" for number in range(12)]
    _watched(live, names, max=2)
    live.start()
    for turn in range(3):
        for name in names:
            live.put(name, count=2)
        if turn < 2:
            live.until(lambda turn=turn: live.open_tasks() < 24 * (turn + 1) - 6)  # type: ignore[misc]
            live.kill()
            live.start()
    live.until(lambda: not live.open_tasks())
    assert live.rows("SELECT count(*), count(DISTINCT task) FROM effect") == [(72, 72)]
    live.until(lambda: not live.pids())


def test_strangers_are_not_listened_to(live: Host) -> None:
    """Who is in no slot cannot make a daemon sleep, and is counted; hints for no pool are, too."""
    kind = live.taskmaster(min=0, down_after=60)
    live.write(kind={"task": kind}, instances=[{"names": ["i1"], "kinds": ["task"]}])
    live.start()
    live.until_state("i1/task", "RUNNING")
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as sock:
        for words in (b"X_FLEETCTL_HIBERNATE_USEC=0", b"\xff\x00=", b"", b"=" * 5000):
            sock.sendto(words, str(live.home / "notify.sock"))
        sock.sendto(b"X_FLEETCTL_WAKE=i1/tsk 7", str(live.home / "notify.sock"))
    live.until(lambda: live.ask("status")["overseer"]["refused_messages"] >= 3)
    live.until(lambda: live.ask("status")["overseer"]["unknown_hints"] == 1)
    (live.home / "wake" / "i2@task").touch()
    live.until(lambda: live.ask("status")["overseer"]["unknown_hints"] == 2)
    hint = live.ask("status")["overseer"]["unknown_hint"]
    assert (hint["pool"], hint["source"], hint["count"]) == ("i2/task", "spool", 2)
    assert "'i1/tsk', which no pool is called" in (live.home.parent / "overseer.err").read_text()
    assert live.pool("i1/task")["state"] == "RUNNING"
    assert (live.home / "notify.sock").stat().st_mode & 0o077 == 0
    assert (live.home / "control.sock").stat().st_mode & 0o077 == 0


def test_a_flooded_socket_loses_no_sleeper_and_no_worker(live: Host) -> None:
    """Thousands of messages at once: the overseer answers, and what was asked for is done."""
    _watched(live, ["i1"])
    live.start()
    live.until(lambda: not live.pids())
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as sock:
        sock.setblocking(False)
        for _ in range(20_000):
            with contextlib.suppress(OSError):
                sock.sendto(b"WATCHDOG=1", str(live.home / "notify.sock"))
    live.put("i1")
    live.until(lambda: not live.open_tasks())


def test_the_end_of_the_overseer_is_as_one_asks(live: Host) -> None:
    """TERM leaves the daemons to the next; INT ends them first."""
    kind = live.taskmaster(min=1)
    live.write(kind={"task": kind}, instances=[{"names": ["i[1-2]"], "kinds": ["task"]}])
    live.start()
    live.until(lambda: len([p for p in live.pools() if p["state"] == "RUNNING"]) == 2)
    before = live.pids()
    assert live.process is not None
    live.process.terminate()
    assert live.process.wait(40) == 0
    assert all(_runs(pid) for pid in before)
    live.start()
    assert live.pids() == before
    live.process.send_signal(signal.SIGINT)
    assert live.process.wait(40) == 0
    assert not any(_runs(pid) for pid in before)


def test_specs_with_a_mistake_change_nothing(live: Host) -> None:
    """Reload tells file, line and what was meant; once mended, only what changed moves."""
    kinds = {"task": live.taskmaster(min=1), "other": live.taskmaster(min=1)}
    groups = [{"names": ["i1"], "kinds": ["task", "other"]}]
    live.write(kind=kinds, instances=groups)
    live.start()
    live.until(lambda: len([p for p in live.pools() if p["state"] == "RUNNING"]) == 2)
    kept = live.pids("i1/task")
    changed = live.pids("i1/other")
    live.write(kind={**kinds, "other": {**kinds["other"], "mx": 2}}, instances=groups)
    with pytest.raises(
        Exception, match=r"all.json:1: unknown key 'mx'\n  hint: did you mean 'max'"
    ):
        live.ask("reload")
    assert live.pids() == kept | changed
    assert "needed" not in live.ask("settled", of={"do": "reload"})["foreseen"]
    more = [*groups, {"names": ["i2"], "kinds": ["task"]}]
    for made, needed in ((groups, 0), (more, 1), ([], 2)):
        live.write(kind=kinds, instances=made)
        assert live.ask("settled", of={"do": "reload"})["foreseen"]["needed"] == needed
    live.write(kind={**kinds, "other": {**kinds["other"], "max": 2}}, instances=groups)
    assert live.ask("settled", of={"do": "reload"})["foreseen"]["needed"] == 1
    assert live.ask("reload") == {"added": 0, "changed": 1, "removed": 0, "same": 1}
    live.until(lambda: len(live.pids("i1/other") - changed) == 1)
    assert live.pids("i1/task") == kept


def test_a_program_that_is_not_there_is_failed_at_once(live: Host) -> None:
    """No fast retries; the cause and the time of the next probe are shown."""
    live.write(
        kind={"task": {"command": ["/no/such/program"]}},
        instances=[{"names": ["i1"], "kinds": ["task"]}],
    )
    live.start()
    live.until_state("i1/task", "FAILED")
    row = live.pool("i1/task")
    assert row["cause"] == "exec_error"
    assert 200 < row["next_s"] <= 300


def test_a_poisoned_task_is_rehearsed_on_a_real_daemon(live: Host) -> None:
    """Whoever takes the next task is ended at it, as often as was asked for, and no further."""
    _watched(live, ["i1", "i2"], lease_s=2)
    live.start()
    assert live.ask("debug", injury="poison", pools=["i1/task"], times=1) == {"hurt": 1}
    live.put("i1")
    live.put("i2")
    live.until(lambda: any(e.get("to") == "backoff" for e in live.events()))
    (told,) = [e for e in live.events() if e.get("to") == "backoff"]
    assert (told["p"], told["c"], told["sig"]) == ("i1/task", "signal", signal.SIGABRT)
    live.until(lambda: not live.open_tasks())


def test_a_second_overseer_is_refused(live: Host) -> None:
    """One folder, one overseer; the first goes on."""
    live.write()
    live.start()
    command = ["python3", str(live.program), "--home", str(live.home), "--specs", str(live.specs)]
    second = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert second.returncode == 7
    assert "another overseer works here" in second.stderr
    live.ask("status")


def _python39() -> str | None:
    found = shutil.which("python3.9")
    homes = sorted(Path.home().glob(".pyenv/versions/3.9.*/bin/python3.9"))
    return str(homes[-1]) if homes else found


@pytest.mark.skipif(_python39() is None, reason="Python 3.9 is not installed here")
def test_it_runs_on_the_oldest_python_it_promises(live: Host) -> None:
    """Python 3.9, no site-packages: sleeps, wakes, works, is replaced and ends."""
    live.python = str(_python39())
    _watched(live, ["i1"])
    live.start()
    live.until(lambda: not live.pids())
    assert live.process is not None
    live.process.send_signal(signal.SIGUSR2)
    live.put("i1", count=2)
    live.until(lambda: not live.open_tasks())


def test_a_file_in_the_spool_is_seen_at_once(live: Host) -> None:
    """Not with the look of every second, here of every hour: the kernel says so, six times."""
    kind = {"command": ["sh", "-c", "exit 0"], "on_clean_exit": "hibernate", "at_start": "asleep"}
    live.write(kind={"task": kind}, instances=[{"names": ["i1"], "kinds": ["task"]}])
    live.start(patch="loop.TICK_S = 3600")
    for number in range(6):
        (live.home / "wake" / "i1@task").touch()
        live.until(lambda n=number: _starts(live) > n)  # type: ignore[misc]
        live.until_state("i1/task", "HIBERNATING")


def test_no_request_ends_the_overseer(live: Host) -> None:
    """Nonsense on the control socket is answered or the connection closed; the next is served."""
    live.write(kind={"task": live.taskmaster(at_start="asleep")}, instances=[_GROUP])
    live.start()
    for do in ("status", "events", "scale", "pause", "wake", "debug", "log", "explain", "reload"):
        for value in _NONSENSE:
            request = dict.fromkeys(("pools", "last", "min", "max", "for_s", "injury"), value)
            with contextlib.suppress(Refused, Unreachable):
                live.ask(do, **request)
            with contextlib.suppress(Refused, Unreachable):
                live.ask(do, **{**request, "pools": ["i1/task"], "why": "x"})
    for raw in (b"\n", b"[]\n", b"{", b"\xff\n", b"x" * 100_000):
        with socket.socket(socket.AF_UNIX) as sock, contextlib.suppress(OSError):
            sock.connect(str(live.home / "control.sock"))
            sock.sendall(raw)
    assert live.process is not None
    assert live.ask("status")["overseer"]["pools"] == 1
    assert live.process.poll() is None


_NONSENSE: tuple[object, ...] = ([1], {}, -1, "x", 1e400, None)
_GROUP = {"names": ["i1"], "kinds": ["task"]}


def _starts(live: Host) -> int:
    return sum(e.get("to") == "starting" for e in live.events())
