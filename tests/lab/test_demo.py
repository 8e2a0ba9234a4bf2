"""The demonstration's application and playbook do what the demonstration says."""

from __future__ import annotations

import shutil
import sys
import time
from collections import Counter
from pathlib import Path
from urllib.request import urlopen

import pytest

import fleetctl.lab.demo
from fleetctl.inventory.load import load_fleet
from fleetctl.inventory.select import pick
from fleetctl.playbook.load import load_playbook
from fleetctl.pools import snippets
from tests.lab.clients import run
from tests.labfixture import RunningLab, StartLab

_DEMO = Path(fleetctl.lab.demo.__file__).parent
_FLEET = _DEMO.parents[2] / "inventory" / "phacility.yaml"


def test_the_playbook_works_on_every_host_once() -> None:
    """44 of 44: no host is left out, none is deployed to twice."""
    fleet = load_fleet(_FLEET)
    playbook = load_playbook(_DEMO / "playbook.yaml")
    picked = Counter(
        name
        for phase in playbook.phases
        if phase.hosts is not None
        for name in pick(fleet, phase.hosts, lambda file: Path(file).read_text())
    )
    assert set(picked) == set(fleet.hosts)
    assert set(picked.values()) == {1}
    assert len(picked) == 44


def test_its_daemons_speak_to_the_overseer_as_the_shipped_clients_do() -> None:
    """The application has a copy of the Python client, to the letter."""
    ours = _DEMO / "application" / "bin" / "overseen.py"
    assert ours.read_text() == (Path(snippets.__file__).parent / "overseen.py").read_text()


def _release(lab: RunningLab, host: str, release: str) -> str:
    """Lay a release down by hand; returns the words that set what fleetctl exports."""
    target = lab.home(host) / "app" / "releases" / release
    shutil.copytree(_DEMO / "application", target)
    if release == "two":
        shutil.copytree(_DEMO / "second", target, dirs_exist_ok=True)
    current = target.parents[1] / "current"
    current.unlink(missing_ok=True)
    current.symlink_to(f"releases/{release}")
    return f'export FLEETCTL_ROOT="$HOME/app" FLEETCTL_RELEASE={release}; '


def _restart(lab: RunningLab, host: str, release: str, port: int) -> None:
    words = f"{lab.fleet.hosts[host].tier} {host} {lab.address(host)} {port} {sys.executable}"
    setting = _release(lab, host, release)
    done = run(lab, host, f'{setting} sh "$HOME/app/releases/{release}/bin/restart" {words}')
    assert done.exit_status == 0, done.stderr


def _live(lab: RunningLab, host: str, release: str) -> str:
    setting = 'export FLEETCTL_ROOT="$HOME/app"; '
    deadline = time.monotonic() + 60
    while True:
        told = run(lab, host, f'{setting} sh "$HOME/app/releases/{release}/bin/live"')
        if told.exit_status == 0 or time.monotonic() > deadline:
            assert isinstance(told.stdout, bytes)
            return told.stdout.decode().strip()


@pytest.mark.slow
def test_a_web_host_answers_with_its_release(lab_fleet: StartLab) -> None:
    """A restart replaces the server: the same address answers with the new release."""
    lab = lab_fleet({"web": ["web001"]})
    for release in ("one", "two"):
        _restart(lab, "web001", release, 38123)
        assert _live(lab, "web001", release) == release
        with urlopen(f"http://{lab.address('web001')}:38123/", timeout=30) as answer:
            assert answer.read() == f"web001 runs {release}: ALIVE\n".encode()
    assert lab.describe().hosts["web001"].processes == 1


@pytest.mark.slow
def test_a_restart_replaces_every_daemon(lab_fleet: StartLab) -> None:
    """A repo host runs its two daemons, of the new release alone."""
    lab = lab_fleet({"repo": ["repo001"]})
    for release in ("one", "two"):
        _restart(lab, "repo001", release, 0)
        assert _live(lab, "repo001", release) == release
    logs = [path.read_text() for path in (lab.home("repo001") / "app" / "run").glob("*.log")]
    assert len(logs) == 2
    assert all("release two" in log for log in logs)
    ours = run(lab, "repo001", "cat app/run/*.pid | while read pid; do ps -o args= $pid; done")
    assert isinstance(ours.stdout, bytes)
    assert ours.stdout.count(b"releases/two/bin/daemon") == 2


@pytest.mark.slow
def test_daemons_stop_start_and_say_what_they_run(lab_fleet: StartLab) -> None:
    """A stopped daemon is not up, a started one is only when it says its release; twice is once."""
    lab = lab_fleet({"repo": ["repo001"]})
    _release(lab, "repo001", "one")
    told = []
    for word in ("status", "start", "start", "status-in-time", "release", "stop", "stop", "status"):
        script = f'sh "$HOME/app/current/bin/daemons" {word}'
        if word == "status-in-time":
            look = 'sh "$HOME/app/current/bin/daemons" status 2>/dev/null'
            script = (
                f"i=0; until {look}; do i=$((i + 1)); [ $i -lt 200 ] || exit 1; sleep 0.05; done"
            )
        done = run(lab, "repo001", script)
        told.append((word, done.exit_status, done.stdout))
    assert told == [
        ("status", 1, b""),
        ("start", 0, b""),
        ("start", 0, b""),
        ("status-in-time", 0, b""),
        ("release", 0, b"one\none\n"),
        ("stop", 0, b""),
        ("stop", 0, b""),
        ("status", 1, b""),
    ]


@pytest.mark.slow
def test_a_new_instance_gets_a_database_and_is_alive_once_it_is_filled(lab_fleet: StartLab) -> None:
    """The list of instances is the file's where there is one; a suspended one is not active."""
    lab = lab_fleet({"db": ["db001"]})
    home = lab.home("db001")
    setting = _release(lab, "db001", "one")
    store = home / "database" / "acme.db"
    (home / "instances").write_text(f"acme {store} active\ninitech {store}2 suspended\n")
    run(lab, "db001", f"{setting} sh app/current/bin/restart db db001 - 0 - s001")
    assert (store.exists(), Path(f"{store}2").exists()) == (True, False)
    assert run(lab, "db001", "sh app/current/bin/instances s001 active").stdout == b"acme\n"
    alive = "sh app/current/bin/alive s001 acme"
    before = run(lab, "db001", alive).exit_status
    store.write_text("filled")
    assert (before, run(lab, "db001", alive).exit_status) == (1, 0)
    run(lab, "db001", f"sh app/current/bin/backup acme {store}")
    assert (home / "backups" / "acme").read_text() == "filled"
