"""The journal is verified, backed up and salvaged by commands, also while a push writes to it."""

from __future__ import annotations

import json
import shutil
import sqlite3
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from fleetctl.base.errors import ExitCode
from fleetctl.cli.main import fleetctl
from tests.cli.program import PATIENCE_S, Program, end, wait_until
from tests.journal.keep import CUT, STOPPED
from tests.labfixture import StartLab

KEPT = Path(__file__).parents[1] / "journal/kept"
HOSTS = ("db001", "db002", "db003")
PLAYBOOK = """\
title: Saturday push
phases:
  - name: db
    hosts: tier=db
    steps:
      - run: echo one >> steps; while [ -e hold ]; do sleep 0.1; done; echo two >> steps
        name: upgrade
"""


@pytest.fixture
def path(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A journal of three runs the commands find by their environment."""
    monkeypatch.setenv("FLEETCTL_JOURNAL", str(tmp_path / "journal.db"))
    return Path(shutil.copy(KEPT / "format2.db", tmp_path / "journal.db"))


def _call(*words: str) -> Result:
    return CliRunner().invoke(fleetctl, ["runs", *words])


def _spoil(path: Path) -> None:
    with sqlite3.connect(path) as database:
        database.execute("UPDATE records SET body = x'80' WHERE run = 2 AND seq = 5")
    database.close()


def test_a_whole_journal_verifies(path: Path) -> None:
    """Exit 0, a row a run, and a seal that is found again."""
    result = _call("verify", "--output", "json")
    rows = json.loads(result.stdout)
    assert [row["chain"] for row in rows] == ["whole"] * 3
    assert result.exit_code == 0
    assert _call("verify", CUT, "--seal", rows[2]["seal"]).exit_code == 0
    assert _call("verify", CUT, "--seal", "00ff").exit_code == ExitCode.REFUSED


def test_damage_is_told_with_exit_8(path: Path) -> None:
    """Run, record and place are named; another run alone verifies; resuming is refused."""
    _spoil(path)
    result = _call("verify")
    assert result.exit_code == ExitCode.REFUSED
    assert f"run {STOPPED}, record 5: its checksum is wrong (table records, key 2/5" in (
        result.stderr
    )
    assert _call("verify", CUT).exit_code == 0
    assert _call("verify", STOPPED).exit_code == ExitCode.REFUSED
    refused = _call("resume", STOPPED, "--yes")
    assert refused.exit_code == ExitCode.REFUSED
    assert "--salvage" in refused.stderr


def test_salvage_gives_a_journal_to_go_on_with(path: Path, tmp_path: Path) -> None:
    """What is whole is in the new file, which verifies; the damaged one is as it was."""
    _spoil(path)
    before = path.read_bytes()
    result = _call("verify", "--salvage", str(tmp_path / "kept.db"))
    assert "kept 3 runs and 51 of the 60 records" in result.stderr
    assert path.read_bytes() == before
    kept = CliRunner().invoke(
        fleetctl, ["runs", "verify", "--journal", str(tmp_path / "kept.db"), "-o", "json"]
    )
    assert kept.exit_code == 0
    assert json.loads(kept.stdout)[1]["note"].startswith("4 of 13 records")


def test_a_journal_that_is_not_there_is_not_made(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A typo in --journal is told; verifying an empty new file would say all is well."""
    monkeypatch.setenv("FLEETCTL_JOURNAL", str(tmp_path / "none.db"))
    for words in (("verify",), ("backup", str(tmp_path / "b.db"))):
        result = _call(*words)
        assert result.exit_code == ExitCode.USAGE
        assert "there is no journal" in result.stderr
    assert list(tmp_path.iterdir()) == []


@pytest.mark.slow
def test_backup_and_verify_while_a_push_writes(tmp_path: Path, lab_fleet: StartLab) -> None:
    """Both work on a live journal; a second controller of the run is refused by name."""
    program = Program(tmp_path, lab_fleet({"db": HOSTS}))
    program.write("push.yaml", PLAYBOOK)
    holds = [program.lab.home(host) / "hold" for host in HOSTS]
    for hold in holds:
        hold.touch()
    process = program.start("push", "push.yaml", "--yes")
    try:
        for host, hold in zip(HOSTS, holds, strict=True):
            wait_until(lambda host=host: bool(program.lines(host, "steps")), host)  # type: ignore[misc]
            done = program.here("runs", "backup", f"{host}.backup")
            assert done.returncode == 0, done.stderr
            assert "1 runs" in done.stderr
            assert program.here("runs", "verify").returncode == 0
            second = program.here("runs", "resume", "last", "--yes")
            assert second.returncode == ExitCode.LOCK_HELD
            assert f" {process.pid}" in second.stderr
            hold.unlink()
        process.communicate(timeout=PATIENCE_S)
    finally:
        end(process)
    assert process.returncode == 0
    for host in HOSTS:
        copy = program.here("runs", "verify", "--journal", f"{host}.backup", "-o", "json")
        assert copy.returncode == 0
        assert json.loads(copy.stdout)[0]["chain"] == "whole"
        assert program.lines(host, "steps") == ["one", "two"]
