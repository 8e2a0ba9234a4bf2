"""Sockets held for sleeping pools: when they are listened to, and daemons that take them over."""

from __future__ import annotations

import contextlib
import select
import signal
import socket
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from fleetctl.pools.overseer import states
from fleetctl.pools.overseer.kinds import Kind
from fleetctl.pools.overseer.listeners import SPARE, Listeners, parsed
from fleetctl.pools.overseer.pools import PAUSED, Pool
from fleetctl.pools.overseer.specs import SpecError, read
from tests.pools.overseer.live import Host, host

ECHO = Path(__file__).parent / "daemons" / "echo.py"


@pytest.mark.parametrize("text", ["x", "host:1", "127.0.0.1", "127.0.0.1:0", "1.2.3.4:65536", ""])
def test_what_is_no_address_is_refused(text: str) -> None:
    """Names are not looked up; a port is a number."""
    with pytest.raises(ValueError, match="neither a path nor an address"):
        parsed(text)
    assert parsed("127.0.0.1:80") == ("127.0.0.1", 80)
    with pytest.raises(ValueError, match="longer than a socket's path"):
        parsed("/" + "x" * 107)


@pytest.mark.parametrize(
    ("kind", "mistake"),
    [
        ('socket = "/x/s"', "pool 'b/k': 'a/k' has socket '/x/s'\n  hint: put {instance}"),
        ('socket = "/x/{instance}"\nmax = 2', "pool 'a/k': with a socket, max must be 1, not 2"),
        ('socket = "there"', "pool 'a/k': socket 'there' is neither a path"),
    ],
)
def test_sockets_that_cannot_be_are_mistakes_in_the_specs(
    tmp_path: Path, kind: str, mistake: str
) -> None:
    """One a pool, one process to take it."""
    text = f'[kind.k]\ncommand = ["d"]\n{kind}\n[[instances]]\nnames = ["a", "b"]\nkinds = ["k"]\n'
    (tmp_path / "a.toml").write_text(text)
    with pytest.raises(SpecError) as found:
        read(str(tmp_path))
    assert mistake in str(found.value)


@pytest.fixture
def epoll() -> Iterator[select.epoll]:
    """One that is closed afterwards."""
    with select.epoll() as made:
        yield made


def _pool(folder: Path, name: str = "a/k") -> Pool:
    return Pool(name, Kind("k", {"command": ["d"], "socket": f"{folder}/{{instance}}.sock"}))


def _connect(path: Path) -> socket.socket:
    sock = socket.socket(socket.AF_UNIX)
    sock.settimeout(60)
    sock.connect(str(path))
    return sock


def _heard(listeners: Listeners, epoll: select.epoll) -> list[str]:
    return listeners.heard({fd for fd, _ in epoll.poll(0)})


@pytest.mark.parametrize(
    ("state", "intent", "heard"),
    [
        (states.HIBERNATING, "run", True),
        (states.EMPTY, "run", True),
        (states.HIBERNATING, PAUSED, False),
        (states.STARTING, "run", False),
        (states.BUSY, "run", False),
        (states.NAPPING, "run", False),
        (states.STOPPING, "run", False),
        (states.BACKOFF, "run", False),
        (states.FAILED, "run", False),
    ],
)
def test_only_who_sleeps_is_listened_for(
    tmp_path: Path, epoll: select.epoll, state: str, intent: str, heard: bool
) -> None:
    """A connection is left to the daemon while there is one, and is heard once it sleeps."""
    pool, listeners = _pool(tmp_path), Listeners(epoll, 10_000)
    listeners.want({pool.name: pool})
    with _connect(tmp_path / "a.sock"):
        pool.slot(0).state, pool.intent = state, intent
        moved = [{"e": "move", "p": pool.name}]
        listeners.follow(moved, {pool.name: pool})
        assert (_heard(listeners, epoll) == [pool.name]) == heard
        assert _heard(listeners, epoll) == []
        pool.slot(0).state, pool.intent = states.HIBERNATING, "run"
        listeners.follow(moved, {pool.name: pool})
        assert _heard(listeners, epoll) == [pool.name]
    listeners.want({})
    assert not (tmp_path / "a.sock").exists()


def test_what_cannot_be_opened_is_told_and_tried_again(tmp_path: Path, epoll: select.epoll) -> None:
    """A file in the place stays; a folder may come later; descriptors may not suffice."""
    first, second = _pool(tmp_path / "later"), _pool(tmp_path, "b/k")
    pools = {first.name: first, second.name: second}
    (tmp_path / "b.sock").write_text("somebody's")
    listeners = Listeners(epoll, SPARE + 1)
    listeners.want(pools)
    assert "No such file" in listeners.failing["a/k"]
    assert "in use" in listeners.failing["b/k"]
    (tmp_path / "later").mkdir()
    listeners.tend(pools)
    assert (len(listeners), list(listeners.failing)) == (1, ["b/k"])
    assert (tmp_path / "b.sock").read_text() == "somebody's"
    listeners.tend(pools)
    assert "raise LimitNOFILE" in listeners.failing["b/k"]
    listeners.want({})


def test_a_process_from_before_keeps_its_socket(tmp_path: Path, epoll: select.epoll) -> None:
    """After a crash the path is that of the daemon that still runs: it is not taken away."""
    pool, listeners = _pool(tmp_path), Listeners(epoll, 10_000)
    pool.slot(0).state = states.IDLE
    listeners.want({pool.name: pool})
    assert not len(listeners)
    pool.slot(0).state = states.HIBERNATING
    listeners.tend({pool.name: pool})
    with _connect(tmp_path / "a.sock"):
        assert _heard(listeners, epoll) == [pool.name]
    listeners.want({})


@pytest.fixture(scope="module")
def live(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Host]:
    """A host whose pools sleep behind sockets, warm and cold."""
    with host(tmp_path_factory.mktemp("h")) as made:
        kind = {
            "command": [sys.executable, "-I", "-S", str(ECHO)],
            "socket": f"{made.specs.parent}/{{instance}}@{{kind}}.sock",
            **{"at_start": "asleep", "down_after": 0.1, "stop_grace": 20},
        }
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            port = free.getsockname()[1]
        made.write(
            kind={"cold": kind, "warm": {**kind, "warm": ["socket", "select"]}},
            instances=[{"names": ["a", "tcp"], "kinds": ["cold", "warm"]}],
            pool={"tcp/cold": {"socket": f"127.0.0.1:{port}"}},
        )
        made.start()
        yield made


def _answer(live: Host, name: str) -> int:
    """The pid of who answered."""
    with _connect(live.specs.parent / f"{name.replace('/', '@')}.sock") as sock:
        return int(sock.recv(20))


def _until_asleep(live: Host) -> None:
    live.until(lambda: live.ask("status")["counts"] == {"HIBERNATING": 4})


@pytest.mark.slow
@pytest.mark.parametrize("name", ["a/cold", "a/warm"])
def test_a_connection_wakes_a_pool_and_is_answered(live: Host, name: str) -> None:
    """Connections at all moments of waking, working and falling asleep: not one is missed."""
    answered = set()
    for number in range(8):
        answered.add(_answer(live, name))
        if number in (3, 6):
            live.until_state(name, "HIBERNATING")
        time.sleep(number * 0.04)  # whatever it is at by then
    assert len(answered) > 1, "it never slept in between"
    _until_asleep(live)
    assert not [e for e in live.events() if e.get("to") == "backoff"]


@pytest.mark.slow
def test_sockets_outlast_the_overseer(live: Host) -> None:
    """USR2: the very same sockets. kill -9: a daemon at work goes on with its own; asleep again,
    the next overseer's is there."""
    assert live.process is not None
    kept = live.pool("tcp/cold")
    assert kept["state"] == "HIBERNATING"
    before = _inodes(live)
    log = live.home / "events.jsonl"
    old = log.stat().st_ino
    live.process.send_signal(signal.SIGUSR2)
    live.until(lambda: log.exists() and log.stat().st_ino != old)  # the next one begins it anew
    assert _inodes(live) >= before > set()
    with _connect(live.specs.parent / "a@cold.sock") as sock:
        at_work = int(sock.recv(20))
        live.kill()
        live.start()
        assert live.pids() == {at_work}
        second = _connect(live.specs.parent / "a@cold.sock")
    with second:
        assert int(second.recv(20)) == at_work
    _until_asleep(live)
    live.until(lambda: live.ask("status")["overseer"]["sockets"] == 4)
    assert _answer(live, "a/cold") != at_work


def _inodes(live: Host) -> set[str]:
    """The listening sockets the overseer holds."""
    assert live.process is not None
    listed = Path("/proc/net/unix").read_text().splitlines()
    shown = {line.split()[6] for line in listed if line.endswith(".sock") and "@" in line}
    held = set()
    for fd in Path(f"/proc/{live.process.pid}/fd").iterdir():
        with contextlib.suppress(FileNotFoundError):  # closed since it was listed
            held.add(str(fd.readlink()))
    return {inode for inode in shown if f"socket:[{inode}]" in held}
