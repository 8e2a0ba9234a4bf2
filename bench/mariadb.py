"""A MariaDB server of our own, with databases of instances that stand in for a fleet's shards.

    python -m bench.mariadb --dir DIR --shards 16 --instances 400

makes the server's files in DIR, starts it on a socket there (and with --port on 127.0.0.1), makes
the instances, says how to reach it and stays until it is interrupted. One server plays all shards:
instance `s01i0003` is of shard 01. `hosting.instances` lists them, with shard, database and state.
"""

from __future__ import annotations

import argparse
import contextlib
import getpass
import os
import shutil
import signal
import socket
import subprocess
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import pymysql

PROGRAMS = ("mariadbd", "mariadb-install-db", "my_print_defaults")
_START_TIMEOUT_S = 60.0
_STOP_TIMEOUT_S = 60.0
_SMALL = (
    "--performance-schema=OFF",
    "--innodb-buffer-pool-size=64M",
    "--innodb-log-file-size=16M",
    # The data is thrown away: what a crash would lose is nobody's.
    "--innodb-flush-log-at-trx-commit=0",
    "--innodb-doublewrite=OFF",
    "--skip-log-bin",
    "--max-connections=500",
)


def missing_programs() -> str:
    """The programs a server needs that this machine lacks; empty: it has all."""
    return " ".join(name for name in PROGRAMS if _program(name) is None)


def _program(name: str) -> str | None:
    return shutil.which(name) or shutil.which(name, path="/usr/sbin:/usr/local/sbin")


class Server:
    """One mariadbd with its files in one folder; no password, reached through its socket."""

    def __init__(self, folder: Path, port: int | None = None) -> None:
        self.folder = folder.absolute()
        self.port = port
        self.socket = str(self.folder / "s")
        # A server that starts clears away the temporary tables of others in the same folder.
        self._temporary = self.folder / "tmp"
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        """Make its files if there are none, start it, and wait until it answers."""
        self._temporary.mkdir(parents=True, exist_ok=True)
        data = self.folder / "data"
        if not data.exists():
            self._install(data)
        program = _program("mariadbd")
        assert program is not None, f"missing: {missing_programs()}"
        reach = (
            ["--skip-networking"]
            if self.port is None
            else ["--bind-address=127.0.0.1", f"--port={self.port}"]
        )
        with (self.folder / "log").open("ab") as log:
            self._process = subprocess.Popen(
                [program, "--no-defaults", f"--datadir={data}", f"--socket={self.socket}",
                 f"--pid-file={self.folder / 'pid'}", f"--user={getpass.getuser()}",
                 f"--tmpdir={self._temporary}", *_SMALL, *reach],
                stdin=subprocess.DEVNULL, stdout=log, stderr=log,
            )  # fmt: skip
        self._await_answer()

    def _install(self, data: Path) -> None:
        done = subprocess.run(
            ["mariadb-install-db", "--no-defaults", f"--datadir={data}", "--skip-test-db",
             "--auth-root-authentication-method=normal", "--skip-name-resolve",
             f"--user={getpass.getuser()}", *_SMALL[:5]],
            capture_output=True, check=False, timeout=_START_TIMEOUT_S,
            env={**os.environ, "TMPDIR": str(self._temporary)},
        )  # fmt: skip
        assert done.returncode == 0, done.stdout.decode() + done.stderr.decode()

    def _await_answer(self) -> None:
        deadline_s = time.monotonic() + _START_TIMEOUT_S
        while True:
            assert self._process is not None
            try:
                # Not the driver: it leaves a socket open where nobody answers.
                with socket.socket(socket.AF_UNIX) as probe:
                    probe.connect(self.socket)
            except OSError:
                ended = self._process.poll()
                log = self.folder / "log"
                assert ended is None, f"mariadbd ended with {ended}: {log.read_text()[-2000:]}"
                assert time.monotonic() < deadline_s, f"mariadbd does not answer, see {log}"
                time.sleep(0.05)
            else:
                return

    def stop(self) -> None:
        """End it; what it keeps stays in its folder."""
        if self._process is None:
            return
        self._process.terminate()
        try:
            self._process.wait(_STOP_TIMEOUT_S)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        self._process = None

    def connect(self) -> Any:
        """A connection of the server's administrator."""
        return pymysql.connect(unix_socket=self.socket, user="root", autocommit=True)

    def do(self, *statements: str) -> list[Sequence[Any]]:
        """Run statements; the rows of the last."""
        connection = self.connect()
        try:
            with connection.cursor() as cursor:
                for statement in statements:
                    cursor.execute(statement)
                return list(cursor.fetchall())
        finally:
            connection.close()


@contextlib.contextmanager
def running(folder: Path, port: int | None = None) -> Iterator[Server]:
    """A server for as long as the block lasts."""
    server = Server(folder, port)
    try:
        server.start()
        yield server
    finally:
        server.stop()


def make_shards(server: Server, shards: Sequence[str], instances: int) -> list[str]:
    """`instances` new empty databases spread evenly over `shards`; returns the instances' names."""
    statements = [
        "CREATE DATABASE IF NOT EXISTS hosting",
        "CREATE TABLE IF NOT EXISTS hosting.instances (name VARCHAR(64) PRIMARY KEY, "
        "shard VARCHAR(32) NOT NULL, `database` VARCHAR(64) NOT NULL, "
        "state VARCHAR(16) NOT NULL DEFAULT 'active', KEY (shard)) ENGINE=InnoDB",
    ]
    names = []
    for number in range(instances):
        shard = shards[number % len(shards)]
        name = f"s{shard}i{number // len(shards):04d}"
        statements.append(f"CREATE DATABASE `app_{name}`")
        statements.append(
            f"INSERT INTO hosting.instances VALUES ('{name}', '{shard}', 'app_{name}', 'active')"
        )
        names.append(name)
    server.do(*statements)
    return names


def main() -> None:
    """Start a server with instances and stay."""
    parser = argparse.ArgumentParser(description="A MariaDB server with databases of instances.")
    parser.add_argument("--dir", type=Path, required=True, help="its folder; kept")
    parser.add_argument("--port", type=int, help="also listen on 127.0.0.1")
    parser.add_argument("--shards", type=int, default=16)
    parser.add_argument("--instances", type=int, default=400, help="over all shards")
    given = parser.parse_args()
    shards = [f"{number:02d}" for number in range(1, given.shards + 1)]
    fresh = not (given.dir / "data").exists()
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    with contextlib.suppress(KeyboardInterrupt), running(given.dir, given.port) as server:
        if fresh:
            make_shards(server, shards, given.instances)
        port = f", 127.0.0.1:{given.port}" if given.port else ""
        print(f"ready: socket {server.socket}{port}, user root, no password", flush=True)
        signal.pause()


if __name__ == "__main__":
    main()
