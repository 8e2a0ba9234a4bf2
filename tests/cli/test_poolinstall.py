"""`fleetctl pools install`, `upgrade` and `uninstall` on real hosts with real daemons."""

from __future__ import annotations

import json
import os
import signal
from pathlib import Path
from typing import Any

import msgspec
import pytest
from click.testing import CliRunner, Result

from fleetctl.cli.main import fleetctl
from fleetctl.inventory.model import Pools
from fleetctl.journal.store import Journal
from fleetctl.lab.lifecycle import down
from fleetctl.lab.processes import find_marked
from fleetctl.pools import packing
from fleetctl.pools.local import Overseer
from tests.labfixture import RunningLab, StartLab, a_fleet

pytestmark = pytest.mark.slow

SPECS = """\
[kind.run]
command = ["sleep", "3000"]
ready = "exec"
min = 1

[kind.nap]
command = ["sleep", "3001"]
at_start = "asleep"

[[instances]]
names_from = "instances"
kinds = ["run", "nap"]
"""
HOSTS = ("repo1", "repo2")


class Stage:
    """Two repo hosts, specs, a journal."""

    def __init__(self, lab: RunningLab, folder: Path) -> None:
        self.lab, self.specs, self.journal = lab, folder / "pools", folder / "journal.db"

    def type(self, *words: str) -> Result:
        """Type a command about pools."""
        environment = {
            "FLEETCTL_INVENTORY": str(self.lab.inventory),
            "FLEETCTL_JOURNAL": str(self.journal),
            "XDG_CACHE_HOME": str(self.journal.parent / "cache"),
        }
        return CliRunner().invoke(fleetctl, ["pools", *words], env=environment)

    def install(self, *words: str) -> Result:
        return self.type("install", "--batch", "100%", "--soak", "0s", "--yes", *words)

    def folder(self, host: str) -> Path:
        return self.lab.home(host) / ".fleetctl" / "overseer"

    def status(self, host: str) -> dict[str, Any]:
        with Overseer(self.folder(host)) as overseer:
            return overseer.ask("status", all=True, slots=True)

    def pids(self) -> dict[str, int]:
        """The process of each pool that has one, and the overseers'."""
        found = {}
        for host in HOSTS:
            told = self.status(host)
            found[host] = int(told["overseer"]["pid"])
            for pool in told["pools"]:
                found.update(
                    {f"{host}:{pool['pool']}": s["pid"] for s in pool["slots"] if "pid" in s}
                )
        return found

    def runs(self) -> int:
        with Journal(self.journal) as journal:
            return len(journal.runs())


def _runs(pid: int) -> bool:
    """It is there, and not only its remains."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except FileNotFoundError:
        return False


def _is_ours(pid: int) -> bool:
    """An overseer, or a daemon of one."""
    try:
        line = Path(f"/proc/{pid}/cmdline").read_text()
    except FileNotFoundError:
        return False
    return "overseer.pyz" in line or "sleep\x003" in line


@pytest.fixture(scope="module")
def stage(module_lab_fleet: StartLab, tmp_path_factory: pytest.TempPathFactory) -> Stage:
    """Installed once; each test leaves both hosts installed, with the specs as they are here."""
    folder = tmp_path_factory.mktemp("stage")
    (folder / "pools").mkdir()
    (folder / "pools" / "all.toml").write_text(SPECS)
    fleet = a_fleet({"repo": HOSTS, "web": ["web1"]})
    kept = Pools(specs=str(folder / "pools"), instances_command="cat instances")
    hosts = {
        name: msgspec.structs.replace(host, pools=kept if host.tier == "repo" else None)
        for name, host in fleet.hosts.items()
    }
    lab = module_lab_fleet(msgspec.structs.replace(fleet, hosts=hosts))
    for host in HOSTS:
        (lab.home(host) / "instances").write_text(f"{host}-a\n{host}-b\n")
    stage = Stage(lab, folder)
    done = stage.install()
    assert done.exit_code == 0, done.output
    assert "+ kind.run.min = 1" in done.stderr
    assert "+ 4 instances, such as repo1-a" in done.stderr
    assert "2 of 2 accounted for: 2 changed" in done.stdout
    return stage


def test_a_second_install_changes_nothing_and_says_so(stage: Stage) -> None:
    """No run is opened where everything is as it should be; hosts without pools are not asked."""
    before = (stage.runs(), stage.pids())
    done = stage.install()
    assert (done.exit_code, done.stderr) == (
        0,
        "repo[1-2] (2): nothing changes\nnothing to do\n",
    )
    assert (stage.runs(), stage.pids()) == before
    assert {pool["state"] for pool in stage.status("repo1")["pools"]} == {"RUNNING", "HIBERNATING"}


def test_changed_specs_and_a_new_instance_touch_no_daemon_that_runs(stage: Stage) -> None:
    """The difference is told first; overseer and daemons are the same processes afterwards."""
    before = stage.pids()
    text = SPECS.replace("[kind.nap]", "[kind.nap]\nmax = 3").replace(
        '"sleep", "3001"', '"/no/yet"'
    )
    (stage.specs / "all.toml").write_text(text)
    (stage.lab.home("repo2") / "instances").write_text("repo2-a\nrepo2-b\nrepo2-c\n")
    done = stage.install()
    assert done.exit_code == 0, done.output
    assert "+ kind.nap.max = 3" in done.stderr
    assert "+ instance repo2-c" in done.stderr
    lacks = "warning: repo[1-2]: kind nap cannot be started now: no program /no/yet\n"
    assert done.stderr.count(lacks) == 1
    assert stage.install().stderr.endswith(f"{lacks}nothing to do\n")
    after = stage.pids()
    assert {name: after[name] for name in before} == before
    assert after.keys() - before.keys() == {"repo2:repo2-c/run"}
    rows = {pool["pool"]: pool["max"] for pool in stage.status("repo2")["pools"]}
    assert rows["repo2-a/nap"] == 3


def test_bad_specs_are_refused_with_their_line_before_anything_is_touched(stage: Stage) -> None:
    """Exit 5, the file here, the nearest word; no host is even asked."""
    before = (stage.runs(), stage.pids())
    good = (stage.specs / "all.toml").read_text()
    (stage.specs / "all.toml").write_text(good.replace("ready =", "redy ="))
    done = stage.install()
    (stage.specs / "all.toml").write_text(good)
    assert done.exit_code == 5
    assert "unknown key 'redy'" in done.output
    assert f"where: {stage.specs}/all.toml:3:1\n  hint: did you mean 'ready'?" in done.output
    assert (stage.runs(), stage.pids()) == before


def test_a_new_program_takes_over_without_a_new_process(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The overseer becomes the new program; no daemon notices, and it says which one it is."""
    before, was = stage.pids(), packing.version()
    monkeypatch.setattr(packing, "_MAIN", f"{packing._MAIN}\n# newer\n")
    done = stage.type("upgrade", "--batch", "100%", "--soak", "0s", "--yes")
    assert done.exit_code == 0, done.output
    assert f"program {was} -> {packing.version()}" in done.stderr
    assert was != packing.version() == stage.status("repo1")["overseer"]["version"]
    assert stage.pids() == before


def test_a_pool_that_fails_since_is_told_and_stops_the_rest(stage: Stage) -> None:
    """One host is tried first; what is in trouble there is named, the other host is not touched."""
    good, before = (stage.specs / "all.toml").read_text(), stage.status("repo2")["overseer"]["laid"]
    sick = '\n[kind.sick]\ncommand = ["/no/such/program"]\nmin = 1\n'
    text = good.replace('"nap"]', '"nap", "sick"]') + sick
    (stage.specs / "all.toml").write_text(text)
    done = stage.type("install", "--batch", "1", "--soak", "200ms", "--yes")
    (stage.specs / "all.toml").write_text(good)
    assert done.exit_code in (1, 6), done.output
    assert "in trouble since: repo1-a/sick, repo1-b/sick" in done.output
    assert "fleetctl pools log repo1-a/sick --host HOST" in done.output
    assert stage.status("repo2")["overseer"]["laid"] == before
    assert stage.install().exit_code == 0


def test_who_does_not_tell_is_not_taken_for_nobody(stage: Stage) -> None:
    """A host whose list of instances fails stops it all before anything is touched, with why."""
    list_of = stage.lab.home("repo2") / "instances"
    kept = list_of.read_text()
    list_of.unlink()
    done = stage.install()
    list_of.write_text(kept)
    assert done.exit_code == 8
    assert (
        "repo2: the command that lists its instances ended with 1: cat: instances:" in done.output
    )


def test_uninstalled_hosts_have_nothing_of_it(stage: Stage) -> None:
    """What dies is said first; afterwards folder, program and processes are gone."""
    pid = stage.pids()["repo1:repo1-a/run"]
    done = stage.type("uninstall", "--host", "repo1", "--yes")
    assert done.exit_code == 0, done.output
    assert "repo1: 4 pools, 2 processes end, 0 of them busy" in done.stderr
    assert not _runs(pid)
    assert not [p for p in find_marked(stage.lab.state.id, "repo1") if _is_ours(p)]
    left = {path.name for path in (stage.lab.home("repo1") / ".fleetctl").iterdir()}
    assert not left & {"overseer", "programs"}
    again = stage.type("uninstall", "--host", "repo1", "--yes")
    assert (again.exit_code, "nothing to do" in again.stderr) == (0, True)
    upgraded = stage.type("upgrade", "--host", "repo1", "--yes")
    assert "no overseer is installed on repo1" in upgraded.stderr


def test_down_ends_overseers_and_daemons_of_a_lab_whose_keeper_was_killed(stage: Stage) -> None:
    """They are detached and outlive whoever started them, but not their lab."""
    pids = stage.status("repo2")
    assert json.dumps(pids).count('"pid"') > 1
    os.kill(int(stage.lab.layout.pid.read_text()), signal.SIGKILL)
    down(stage.lab.layout)
    assert find_marked(stage.lab.state.id) == {}
    assert not _runs(pids["overseer"]["pid"])
