"""A lab comes up fast and leaves nothing behind."""

from __future__ import annotations

import os
import signal
import socket
from pathlib import Path

import pytest

from fleetctl.base.errors import LockHeld, Refused, UsageError
from fleetctl.lab.addresses import take_block
from fleetctl.lab.control import NotRunning
from fleetctl.lab.layout import Layout
from fleetctl.lab.lifecycle import describe, down, pick_hosts, up
from fleetctl.lab.prepare import LabRequest
from fleetctl.lab.processes import find_marked
from tests.lab.clients import banner, run
from tests.labfixture import StartLab, a_fleet, start_lab

pytestmark = pytest.mark.slow

# Lengths nobody else on this machine sleeps for.
_LEFT, _WIPED, _LATE = (f"{seconds}.{os.getpid():07d}" for seconds in (300, 301, 302))
_RUNAWAYS = (
    f"(setsid sleep {_LEFT} >/dev/null 2>&1 &) ; env -i setsid -f sleep {_WIPED} >/dev/null 2>&1"
)


def _runs(command: str) -> bool:
    for entry in Path("/proc").iterdir():
        try:
            if entry.name.isdigit() and (entry / "cmdline").read_bytes() == command.encode():
                return True
        except OSError:
            continue
    return False


def test_down_ends_every_process(lab_fleet: StartLab) -> None:
    """Processes that left their session, or wiped their environment, end with the lab too."""
    lab = lab_fleet({"db": ["db001"]})
    run(lab, "db001", _RUNAWAYS)
    assert _runs(f"sleep\0{_LEFT}\0")
    assert _runs(f"sleep\0{_WIPED}\0")
    down(lab.layout)
    assert find_marked(lab.state.id) == {}
    assert not _runs(f"sleep\0{_LEFT}\0")
    assert not _runs(f"sleep\0{_WIPED}\0")


def test_addresses_another_lab_took_meanwhile_are_left_to_it(
    lab_fleet: StartLab, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Both looked, both found them free; who comes second takes others."""
    first = lab_fleet({"db": ["db001"]})
    seen = [first.state.block]

    def look(folder: str, port: int, count: int, before: int | None = None) -> int:
        return seen.pop() if seen else take_block(folder, port, count, before)

    monkeypatch.setattr("fleetctl.lab.prepare.take_block", look)
    second = lab_fleet({"db": ["db001"]})
    assert (seen, second.state.port) == ([], first.state.port)
    assert second.state.block != first.state.block
    assert banner(second, "db001")
    assert banner(first, "db001")


def test_down_cleans_up_after_a_killed_keeper(lab_fleet: StartLab) -> None:
    """When the keeper itself was killed, `down` still finds what it left."""
    lab = lab_fleet({"db": ["db001"]})
    run(lab, "db001", f"setsid -f sleep {_LATE} >/dev/null 2>&1")
    os.kill(int(lab.layout.pid.read_text()), signal.SIGKILL)
    assert down(lab.layout) >= 1
    assert find_marked(lab.state.id) == {}
    assert not _runs(f"sleep\0{_LATE}\0")
    with pytest.raises(NotRunning):
        describe(lab.layout)


def test_44_hosts_come_up_in_one_process(lab_fleet: StartLab) -> None:
    """Every one of 44 hosts answers, and one process is all there is."""
    lab = lab_fleet({"db": [f"db{number:03d}" for number in range(1, 45)]})
    assert len(find_marked(lab.state.id)) == 1
    assert all(banner(lab, name).startswith(b"SSH-2.0-") for name in lab.fleet.hosts)


def test_addresses_and_keys_outlive_a_restart(tmp_path: Path) -> None:
    """`up` after `down` gives the same addresses and host keys, so known_hosts stays true."""
    fleet = a_fleet({"db": ["db001", "db002"]})
    first = start_lab(tmp_path, fleet)
    known = first.known_hosts.read_text()
    down(first.layout)
    second = start_lab(tmp_path, fleet)
    try:
        assert second.known_hosts.read_text() == known
        assert run(second, "db002", "true").exit_status == 0
    finally:
        down(second.layout)


def test_faults_do_not_outlive_a_killed_lab(tmp_path: Path) -> None:
    """A lab that was killed with faults on comes up again without them."""
    first = start_lab(tmp_path, a_fleet({"db": ["db001"]}))
    first.fault("db001", "fail", command="uname*")
    os.kill(int(first.layout.pid.read_text()), signal.SIGKILL)
    down(first.layout)
    second = start_lab(tmp_path, a_fleet({"db": ["db001"]}))
    try:
        assert run(second, "db001", "true; uname").exit_status == 0
    finally:
        down(second.layout)


def test_two_labs_live_side_by_side(lab_fleet: StartLab) -> None:
    """Each lab has an address block of its own."""
    one, other = lab_fleet({"db": ["db001"]}), lab_fleet({"db": ["db001"]})
    assert one.state.block != other.state.block
    assert run(one, "db001", "pwd").stdout != run(other, "db001", "pwd").stdout


def test_a_second_up_is_refused(lab_fleet: StartLab) -> None:
    """A running lab is not started over."""
    lab = lab_fleet({"db": ["db001"]})
    with pytest.raises(LockHeld):
        start_lab(lab.layout.folder, a_fleet({"db": ["db001"]}))
    assert run(lab, "db001", "true").exit_status == 0


def test_a_wiped_lab_leaves_no_file(tmp_path: Path) -> None:
    """`down --wipe` removes the folder."""
    lab = start_lab(tmp_path / "lab", a_fleet({"db": ["db001"]}))
    down(lab.layout, wipe=True)
    assert list(tmp_path.iterdir()) == []


def test_a_deep_folder_is_no_trouble(tmp_path: Path) -> None:
    """A control socket's name has 107 bytes at most; the lab's folder may be deeper."""
    lab = start_lab(tmp_path / ("deep" * 20) / ("deeper" * 20), a_fleet({"db": ["db001"]}))
    try:
        assert set(lab.describe().hosts) == {"db001"}
    finally:
        down(lab.layout)


def test_a_missing_library_is_told_with_how_to_get_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """asyncssh is an extra: without it nothing is written and the hint names the extra."""
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    with pytest.raises(Refused, match=r"fleetctl\[lab\]"):
        start_lab(tmp_path / "lab", a_fleet({"db": ["db001"]}))
    assert not (tmp_path / "lab").exists()


def test_a_taken_port_is_told_with_what_to_do(tmp_path: Path) -> None:
    """Something that listens on the port of every address leaves no block; the hint says --port."""
    with socket.create_server(("0.0.0.0", 0)) as taken:
        request = LabRequest(port=taken.getsockname()[1])
        with pytest.raises(Refused, match="--port"):
            up(Layout(tmp_path), a_fleet({"db": ["db001"]}), request)


def test_no_lab_is_said_with_a_hint(tmp_path: Path) -> None:
    """A folder without a lab is the user's mistake, told with what to do."""
    with pytest.raises(UsageError, match="lab up"):
        down(Layout(tmp_path))


def test_hosts_are_named_by_name_glob_or_range(lab_fleet: StartLab) -> None:
    """A word that names no host is an error with the nearest name."""
    state = lab_fleet({"db": ["db001", "db002", "db003"], "web": ["web001"]}).state
    assert pick_hosts(state, "db[002-003]") == ("db002", "db003")
    assert pick_hosts(state, "*001") == ("db001", "web001")
    with pytest.raises(UsageError, match="web001"):
        pick_hosts(state, "wbe001")
