"""Daemons forked from a zygote: in nothing but the time it takes unlike those that are exec'd."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.pools.overseer.live import Host, host

pytestmark = pytest.mark.slow
PROBE = Path(__file__).parent / "daemons" / "probe.py"
OWN = {"FLEETCTL_KIND", "FLEETCTL_SLOT"}
"""What differs because the two are of different kinds."""


@pytest.fixture(scope="module")
def live(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Host]:
    """A host with the same daemon warm and cold, nobody awake."""
    with host(tmp_path_factory.mktemp("h")) as made:
        script = made.specs.parent / "probe.py"
        script.write_bytes(PROBE.read_bytes())
        kind = {
            "command": [sys.executable, "-I", "-S", str(script), "{instance}", "a word"],
            "cwd": str(made.specs.parent),
            "env": {"GREETING": "hello = you"},
            **{"at_start": "asleep", "stop_grace": 20, "watchdog": 600},
        }
        kinds = {"cold": kind, "warm": {**kind, "warm": ["sqlite3"]}}
        names = ["one", "three", "throw", "i[1-9]", "j1"]
        made.write(kind=kinds, instances=[{"names": names, "kinds": list(kinds)}])
        made.start()
        _until_warm(made)
        yield made


def _figures(live: Host) -> dict[str, Any]:
    found: dict[str, Any] = live.ask("status")["overseer"]
    return found


def _until_warm(live: Host) -> None:
    """A zygote is there, and so is what it forks beforehand."""
    live.until(lambda: _figures(live)["zygotes"] == 1 and sorted(_alike(live).values()) == [0, 1])


def _alike(live: Host) -> dict[int, bool]:
    """Processes called zygote: whether they are one, or were forked from one beforehand."""
    assert live.process is not None
    children = Path(f"/proc/{live.process.pid}/task/{live.process.pid}/children").read_text()
    found = {}
    for pid in map(int, children.split()):
        with contextlib.suppress(OSError):
            if b"fleetctl-zygote:" in Path(f"/proc/{pid}/cmdline").read_bytes():
                found[pid] = os.getpgid(pid) == pid
    return found


def _zygote(live: Host) -> int:
    """The pid of the one there is."""
    (found,) = [pid for pid, leads in _alike(live).items() if leads]
    return found


def _awake(live: Host, name: str) -> int:
    """The process of a pool that was woken."""
    before = _figures(live)["wakes"]
    live.ask("wake", pools=[name])
    live.until(lambda: _figures(live)["wakes"] > before and bool(live.pids(name)))
    return min(live.pids(name))


def _told(live: Host, name: str) -> dict[str, Any]:
    """What a pool's daemon said of itself."""
    _awake(live, name)
    path = live.home / "logs" / f"{name.replace('/', '@')}.0.log"
    told: dict[str, Any] = json.loads(path.read_text().splitlines()[0])
    for key in OWN:
        del told["env"][key]
    told["streams"] = [stream.replace("cold", "warm") for stream in told["streams"]]
    return told


def test_a_forked_daemon_finds_what_an_execd_one_finds(live: Host) -> None:
    """Arguments, environment, folder, descriptors, session, signals, limits, umask, parent."""
    cold, warm = _told(live, "one/cold"), _told(live, "one/warm")
    assert warm == cold
    assert warm["argv"] == ["one", "a word"]
    assert warm["env"]["GREETING"] == "hello = you"
    assert live.process is not None
    assert warm["parent"] == live.process.pid
    assert _figures(live)["warm_starts"] == 1
    (pid,) = live.pids("one/warm")
    shown = Path(f"/proc/{pid}/cmdline").read_bytes().rstrip(b"\0").split(b"\0")
    assert shown[1:] == [str(live.specs.parent / "probe.py").encode(), b"one", b"a word"]


def test_how_a_forked_daemon_ends_is_known(live: Host) -> None:
    """Exit code, signal, and an exception with its traceback in the log, as of one exec'd."""
    for name in ("three/warm", "throw/warm"):
        live.ask("wake", pools=[name])
        live.until_state(name, "BACKOFF")
    os.kill(_awake(live, "i1/warm"), signal.SIGKILL)
    live.until_state("i1/warm", "BACKOFF")
    live.ask("drain", pools=["t*/warm", "i1/warm"], why="they would come back")
    ends = {e["p"]: (e["c"], e["code"], e["sig"]) for e in live.events() if e.get("x") == "died"}
    assert ends["three/warm"] == ("exit", 3, None)
    assert ends["throw/warm"] == ("exit", 1, None)
    assert ends["i1/warm"] == ("signal", None, 9)
    assert "RuntimeError: thrown" in live.ask("log", pools=["throw/warm"])["log"]["throw/warm#0"]


def test_a_zygote_that_dies_takes_nobody_along_and_is_made_anew(live: Host) -> None:
    """Its children work on; who is woken meanwhile is exec'd; stuck, it is found out."""
    kept, before = _awake(live, "i2/warm"), _zygote(live)
    os.kill(before, signal.SIGKILL)
    live.until(lambda: _figures(live)["zygotes"] == 0)
    warm = _figures(live)["warm_starts"]
    _awake(live, "i3/warm")
    assert live.pids("i2/warm") == {kept}
    assert _figures(live)["warm_starts"] == warm
    _until_warm(live)
    os.kill(_zygote(live), signal.SIGSTOP)
    warm = _figures(live)["warm_starts"]
    for name in ("j1/warm", "i4/warm"):  # one had been forked before
        _awake(live, name)
    assert _figures(live)["warm_starts"] == warm + 1
    _until_warm(live)


def test_code_that_was_replaced_is_not_run_warm(live: Host) -> None:
    """A newer script under the same name: the next start is of that, by exec, then warm again."""
    script = live.specs.parent / "probe.py"
    before, warm = _zygote(live), _figures(live)["warm_starts"]
    script.write_text("print('newer', flush=True)\n" + script.read_text().replace("from __f", "#"))
    live.until(lambda: _awake(live, "i5/warm") > 0)
    assert "newer" in live.ask("log", pools=["i5/warm"])["log"]["i5/warm#0"]
    assert _figures(live)["warm_starts"] == warm
    _until_warm(live)
    assert _zygote(live) != before
    _awake(live, "i6/warm")
    assert _figures(live)["warm_starts"] == warm + 1


def test_forked_daemons_are_adopted_log_or_no_log(live: Host) -> None:
    """USR2, kill -9, and kill -9 with the log gone: the same processes, none doubled."""
    assert live.process is not None
    for name in ("i7/warm", "i8/warm", "i9/warm"):
        _awake(live, name)
    before = live.pids()
    zygote = _zygote(live)
    live.process.send_signal(signal.SIGUSR2)
    live.until(lambda: [e["e"] for e in live.events()[1:2]] == ["kept"])
    _until_warm(live)
    assert _zygote(live) != zygote
    assert live.pids() == before
    os.kill(min(live.pids("i7/warm")), signal.SIGKILL)
    live.until(lambda: any(e.get("p") == "i7/warm" and e.get("sig") == 9 for e in live.events()))
    before = live.pids() - live.pids("i7/warm")
    for gone in (False, True):
        live.kill()
        if gone:
            (live.home / "events.jsonl").unlink()
        live.start()
        assert before <= live.pids()
