"""An overseer under a real systemd: laid down by `pools install`, restarted, watched, removed."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.faults.booted import Machine, booted, until, why_not

pytestmark = [pytest.mark.slow, pytest.mark.exhaustive]
ROOT = Path(__file__).parent.parent.parent
UNIT = "fleetctl-overseer.service"
HOME = "/srv/overseer"
MAIN = "from fleetctl.cli.main import main; main()"
DAEMON = """
import os, socket, time
sock = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
sock.sendto(b"READY=1\\nX_FLEETCTL_STATE=idle", os.environ["NOTIFY_SOCKET"])
while True:
    time.sleep(3600)
"""
FLEET = f"""
fleet: one
tiers:
  repo:
    hosts: repo001
    transport: local
    pools:
      home: {HOME}
      python: {sys.executable}
      specs: pools
      instances: {{ file: names }}
      unit: {UNIT}
"""
SPECS = f"""
[kind.k]
command = ["{sys.executable}", "/srv/daemon.py"]
min = 1

[[instances]]
names_from = "instances"
kinds = ["k"]
"""


class Host:
    """One with an overseer."""

    def __init__(self, machine: Machine) -> None:
        self.machine = machine
        for name, text in (("daemon.py", DAEMON), ("fleet.yaml", FLEET), ("names", "i1\ni2\n"),
                           ("pools/k.toml", SPECS), ("me/at-home", "")):  # fmt: skip
            machine.write(f"/srv/{name}", text)

    def fleetctl(self, *words: str) -> str:
        """What it said; fails unless all was well."""
        env = {"HOME": "/srv/me", "FLEETCTL_JOURNAL": "/srv/me/journal.db", "PYTHONPATH": str(ROOT)}
        command = [sys.executable, "-c", MAIN, *words, "-i", "/srv/fleet.yaml"]
        code, said = self.machine.run(*command, env=env)
        assert code == 0, said
        return said

    def systemctl(self, *words: str) -> str:
        return self.machine.run("systemctl", *words)[1].strip()

    def told(self) -> dict[str, Any]:
        """The overseer's status with its slots; empty while none answers."""
        request = json.dumps({"do": "status", "all": True, "slots": True})
        asked = [sys.executable, "-I", "-S", f"{HOME}/overseer.pyz", "--home", HOME, "--ask"]
        code, said = self.machine.run(*asked, request)
        return dict(json.loads(said)) if code == 0 else {}

    def pids(self) -> list[int]:
        """The daemons that are ready."""
        slots = [slot for pool in self.told().get("pools", ()) for slot in pool["slots"]]
        return sorted(slot["pid"] for slot in slots if slot["state"] == "idle")

    def overseer(self) -> int:
        return int(self.systemctl("show", "--property=MainPID", "--value", UNIT))

    def settles(self, daemons: list[int]) -> None:
        """The unit is up, and these are its daemons."""
        until(lambda: self.systemctl("is-active", UNIT) == "active")
        until(lambda: self.pids() == daemons)


@pytest.fixture(scope="module")
def machine(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Machine]:
    """One whose first process is systemd."""
    lacks = why_not(tmp_path_factory.mktemp("try"))
    if lacks:
        pytest.skip(lacks)
    with booted(tmp_path_factory.mktemp("machine")) as up:
        yield up


def test_a_unit_is_laid_down_kept_going_and_taken_away(machine: Machine) -> None:
    """Restarts, crashes and the watchdog replace the overseer and no daemon; nothing is left."""
    host = Host(machine)
    host.fleetctl("pools", "install", "--yes", "--soak", "0.1s")
    until(lambda: len(host.pids()) == 2)
    daemons, first = host.pids(), host.overseer()
    assert host.systemctl("is-enabled", UNIT) == "enabled"
    spared = [machine.run("cat", f"/proc/{pid}/oom_score_adj")[1] for pid in (first, *daemons)]
    assert spared[0].strip() in ("-500", "0")  # 0 where a container may not set it
    assert [int(score) for score in spared[1:]] == [0, 0]
    host.systemctl("restart", UNIT)
    host.settles(daemons)
    assert host.overseer() != first
    machine.run("kill", "-9", str(host.overseer()))
    until(lambda: host.systemctl("show", "--property=NRestarts", "--value", UNIT) == "1")
    host.settles(daemons)
    host.systemctl("reload", UNIT)
    host.settles(daemons)
    stuck = host.overseer()
    machine.run("kill", "-STOP", str(stuck))
    until(lambda: host.overseer() not in (0, stuck), within_s=90)
    host.settles(daemons)
    host.fleetctl("pools", "uninstall", "--yes")
    assert machine.run("sh", "-c", f"kill -0 {daemons[0]} || kill -0 {daemons[1]}")[0] != 0
    assert "could not be found" in host.systemctl("status", UNIT)
    assert machine.run("ls", HOME)[0] != 0
