"""The schema program, on SQLite files and on a real MariaDB server."""

from __future__ import annotations

import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

from bench.mariadb import Server
from fleetctl.adapters.pack import pack_schema
from fleetctl.adapters.schema import mariadb, sqlite
from fleetctl.base.errors import UsageError
from tests.adapters.shards import MariaDbShard, Said, Shard, SqliteShard, write_migrations


@pytest.fixture(params=["sqlite", pytest.param("mariadb", marks=pytest.mark.slow)])
def shard(request: pytest.FixtureRequest, tmp_path: Path) -> Shard:
    """An empty shard of each kind."""
    if request.param == "sqlite":
        return SqliteShard(tmp_path)
    server: Server = request.getfixturevalue("mariadb_server")
    return MariaDbShard(tmp_path, server)


@pytest.fixture
def said(shard: Shard, capsys: pytest.CaptureFixture[str]) -> Said:
    """The program at work on the shard, with three migrations."""
    write_migrations(shard)
    return Said(shard, capsys)


def test_a_new_instance_is_upgraded_once(shard: Shard, said: Said) -> None:
    """What is pending is listed, applied in order, and applied to no instance twice."""
    shard.add("one")
    shard.add("two")
    assert said.pending() == ["one", "two"]
    assert said("upgrade", "one") == 0, said.err
    assert said.out.splitlines()[-1] == "one 0 -> 3"
    assert shard.rows("one", "SELECT name, colour FROM things ORDER BY id")[1][1] == "red"
    assert said.pending() == ["two"]
    assert said("upgrade", "one") == 0
    assert said.out == "one is at 3\n"
    assert said("check", "one") == 0
    assert said("check", "two") == 1


def test_instances_that_sleep_cost_nothing_until_they_come_back(shard: Shard, said: Said) -> None:
    """Suspended and destroyed instances are neither listed nor touched; a woken one is pending."""
    shard.add("asleep", "suspended")
    shard.add("gone", "destroyed")
    assert said.pending() == []
    assert said("upgrade", "asleep") == 0
    assert "comes back" in said.out
    assert shard.rows("asleep", _TABLES[shard.kind]) == []
    status = said.status()
    assert (status["instances"], status["asleep"]) == (0, 2)


_TABLES = {"sqlite": "SELECT name FROM sqlite_master", "mariadb": "SHOW TABLES"}


def test_a_failure_in_the_middle_is_kept_and_not_run_again(shard: Shard, said: Said) -> None:
    """It says file, statement and why; later tries say so and change nothing until a person did."""
    shard.add("one")
    assert said("locate", "one") == 0
    assert said.out.endswith("one\n") or said.out.endswith("one.db\n")
    bad = shard.migrations / "004_bad.sql"
    bad.write_text("ALTER TABLE things ADD COLUMN size INT;\nALTER TABLE nothing ADD x INT;\n")
    assert said("upgrade", "one") == 1
    assert "004_bad.sql failed at statement 2" in said.err
    assert "ALTER TABLE nothing ADD x INT" in said.err
    assert said.out.splitlines()[-1] == "one is at 3"
    assert said("locate", "one") == 0
    assert said.out == "", "the backup from before it broke would be overwritten"
    bad.write_text("CREATE TABLE would_be_run_blindly (x INT);\n")
    assert said("upgrade", "one") == 1
    assert "004_bad.sql failed before, at statement 2" in said.err
    assert said.pending() == ["one"]
    assert said.status()["failed"] == 1
    assert "statement 2" in said.status()["named"]["failed"][0]["why"]
    assert said("mark", "one", "3") == 0
    assert said("upgrade", "one") == 0, said.err
    assert said.out.splitlines()[-1] == "one 3 -> 4"


def test_sqlite_takes_a_failed_file_back_whole(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """A migration of SQLite happens whole or not at all; one that ends its transaction fails."""
    shard = SqliteShard(tmp_path)
    write_migrations(shard)
    said = Said(shard, capsys)
    shard.add("one")
    (shard.migrations / "004_bad.sql").write_text("CREATE TABLE half (x INT);\nSELECT nope;\n")
    assert said("upgrade", "one") == 1
    assert ("half",) not in shard.rows("one", _TABLES["sqlite"])
    shard.add("two")
    (shard.migrations / "004_bad.sql").write_text("CREATE TABLE half (x INT);\nCOMMIT;\n")
    assert said("upgrade", "two") == 1
    assert "ends the transaction" in said.err


def test_a_database_in_use_without_an_account_is_left_alone(shard: Shard, said: Said) -> None:
    """Nobody knows its version, so it is unknown, not pending at 0; a person says where it is."""
    shard.add("old")
    shard.rows("old", "CREATE TABLE things (id INTEGER PRIMARY KEY, name VARCHAR(20))")
    status = said.status()
    assert (status["unknown"], status["pending"], status["oldest"]) == (1, 0, None)
    assert said("upgrade", "old") == 1
    assert "no account of migrations" in said.err
    assert said("mark", "old", "1") == 0
    assert said.status()["oldest"] == 1
    assert said("upgrade", "old") == 0
    assert said.out.splitlines()[-1] == "old 1 -> 3"


def test_an_instance_without_a_database_is_unknown(shard: Shard, said: Said) -> None:
    """One that is listed and has no database is told, and no database is made for it."""
    shard.add("there")
    if isinstance(shard, SqliteShard):
        (shard.folder / "there.db").unlink()
    else:
        assert isinstance(shard, MariaDbShard)
        shard.rows("there", "SELECT 1")
        shard.server.do(f"DROP DATABASE {shard.words[-1].split('=')[1].replace('{name}', 'there')}")
    assert said.status()["unknown"] == 1
    assert said("upgrade", "there") == 1
    assert "there is no database" in said.err


def test_an_upgrade_by_hand_is_seen(shard: Shard, said: Said) -> None:
    """The account is in the database itself: what was upgraded, or restored, elsewhere is right."""
    shard.add("one")
    assert said("upgrade", "one") == 0
    assert said.pending() == []
    shard.rows("one", "DELETE FROM fleetctl_schema WHERE number = 3")
    shard.rows("one", _DROP_INDEX[shard.kind])
    assert said.pending() == ["one"]
    assert said.status()["oldest"] == 2


_DROP_INDEX = {"sqlite": "DROP INDEX by_name", "mariadb": "DROP INDEX by_name ON things"}


def test_upto_holds_back_what_comes_later(shard: Shard, said: Said) -> None:
    """Expand now, contract later: only migrations up to the number are asked for and applied."""
    shard.add("one")
    shard.words.append("upto=2")
    assert said("upgrade", "one") == 0
    assert said.out.splitlines()[-1] == "one 0 -> 2"
    assert said.pending() == []
    shard.words.append("upto=3")
    assert said.pending() == ["one"]
    shard.words.append("upto=9")
    assert said("pending") == 1
    assert "no migration 9; the newest is 3" in said.err


@pytest.mark.parametrize(
    ("name", "text", "why"),
    [
        ("create.sql", "", "has no number"),
        ("01_again.sql", "", "have the same number"),
        ("000_zero.sql", "", "numbers begin at 1"),
        ("004_x.sql", "DELIMITER //\nCREATE TABLE t (x INT)//\n", "DELIMITER"),
    ],
)
def test_a_folder_that_makes_no_sense_is_refused(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], name: str, text: str, why: str
) -> None:
    """Nothing is applied from a folder whose order is not certain."""
    shard = SqliteShard(tmp_path)
    write_migrations(shard)
    (shard.migrations / name).write_text(text)
    said = Said(shard, capsys)
    assert said("pending") == 1
    assert why in said.err


@pytest.mark.parametrize("split", [sqlite.split, mariadb.split])
def test_statements_are_told_apart_as_the_database_would(split: object) -> None:
    """Semicolons in texts, comments and bodies of triggers end no statement."""
    text = (
        "-- a; comment\nINSERT INTO t VALUES ('a; b', \"c;d\"); /* e; */\n;\n"
        "CREATE TRIGGER r AFTER INSERT ON t FOR EACH ROW BEGIN DELETE FROM u; DELETE FROM v; END;\n"
        "SELECT 1; -- the; end\n"
    )
    assert callable(split)
    found = split(text)
    assert len(found) == 3, found
    assert found[1].rstrip(";").endswith("END")


def test_the_pack_runs_by_itself_and_is_the_same_each_time(tmp_path: Path) -> None:
    """A host needs Python and nothing else; the same sources give the same bytes."""
    shard = SqliteShard(tmp_path)
    write_migrations(shard)
    shard.add("one")
    first = pack_schema((), tmp_path / "a")
    assert pack_schema((), tmp_path / "b").sha256 == first.sha256
    unpacked = tmp_path / "unpacked"
    zipfile.ZipFile(pack_schema(("pymysql", "sqlparse"), tmp_path / "a").path).extractall(unpacked)
    for program, last in ((first.path, "one 0 -> 3"), (str(unpacked), "one is at 3")):
        done = subprocess.run(
            [sys.executable, "-I", "-S", program, *shard.words, "upgrade", "one"],
            capture_output=True, text=True, check=False,
        )  # fmt: skip
        assert done.stdout.splitlines()[-1:] == [last], done.stderr
    whole = [sys.executable, "-I", "-S", "-c", "import sys; sys.path[0:0] = [sys.argv[1]]; "
             "import pymysql, sqlparse, fleetctl_schema.mariadb", str(unpacked)]  # fmt: skip
    assert subprocess.run(whole, check=False).returncode == 0


def test_a_library_that_is_not_here_is_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Where MariaDB is certain before the push, else on the host that turns out to need it."""
    with pytest.raises(UsageError, match="need the Python library no_such_library"):
        pack_schema(("no_such_library",), tmp_path / "a")
    assert pack_schema(("no_such_library",), tmp_path / "a", must=False).size
    monkeypatch.setitem(sys.modules, "pymysql", None)
    shard = SqliteShard(tmp_path)
    write_migrations(shard)
    shard.words[0] = "kind=mariadb"
    assert Said(shard, capsys)("pending") == 1
