"""`fleetctl pools status` and `metrics` over real hosts: real overseers, real SSH."""

from __future__ import annotations

import json
import re
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import msgspec
import pytest
from click.testing import CliRunner, Result

from fleetctl.cli.main import fleetctl
from fleetctl.inventory.model import Pools
from fleetctl.pools.cache import read_cache
from fleetctl.pools.packing import pack
from tests.cli.program import PATIENCE_S, Program, end
from tests.labfixture import RunningLab, StartLab, a_fleet

pytestmark = pytest.mark.slow
WITHIN_S = 30.0
SLEEPER = {"command": ["true"], "at_start": "asleep"}
WELL = {
    "kind": {"task": SLEEPER, "pull": {"command": ["sleep", "99"], "ready": "exec", "min": 1}},
    "instances": [
        {"names": ["acme", "bolt"], "kinds": ["task"]},
        {"names": ["acme"], "kinds": ["pull"]},
    ],
}
SICK = {
    "kind": {"task": SLEEPER, "sick": {"command": ["/no/such/program"]}},
    "instances": [{"names": ["cato"], "kinds": ["task", "sick"]}],
}


class Site(NamedTuple):
    """A lab with overseers on some of its hosts, and a journal of our own."""

    lab: RunningLab
    folder: Path

    def ask(self, *words: str) -> Result:
        """`fleetctl pools ...`"""
        named = ["--journal", str(self.folder / "journal.db")] if words[0] == "status" else []
        environ = {"FLEETCTL_INVENTORY": str(self.lab.inventory)}
        return CliRunner().invoke(fleetctl, ["pools", *words, *named], env=environ)


@pytest.fixture(scope="module")
def site(module_lab_fleet: StartLab, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    """repo001 is well, repo002 has a sick pool, repo003 no overseer; db keeps no pools."""
    fleet = a_fleet({"repo": ["repo001", "repo002", "repo003"], "db": ["db001"]})
    hosts = {
        name: msgspec.structs.replace(host, pools=Pools(python=sys.executable))
        if host.tier == "repo"
        else host
        for name, host in fleet.hosts.items()
    }
    lab = module_lab_fleet(msgspec.structs.replace(fleet, hosts=hosts))
    folder = tmp_path_factory.mktemp("site")
    program = pack(folder / "overseer.pyz")
    specs = {"repo001": WELL, "repo002": SICK}
    running = [_overseer(lab.home(host), program, text) for host, text in specs.items()]
    made = Site(lab, folder)
    try:
        end_s = time.monotonic() + WITHIN_S
        while made.ask("status", "--host", "repo002", "sick").exit_code != 1:
            assert time.monotonic() < end_s
        yield made
    finally:
        for process in running:
            process.send_signal(signal.SIGINT)
        for process in running:
            process.wait(PATIENCE_S)


def _overseer(login: Path, program: Path, specs: object) -> subprocess.Popen[bytes]:
    """An overseer where the inventory says it is."""
    home = login / ".fleetctl" / "overseer"
    (home / "specs").mkdir(parents=True)
    shutil.copy(program, home / "overseer.pyz")
    (home / "specs" / "all.json").write_text(json.dumps(specs))
    command = [sys.executable, "-I", "-S", str(home / "overseer.pyz")]
    return subprocess.Popen([*command, "--home", str(home), "--specs", str(home / "specs")])


def test_all_hosts_at_a_glance(site: Site) -> None:
    """Kinds added up over hosts, sleep and failure apart, and who told nothing with its cause."""
    told = site.ask("status")
    assert told.exit_code == 1
    lines = told.stdout.splitlines()
    rows = {line.split()[0]: line for line in lines}
    assert "3 hibernating" in rows["task"]
    assert rows["task"].split()[1:3] == ["2", "3"]
    assert "1 idle" in rows["pull"]
    assert "1 failed" in rows["sick"]
    assert any(
        "1 pool FAILED: cannot be started (exec_error), next probe in" in line for line in lines
    )
    assert any("1 host absent: repo003: no overseer is installed" in line for line in lines)
    assert "2 of 3 hosts told: 5 pools: 1 running, 3 hibernating, 1 failed" in told.stderr
    assert "what 1 host keeps is unknown" in told.stderr


def test_hosts_that_are_well_end_with_zero_and_are_remembered(site: Site) -> None:
    """Exit code 0 when all is well; what was told lies beside the journal, host by host."""
    assert site.ask("status", "--by", "tier").exit_code == 1
    told = site.ask("status", "--host", "repo001", "-o", "json")
    assert told.exit_code == 0
    rows = {row["kind"]: row for row in json.loads(told.stdout)}
    assert (rows["pull"]["processes"], rows["pull"]["measured"]) == (1, 1)
    assert rows["pull"]["memory_mb"] > 0
    assert rows["task"]["hibernating"] == 2
    assert 0 < rows["task"]["fullness_percent"] < 200
    remembered = read_cache(site.folder, site.lab.fleet.name).hosts
    assert sorted(remembered) == ["repo001", "repo002", "repo003"]
    assert remembered["repo003"].silent == "absent"
    assert remembered["repo002"].groups["sick"].words == {"FAILED": 1}


def test_one_instance_and_one_kind_can_be_asked_for(site: Site) -> None:
    """Names choose; one that fits nothing anywhere is a mistake, with the nearest."""
    told = site.ask("status", "--host", "repo001", "--instance", "acme", "--by", "instance")
    assert told.exit_code == 0
    assert told.stdout.splitlines()[1].split()[:3] == ["acme", "repo001", "2"]
    told = site.ask("status", "--host", "repo00[1-2]", "tsk")
    assert told.exit_code == 2
    assert '"task"' in told.stderr
    assert site.ask("status", "--tier", "db").exit_code == 2


def test_a_pool_can_be_asked_for_by_its_name(site: Site) -> None:
    """The name that stands where an error is told leads to that very pool, and stands alone."""
    found = re.search(r"see: fleetctl pools log (\S+) --host repo002", site.ask("status").stdout)
    assert found is not None
    told = site.ask("status", found[1], "--host", "repo002", "-o", "json")
    (row,) = json.loads(told.stdout)
    assert (row["instance"], row["failed"]) == (found[1].partition("/")[0], 1)
    assert site.ask("status", found[1], "nap").exit_code == 2


def test_metrics_tell_who_is_up(site: Site) -> None:
    """Figures with host, tier and kind; a host without an overseer is not up, and nothing else."""
    told = site.ask("metrics")
    assert told.exit_code == 1
    assert 'fleetctl_overseer_up{host="repo003",tier="repo"} 0' in told.stdout
    where = 'host="repo002",tier="repo",kind="sick"'
    assert f'fleetctl_kind_pools{{{where},state="failed"}} 1' in told.stdout
    assert told.stdout.count("repo003") == 1


def test_watching_goes_on_until_it_is_interrupted(site: Site) -> None:
    """On a terminal the picture comes anew; Ctrl-C ends it with the code of what was seen last."""
    terminal = Program(site.folder, site.lab).start_on_terminal(
        "pools", "status", "--host", "repo00[1-2]", "--watch", "--every", "0.5"
    )
    try:
        terminal.wait_for("✖ 1 failed", times=3)
        terminal.wait_for("2 hosts told: ")
        terminal.process.send_signal(signal.SIGINT)
        assert terminal.process.wait(PATIENCE_S) == 1
    finally:
        end(terminal.process)
        terminal.close()
    assert site.ask("status", "--watch").exit_code == 2
