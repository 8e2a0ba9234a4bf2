"""What schema upgrades cost by instances and by pending work: a shard of a real MariaDB server.

    python -m bench.schema [--instances 400,4000] [--pending 0,1,100] [--concurrency 4]

One lab host is the shard. For each number of instances and each share of them that is behind by
one migration: the question which are pending, on the host (`list`); `fleetctl schema status`; and a
push whose one step upgrades them.
"""

from __future__ import annotations

import argparse
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from bench.mariadb import Server, make_shards, missing_programs, running
from fleetctl.adapters.pack import pack_schema
from fleetctl.adapters.schema.mariadb import TABLE_SQL

_MIGRATIONS = {
    1: "CREATE TABLE things (id INT PRIMARY KEY, name VARCHAR(20)) ENGINE=InnoDB;\n",
    2: "ALTER TABLE things ADD COLUMN colour VARCHAR(20);\nUPDATE things SET colour = 'red';\n",
}
_INVENTORY = (
    "fleet: bench\nplaybook: book.yaml\ntiers:\n  db: { hosts: db001, tags: { shard: '01' } }\n"
)
_BOOK = """title: Upgrade the shard
phases:
  - name: db
    hosts: tier=db
    steps:
      - schema-upgrade:
          engine: mariadb
          migrations: {folder}/migrations
          to: 2
          instances: {{ query: "SELECT name, state FROM hosting.instances WHERE shard = '01'" }}
          databases: app_{{name}}
          server: {{ socket: {socket}, user: root }}
          python: {python}
          concurrency: {concurrency}
        timeout: 5m
"""
_CALL = "from fleetctl.cli.main import main; main()"


class Shard:
    """A lab of one host, and the instances of its shard on the server."""

    def __init__(self, folder: Path, server: Server, instances: int, concurrency: int) -> None:
        self.folder = folder
        self.server = server
        self.instances = make_shards(server, ["01"], instances)
        self.environ = {
            **os.environ,
            "FLEETCTL_INVENTORY": str(folder / "lab" / "inventory.yaml"),
            "FLEETCTL_JOURNAL": str(folder / "journal.db"),
        }
        (folder / "migrations").mkdir(parents=True)
        for number, text in _MIGRATIONS.items():
            (folder / "migrations" / f"{number:03d}.sql").write_text(text)
        (folder / "inventory.yaml").write_text(_INVENTORY)
        book = _BOOK.format(folder=folder, socket=server.socket, python=sys.executable,
                            concurrency=concurrency)  # fmt: skip
        (folder / "book.yaml").write_text(book)

    def set_pending(self, share: float) -> int:
        """That share of the instances, in per cent, is at 1, the others at 2."""
        behind = round(len(self.instances) * share / 100)
        account = TABLE_SQL % "`app_{0}`.fleetctl_schema"
        things = "CREATE OR REPLACE TABLE `app_{0}`.things (id INT PRIMARY KEY{1}) ENGINE=InnoDB"
        row = "({0}, '', '', NOW(), NOW(), 0, '', '')"
        statements = []
        for at, name in enumerate(self.instances):
            done = 1 if at < behind else 2
            rows = ", ".join(row.format(number) for number in range(1, done + 1))
            statements += [
                f"DROP TABLE IF EXISTS `app_{name}`.fleetctl_schema",
                account.format(name),
                things.format(name, ", colour VARCHAR(20)" if done == 2 else ""),
                f"INSERT INTO `app_{name}`.fleetctl_schema VALUES {rows}",
            ]
        self.server.do(*statements)
        return behind

    def call(self, *words: str, codes: Sequence[int] = (0,)) -> float:
        """Seconds a command of fleetctl took."""
        began = time.monotonic()
        done = subprocess.run(
            [sys.executable, "-c", _CALL, *words], cwd=self.folder, env=self.environ,
            capture_output=True, text=True, check=False,
        )  # fmt: skip
        took = time.monotonic() - began
        assert done.returncode in codes, f"{words}: {done.returncode}\n{done.stderr}"
        return took

    def list_s(self, rounds: int = 3) -> float:
        """Seconds the question takes on the host, Python's start included; the median."""
        program = self.folder / "program"
        if not program.exists():
            shutil.unpack_archive(pack_schema(("pymysql", "sqlparse")).path, program)
        words = [
            sys.executable, "-E", "-s", str(program), "kind=mariadb", "upto=2",
            f"migrations={self.folder}/migrations", f"socket={self.server.socket}", "user=root",
            "database=app_{name}", "query=SELECT name, state FROM hosting.instances", "pending",
        ]  # fmt: skip
        times = []
        for _ in range(rounds + 1):
            began = time.monotonic()
            subprocess.run(words, stdout=subprocess.DEVNULL, check=True)
            times.append(time.monotonic() - began)
        return statistics.median(times[1:])


@contextmanager
def shard_of(instances: int, concurrency: int) -> Iterator[Shard]:
    """A server, a lab and that many instances, gone afterwards."""
    folder = Path(tempfile.mkdtemp(prefix="fleetctl-schema-"))
    try:
        with running(folder / "db") as server:
            shard = Shard(folder, server, instances, concurrency)
            shard.call("lab", "up", "--inventory", "inventory.yaml", "--dir", "lab",
                       "--playbook", "book.yaml")  # fmt: skip
            try:
                yield shard
            finally:
                shard.call("lab", "down", "--wipe", "--dir", "lab")
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def measure(instances: int, shares: Sequence[float], concurrency: int, push: bool) -> None:
    """One row a share."""
    with shard_of(instances, concurrency) as shard:
        for share in shares:
            behind = shard.set_pending(share)
            listed = shard.list_s()
            status = shard.call("schema", "status", codes=(0, 1))
            pushed = shard.call("push", "--yes") if push else float("nan")
            each = (pushed / behind) if behind else float("nan")
            print(f"| {instances} | {share:g} % ({behind}) | {listed:.2f} | {status:.2f} | "
                  f"{pushed:.2f} | {each:.3f} |", flush=True)  # fmt: skip


def _numbers(text: str) -> list[float]:
    return [float(one) for one in text.split(",")]


def main() -> None:
    """Print a table of Markdown."""
    parser = argparse.ArgumentParser(description="What schema upgrades cost.")
    parser.add_argument("--instances", type=_numbers, default=[400, 4000])
    parser.add_argument("--pending", type=_numbers, default=[0, 1, 100], help="per cent")
    parser.add_argument("--concurrency", type=int, default=4)
    parser.add_argument("--no-push", action="store_true", help="only the questions")
    given = parser.parse_args()
    assert not missing_programs(), f"missing: {missing_programs()}"
    print("| instances | pending | list s | status s | push s | s an upgrade |")
    print("|---|---|---|---|---|---|", flush=True)
    for instances in given.instances:
        measure(int(instances), given.pending, given.concurrency, not given.no_push)


if __name__ == "__main__":
    main()
