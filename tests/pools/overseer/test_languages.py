"""Daemons in PHP and sh with the snippets that are shipped, and the shared list in MariaDB."""

from __future__ import annotations

import contextlib
import getpass
import shutil
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

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


@contextlib.contextmanager
def _mariadb(folder: Path) -> Iterator[list[str]]:
    """A server on a socket of its own; the client's words to reach it."""
    data, sock = folder / "data", folder / "sock"
    user = getpass.getuser()
    words = ["--no-defaults", f"--datadir={data}", f"--user={user}"]
    install = ["mariadb-install-db", *words, "--auth-root-authentication-method=normal"]
    subprocess.run(install, check=True, capture_output=True)
    server = subprocess.Popen(
        ["mariadbd", *words, f"--socket={sock}", "--skip-networking", f"--pid-file={folder}/pid"],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    client = ["mariadb", "--no-defaults", f"--socket={sock}", "--user=root"]
    try:
        end = time.monotonic() + 30
        while subprocess.run(
            [*client, "-e", "SELECT 1"], capture_output=True, check=False
        ).returncode:
            assert time.monotonic() < end
            time.sleep(0.1)
        yield client
    finally:
        server.terminate()
        server.wait(30)


@pytest.mark.skipif(
    shutil.which("mariadbd") is None or shutil.which("mariadb-install-db") is None,
    reason="MariaDB's server is not installed",
)
def test_the_shared_list_in_mariadb_wakes_a_pool_within_its_second(
    live: Host, tmp_path_factory: pytest.TempPathFactory
) -> None:
    """One client and one connection for the whole host; a row is enough, and so is its next number.
    When the server is gone the sleepers sleep, and wake again with it."""
    folder = tmp_path_factory.mktemp("m")
    with _mariadb(folder) as client:
        table = "CREATE TABLE x.attention (instance VARCHAR(64), kind VARCHAR(64),"
        table += " seq BIGINT, claimable INT, PRIMARY KEY (instance, kind))"
        subprocess.run([*client, "-e", f"CREATE DATABASE x; {table}"], check=True)
        wrapper = folder / "bin" / "mariadb"
        wrapper.parent.mkdir()
        wrapper.write_text(f'#!/bin/sh\nexec /usr/bin/{" ".join(client)} "$@"\n')
        wrapper.chmod(0o755)
        command = ["env", f"PATH={wrapper.parent}:/usr/bin:/bin"]
        command += [str(KINDS / "watch-mariadb.sh"), "x", "0.3"]
        live.write(
            kind={"task": live.taskmaster(at_start="asleep", queue="q")},
            instances=[{"names": ["i[1-50]"], "kinds": ["task"]}],
            attention={"q": {"command": command}},
        )
        live.start()
        for seq, name in ((1, "i7"), (2, "i7"), (1, "i9")):
            live.put(name)
            row = f"REPLACE INTO x.attention VALUES ('{name}', 'task', {seq}, NULL)"
            subprocess.run([*client, "-e", row], check=True)
            live.until(lambda: not live.open_tasks())
            live.until_state(f"{name}/task", "HIBERNATING")
        starts = [e["p"] for e in live.events() if e.get("to") == "starting"]
        assert starts == ["i7/task", "i7/task", "i9/task"]
    live.until(lambda: live.ask("status")["overseer"]["lookouts_failing"] == 1)
    assert live.ask("status")["counts"] == {"HIBERNATING": 50}


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
