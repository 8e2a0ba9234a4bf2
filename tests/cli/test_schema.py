"""Schemas of instances on real hosts of a lab: SQLite files, and a real MariaDB server."""

from __future__ import annotations

import json
import re
import sqlite3
import sys
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from bench.mariadb import Server, make_shards
from tests.cli.program import Program
from tests.labfixture import StartLab

pytestmark = pytest.mark.slow

BOOK = """
title: Schemas
variables: { python: PYTHON }
phases:
  - name: db
    hosts: tier=db
    budget: { items: ITEMS }
    steps:
      - schema-upgrade:
          engine: sqlite
          migrations: shard/migrations
          instances: { file: shard/instances }
          databases: shard/{name}.db
          python: "{{var.python}}"
          backup: cp "$FLEETCTL_DATABASE" "shard/{{item}}.bak"
          concurrency: 2
"""
MIGRATIONS = {
    "001_create.sql": "CREATE TABLE t (a INT);\n",
    "002_add.sql": "ALTER TABLE t ADD COLUMN b INT;\n",
}


def shard_on(program: Program, host: str, *names: str) -> Path:
    """A shard of SQLite in the host's home, its instances new and empty."""
    folder = program.lab.home(host) / "shard"
    (folder / "migrations").mkdir(parents=True)
    for name, text in MIGRATIONS.items():
        (folder / "migrations" / name).write_text(text)
    for name in names:
        (folder / f"{name}.db").touch()
    (folder / "instances").write_text("".join(f"{name}\n" for name in names))
    return folder


@pytest.fixture
def program(tmp_path: Path, lab_fleet: StartLab) -> Program:
    """Two db hosts and a playbook that upgrades their schemas; one lost instance goes on."""
    program = Program(tmp_path, lab_fleet({"db": ["db001", "db002"]}))
    program.write("book.yaml", BOOK.replace("PYTHON", sys.executable).replace("ITEMS", "1"))
    return program


def version(database: Path) -> int:
    """The highest migration on the account in a file of SQLite."""
    with closing(sqlite3.connect(database)) as opened:
        sql = "SELECT max(number) FROM fleetctl_schema WHERE ended IS NOT NULL"
        return int(opened.execute(sql).fetchone()[0])


def status(program: Program, code: int) -> dict[str, dict[str, Any]]:
    """What `schema status` tells, by host."""
    done = program.here("schema", "status", "--playbook", "book.yaml", "-o", "json")
    assert done.returncode == code, done.stderr
    return {row["host"]: row for row in json.loads(done.stdout)}


def test_status_tells_what_each_shard_tells_and_no_more(program: Program) -> None:
    """Counts of those that answered; a host that is down is null, not zero; nothing is left."""
    shard_on(program, "db001", *(f"i{number}" for number in range(30)))
    program.lab.fault("db002", "refuse")
    rows = status(program, 1)
    assert (rows["db001"]["instances"], rows["db001"]["pending"]) == (30, 30)
    assert rows["db001"]["detail"] == "i0, i1, i2, 27 more"
    assert rows["db001"]["oldest"] == 0
    assert rows["db002"]["state"] == "unreachable"
    assert rows["db002"]["pending"] is None
    assert not (program.lab.home("db001") / ".fleetctl" / "programs").exists()


def test_status_goes_by_the_pinned_release_where_the_step_does(program: Program) -> None:
    """What is pending is told as the next push will find it, not as the newest file has it."""
    text = (program.folder / "book.yaml").read_text()
    program.write(
        "book.yaml", text.replace("engine: sqlite\n", "engine: sqlite\n          to: release\n")
    )
    program.write("app/file", "1")
    for host in ("db001", "db002"):
        shard_on(program, host, "a")
    assert program.here("releases", "add", "app", "--id", "r1", "--schema", "1").returncode == 0
    program.write("app/file", "3")
    assert program.here("releases", "add", "app", "--id", "r3", "--schema", "3").returncode == 0
    for pinned, number in (("", 2), ("r1", 1), ("r3", 3)):  # nobody has 003 before r3 is pushed
        if pinned:
            assert program.here("releases", "pin", "db", pinned).returncode == 0
        row = status(program, 1)["db001"]
        assert (row["to"], row["pending"]) == (number, 1)


def test_a_shard_that_cannot_tell_is_unknown(program: Program) -> None:
    """No list of instances is not the same as no instances."""
    shard_on(program, "db001")
    rows = status(program, 3)
    assert rows["db001"]["state"] == "current"
    assert (rows["db002"]["state"], rows["db002"]["pending"]) == ("unknown", None)
    assert "cannot read the migrations" in rows["db002"]["detail"]


def test_shards_of_one_server_are_told_apart(
    tmp_path: Path, lab_fleet: StartLab, mariadb_server: Server
) -> None:
    """Each host asks the server for the instances of its own shard."""
    lab = lab_fleet({"db": ["db001", "db002"]})
    program = Program(tmp_path, lab)
    names = make_shards(mariadb_server, ["db001", "db002"], 5)
    for host in ("db001", "db002"):
        shard_on(program, host)
    query = "SELECT name, state FROM hosting.instances WHERE shard = '{{host.name}}'"
    program.write("book.yaml", f"""
title: Schemas
phases:
  - name: db
    hosts: tier=db
    steps:
      - schema-upgrade:
          engine: mariadb
          migrations: shard/migrations
          instances: {{ query: "{query}" }}
          databases: app_{{name}}
          server: {{ socket: {mariadb_server.socket}, user: root }}
          python: {sys.executable}
""")  # fmt: skip
    mariadb_server.do(f"UPDATE hosting.instances SET state = 'suspended' WHERE name = '{names[0]}'")
    rows = status(program, 1)
    assert [rows[host]["pending"] for host in ("db001", "db002")] == [2, 2]
    assert [rows[host]["asleep"] for host in ("db001", "db002")] == [1, 0]
    code, told = push(program)
    assert code == 0, told
    assert [row["current"] for row in status(program, 0).values()] == [2, 2]
    columns = (
        "SELECT 1 FROM information_schema.columns WHERE table_name = 't' AND column_name = 'b'"
        " AND table_schema LIKE 'app\\_sdb00%'"
    )
    assert len(mariadb_server.do(columns)) == 4


def push(program: Program, *words: str) -> tuple[int, str]:
    """A push of the playbook: its exit code and what it told."""
    done = program.here("push", "book.yaml", "--yes", *words)
    return done.returncode, done.stdout + done.stderr


def test_a_push_upgrades_what_is_pending_and_nothing_else(program: Program) -> None:
    """Each pending instance once, with its backup before; a second push finds nothing to do."""
    for host in ("db001", "db002"):
        shard_on(program, host, f"{host}a", f"{host}b")
    code, told = push(program)
    assert code == 0, told
    shard = program.lab.home("db001") / "shard"
    assert [version(shard / f"db001{name}.db") for name in "ab"] == [2, 2]
    assert (shard / "db001a.bak").exists()
    (shard / "db001a.bak").unlink()
    (shard / "new.db").touch()
    with (shard / "instances").open("a") as listed:
        listed.write("new\n")
    code, told = push(program)
    assert code == 0, told
    assert version(shard / "new.db") == 2
    assert (shard / "new.bak").exists()
    assert not (shard / "db001a.bak").exists()


def test_a_broken_instance_is_told_marked_and_upgraded(program: Program) -> None:
    """One may be lost and the run goes on; what broke is told, and upgraded by a resume after a
    person mended and marked it."""
    shard = shard_on(program, "db001", "a", "bad", "c")
    shard_on(program, "db002", "d")
    rows_sql = "CREATE TABLE t (a INT); CREATE TABLE in_the_way (x INT);"
    (shard / "migrations" / "003_way.sql").write_text("CREATE TABLE in_the_way (x INT);\n")
    (program.lab.home("db002") / "shard" / "migrations" / "003_way.sql").write_text(
        "CREATE TABLE in_the_way (x INT);\n"
    )
    with closing(sqlite3.connect(shard / "bad.db")) as database:
        database.executescript(rows_sql)
    assert program.here(
        "schema", "mark", "bad", "1", "--playbook", "book.yaml", "--yes"
    ).returncode == 0  # fmt: skip
    code, told = push(program)
    assert code == 1, told
    assert "in_the_way already exists" in told
    rows = status(program, 1)
    assert (rows["db001"]["current"], rows["db001"]["failed"]) == (2, 1)
    assert "003_way.sql failed before, at statement 1" in rows["db001"]["detail"]
    with closing(sqlite3.connect(shard / "bad.db")) as database:
        database.execute("DROP TABLE in_the_way")
    mark = program.here("schema", "mark", "bad", "2", "--playbook", "book.yaml", "--yes")
    assert mark.returncode == 0, mark.stderr
    run = re.search(r"^run (\S+) took", told, re.MULTILINE)
    assert run is not None
    resumed = program.here("runs", "resume", run[1], "--failed", "--yes")
    assert resumed.returncode == 0, resumed.stderr
    assert version(shard / "bad.db") == 3


def test_one_instance_is_upgraded_when_it_comes_back(program: Program) -> None:
    """Asleep it is left alone; awake it is found on its host and upgraded as a push would."""
    shard = shard_on(program, "db001", "a", "sleepy")
    shard_on(program, "db002", "b")
    (shard / "instances").write_text(f"a\nsleepy {shard}/sleepy.db suspended\n")
    assert push(program)[0] == 0
    assert (shard / "sleepy.db").stat().st_size == 0
    (shard / "instances").write_text("a\nsleepy\n")
    words = ("schema", "upgrade", "--playbook", "book.yaml", "--yes")
    done = program.here(*words, "sleepy")
    assert done.returncode == 0, done.stderr
    assert version(shard / "sleepy.db") == 2
    assert (shard / "sleepy.bak").exists()
    nobody = program.here(*words, "nobody")
    assert nobody.returncode == 2
    assert "no host lists an instance nobody" in nobody.stderr
