"""Daemons in PHP and sh with the snippets that are shipped, and the shared list in MariaDB."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from bench.mariadb import Server
from fleetctl.pools.overseer import specs
from tests.pools.overseer.live import TASKMASTER, Host, host

pytestmark = pytest.mark.slow
POOLS = Path(__file__).parents[3] / "fleetctl" / "pools"
SNIPPETS, KINDS = POOLS / "snippets", POOLS / "kinds"

PHP_DAEMON = """<?php
require '%s/overseen.php';
$overseer = new Overseen();
$overseer->ready();
$has = fn() => count(glob($argv[1] . '/*.task')) > 0;
while (true) {
    $files = glob($argv[1] . '/*.task');
    if ($files) {
        $overseer->busy(basename($files[0]));
        rename($files[0], $files[0] . '.done');
    } elseif ($overseer->idleSeconds() < $overseer->downAfter) {
        $overseer->idle();
        usleep(50000);
    } elseif ($overseer->maySleep($has)) {
        exit(0);
    }
}
"""
SH_DAEMON = """. %s/overseen.sh
overseen READY=1
while :; do
    for task in "$1"/*.task; do
        [ -e "$task" ] || continue
        overseen X_FLEETCTL_STATE=busy WATCHDOG=1
        mv "$task" "$task.done"
    done
    overseen X_FLEETCTL_HIBERNATE_USEC=0
    set -- "$1" "$1"/*.task
    [ -e "$2" ] || exit 0
    overseen X_FLEETCTL_STATE=busy
done
"""


@pytest.fixture
def live(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Host]:
    """A host, its overseer not yet started."""
    with host(tmp_path_factory.mktemp("h")) as made:
        yield made


@pytest.mark.parametrize(
    ("program", "text"), [("php", PHP_DAEMON), ("sh", SH_DAEMON)], ids=["php", "sh"]
)
def test_a_daemon_in_another_language_works_and_sleeps(live: Host, program: str, text: str) -> None:
    """It is ready, takes a task when it is woken, and naps by the shipped snippet."""
    if shutil.which(program) is None:
        pytest.skip(f"{program} is not installed")
    daemon, tasks = live.specs.parent / "daemon", live.specs.parent / "tasks"
    daemon.write_text(text % SNIPPETS)
    tasks.mkdir()
    command = [program, str(daemon), str(tasks)]
    kind = {"command": command, "down_after": 0.2, "at_start": "asleep"}
    live.write(kind={"task": kind}, instances=[{"names": ["i1"], "kinds": ["task"]}])
    live.start()
    for number in range(2):
        (tasks / f"{number}.task").touch()
        environ = {"FLEETCTL_OVERSEER": str(live.home), "PATH": "/usr/bin:/bin"}
        wake = f". {SNIPPETS}/overseen.sh; overseen_wake i1/task"
        subprocess.run(["sh", "-c", wake], env=environ, check=True)
        live.until(lambda n=number: (tasks / f"{n}.task.done").exists())  # type: ignore[misc]
        live.until_state("i1/task", "HIBERNATING")
    moves = [e["x"] for e in live.events() if e["e"] == "move"]
    assert moves.count("ready") == moves.count("slept") == 2
    assert "died" not in moves


def test_the_shared_list_in_mariadb_wakes_a_pool_within_its_second(
    live: Host, mariadb_server: Server
) -> None:
    """One client and one connection for the whole host; a row is enough, and so is its next number.
    When the server is gone the sleepers sleep, and wake again with it."""
    table = "CREATE TABLE looked_at.attention (instance VARCHAR(64), kind VARCHAR(64),"
    table += " seq BIGINT, claimable INT, PRIMARY KEY (instance, kind))"
    mariadb_server.do("DROP DATABASE IF EXISTS looked_at", "CREATE DATABASE looked_at", table)
    wrapper = live.specs.parent / "bin" / "mariadb"
    wrapper.parent.mkdir()
    reach = f"--no-defaults --socket={mariadb_server.socket} --user=root"
    wrapper.write_text(f'#!/bin/sh\nexec /usr/bin/mariadb {reach} "$@"\n')
    wrapper.chmod(0o755)
    command = ["env", f"PATH={wrapper.parent}:/usr/bin:/bin"]
    command += [str(KINDS / "watch-mariadb.sh"), "looked_at", "0.3"]
    live.write(
        kind={"task": live.taskmaster(at_start="asleep", queue="q")},
        instances=[{"names": ["i[1-50]"], "kinds": ["task"]}],
        attention={"q": {"command": command}},
    )
    live.start()
    for seq, name in ((1, "i7"), (2, "i7"), (1, "i9")):
        live.put(name)
        mariadb_server.do(
            f"REPLACE INTO looked_at.attention VALUES ('{name}', 'task', {seq}, NULL)"
        )
        live.until(lambda: not live.open_tasks())
        live.until_state(f"{name}/task", "HIBERNATING")
    starts = [e["p"] for e in live.events() if e.get("to") == "starting"]
    assert starts == ["i7/task", "i7/task", "i9/task"]
    clients = "SELECT id FROM information_schema.processlist WHERE db = 'looked_at'"
    ((client,),) = mariadb_server.do(clients)
    reachable = wrapper.read_text()
    wrapper.write_text("#!/bin/sh\nexit 1\n")  # as if the server were gone
    mariadb_server.do(f"KILL {client}")
    live.until(lambda: live.ask("status")["overseer"]["lookouts_failing"] == 1)
    assert live.ask("status")["counts"] == {"HIBERNATING": 50}
    live.put("i8")
    mariadb_server.do("REPLACE INTO looked_at.attention VALUES ('i8', 'task', 1, NULL)")
    wrapper.write_text(reachable)
    live.until(lambda: not live.open_tasks())
    mariadb_server.do("DROP DATABASE looked_at")


def test_the_shipped_specs_are_good(tmp_path: Path) -> None:
    """The example of kinds is read as it is, once it has instances."""
    shutil.copy(KINDS / "phorge.toml", tmp_path)
    kinds = '["taskmaster", "pull", "trigger"]'
    (tmp_path / "here.toml").write_text(f'[[instances]]\nnames = ["acme"]\nkinds = {kinds}\n')
    found = specs.read(str(tmp_path))
    assert {name: kind.max for name, kind in found.pools.items()} == {
        "acme/taskmaster": 4,
        "acme/pull": 1,
        "acme/trigger": 1,
    }
    assert TASKMASTER.exists()
