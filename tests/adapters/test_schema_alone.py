"""Two upgraders of one database, and one that is killed: on a real MariaDB server."""

from __future__ import annotations

import sqlite3
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from bench.mariadb import Server
from fleetctl.adapters.pack import pack_schema
from tests.adapters.shards import MariaDbShard, Said, SqliteShard, write_migrations

_HELD = "CREATE TABLE held (x TEXT);\nINSERT INTO held SELECT name FROM %s.instances;\n"
_PATIENCE_S = 60.0


@contextmanager
def upgrading(
    shard: MariaDbShard, pack: Path, name: str
) -> Iterator[tuple[subprocess.Popen[bytes], Callable[[], None]]]:
    """An upgrade in a process of its own, in the middle of a statement, and what lets it go on."""
    gate = shard.server.connect()
    with gate.cursor() as cursor:
        cursor.execute("START TRANSACTION")
        cursor.execute(f"SELECT * FROM {shard.own}.instances FOR UPDATE")
    process = subprocess.Popen(
        [sys.executable, pack, *shard.words, "upgrade", name],
        stdout=subprocess.DEVNULL, stderr=subprocess.PIPE,
    )  # fmt: skip
    deadline_s = time.monotonic() + _PATIENCE_S
    asked = "SELECT 1 FROM information_schema.processlist WHERE info LIKE 'INSERT INTO held%'"
    while not shard.server.do(asked):
        assert process.poll() is None, process.communicate()
        assert time.monotonic() < deadline_s
        time.sleep(0.02)
    with process:
        yield process, gate.close


@pytest.fixture
def shard(tmp_path: Path, mariadb_server: Server) -> MariaDbShard:
    """An instance whose first migration lasts until it is let go on."""
    shard = MariaDbShard(tmp_path, mariadb_server)
    shard.migrations.mkdir()
    (shard.migrations / "001_held.sql").write_text(_HELD % shard.own)
    shard.add("one")
    return shard


@pytest.fixture
def pack(tmp_path: Path) -> Path:
    """The program with its libraries, as a host has it."""
    return Path(pack_schema(("pymysql", "sqlparse"), tmp_path / "pack").path)


@pytest.mark.slow
def test_two_upgraders_never_run_at_once(
    shard: MariaDbShard,
    pack: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The second is told that another is at it, and changes nothing."""
    monkeypatch.setattr("fleetctl.adapters.schema.mariadb.LOCK_PATIENCE_S", 0)
    said = Said(shard, capsys)
    with upgrading(shard, pack, "one") as (first, go_on):
        assert said("upgrade", "one") == 1
        assert "another upgrader is at" in said.err
        go_on()
        assert first.wait(_PATIENCE_S) == 0
    assert said("upgrade", "one") == 0
    assert said.out == "one is at 1\n"


@pytest.mark.slow
def test_a_killed_upgrade_holds_its_lock_until_the_server_is_done(
    shard: MariaDbShard,
    pack: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The server goes on with a dead program's statement; meanwhile nobody else may begin, and
    after it the next one says where it was cut off instead of running the file again."""
    monkeypatch.setattr("fleetctl.adapters.schema.mariadb.LOCK_PATIENCE_S", 0)
    said = Said(shard, capsys)
    with upgrading(shard, pack, "one") as (first, go_on):
        first.kill()
    assert said("upgrade", "one") == 1
    assert "another upgrader is at" in said.err
    go_on()
    deadline_s = time.monotonic() + _PATIENCE_S
    while "another upgrader" in said.err:
        assert time.monotonic() < deadline_s
        time.sleep(0.1)
        assert said("upgrade", "one") == 1
    assert "001_held.sql was begun before and cut off at statement 2" in said.err
    assert said.status()["failed"] == 1


@pytest.mark.slow
def test_a_table_in_use_is_not_stood_in_line_for(
    shard: MariaDbShard, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A change that waits for a table would hold up everybody behind it: it gives up soon, having
    done nothing, and the next try may begin anew."""
    monkeypatch.setattr("fleetctl.adapters.schema.mariadb.TABLE_PATIENCE_S", 1)
    (shard.migrations / "001_held.sql").write_text("CREATE TABLE t (a INT);\n")
    (shard.migrations / "002_add.sql").write_text("ALTER TABLE t ADD COLUMN b INT;\n")
    said = Said(shard, capsys)
    shard.words.append("upto=1")
    assert said("upgrade", "one") == 0, said.err
    shard.words.append("upto=2")
    user = shard.server.connect()
    with user.cursor() as cursor:
        database = shard.rows("one", "SELECT DATABASE()")[0][0]
        cursor.execute(f"USE `{database}`")
        cursor.execute("START TRANSACTION")
        cursor.execute("SELECT * FROM t")
        assert said("upgrade", "one") == 1
        assert "nothing was changed" in said.err
        assert said.status()["failed"] == 0
    user.close()
    assert said("upgrade", "one") == 0
    assert said.out.splitlines()[-1] == "one 1 -> 2"


def test_a_database_of_sqlite_that_is_written_to_is_left_alone(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The write lock of the file is the lock of the upgrade."""
    monkeypatch.setattr("fleetctl.adapters.schema.sqlite.LOCK_PATIENCE_S", 0)
    shard = SqliteShard(tmp_path)
    write_migrations(shard)
    said = Said(shard, capsys)
    shard.add("one")
    other = sqlite3.connect(tmp_path / "one.db", isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    assert said("upgrade", "one") == 1
    assert "another program is writing" in said.err
    other.close()
    assert said("upgrade", "one") == 0
