"""The lookout on PostgreSQL: its words to a stand-in, and a real server where there is one."""

from __future__ import annotations

import contextlib
import getpass
import os
import pwd
import shutil
import subprocess
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

KINDS = Path(__file__).parents[3] / "fleetctl" / "pools" / "kinds"
LOOKOUT = KINDS / "watch-postgresql.sh"
TABLE = (
    "CREATE TABLE attention (instance text, kind text, seq bigint NOT NULL, claimable int,"
    " PRIMARY KEY (instance, kind))"
)
PUT = (
    "INSERT INTO attention VALUES ('acme', 'task', 1, {}) ON CONFLICT (instance, kind)"
    " DO UPDATE SET seq = attention.seq + 1, claimable = EXCLUDED.claimable"
)


def test_it_asks_again_and_again_over_one_connection(tmp_path: Path) -> None:
    """One psql, which reads queries; a login that would ask for a password fails instead."""
    psql = tmp_path / "psql"
    psql.write_text('#!/bin/sh\necho "began $*"\nhead -n 4\n')
    psql.chmod(0o755)
    env = {"PATH": f"{tmp_path}:/usr/bin:/bin"}
    command = ["timeout", "60", str(LOOKOUT), "queue", "0.05"]
    told = subprocess.run(command, env=env, capture_output=True, text=True, check=False).stdout
    began, *asked = told.splitlines()
    assert "--no-password" in began.split()
    assert began.endswith("--dbname=queue")
    assert [line.split()[0] for line in asked] == ["SELECT"] * 4
    assert asked[:2] == asked[2:]


def _program(name: str) -> str | None:
    """A program of the server; Debian keeps them out of the way."""
    found = sorted(Path("/usr/lib/postgresql").glob(f"*/bin/{name}"))
    return str(found[-1]) if found else shutil.which(name)


def _account() -> str | None:
    """Whom the server runs as: it refuses root."""
    if os.geteuid():
        return getpass.getuser()
    with contextlib.suppress(KeyError):
        return pwd.getpwnam("postgres").pw_name
    return None


@contextlib.contextmanager
def _server() -> Iterator[dict[str, str]]:
    """A server on a socket of its own; what a client needs in its environment."""
    initdb, postgres, account = _program("initdb"), _program("postgres"), _account()
    if initdb is None or postgres is None or account is None or shutil.which("psql") is None:
        pytest.skip("PostgreSQL's server is not installed (Debian: postgresql)")
    with tempfile.TemporaryDirectory(prefix="pg") as folder:
        if not os.geteuid():
            shutil.chown(folder, account)
        user = {"user": account, "cwd": folder} if not os.geteuid() else {"cwd": folder}
        make = [initdb, "-D", f"{folder}/d", "-A", "trust", "-U", "tester", "--no-sync"]
        subprocess.run(make, check=True, capture_output=True, **user)  # type: ignore[call-overload]
        run = [postgres, "-D", f"{folder}/d", "-k", folder, "-c", "listen_addresses="]
        run += ["-c", "fsync=off"]
        server = subprocess.Popen(
            run,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            **user,  # type: ignore[call-overload]
        )
        try:
            yield {**os.environ, "PGHOST": folder, "PGUSER": "tester"}
        finally:
            server.kill() if server.poll() is None else None
            server.wait(30)


def _do(env: dict[str, str], statement: str) -> bool:
    command = ["psql", "-qw", "-d", "postgres", "-c", statement]
    return not subprocess.run(command, env=env, capture_output=True, check=False).returncode


@pytest.mark.slow
@pytest.mark.exhaustive
def test_a_row_is_told_at_the_next_look_and_an_error_ends_it() -> None:
    """NULL is no count; with the table gone the lookout ends, and says why."""
    with _server() as env:
        end = time.monotonic() + 60
        while not _do(env, TABLE):
            assert time.monotonic() < end
            time.sleep(0.05)
        command = ["timeout", "60", str(LOOKOUT), "postgres", "0.1"]
        pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
        with subprocess.Popen(command, env=env, text=True, **pipes) as lookout:  # type: ignore[call-overload]
            assert lookout.stdout.readline() == ".\n"
            for claimable, line in (("NULL", "acme/task 1\n"), ("3", "acme/task 2 3\n")):
                assert _do(env, PUT.format(claimable))
                assert line in iter(lookout.stdout.readline, "")
            assert _do(env, "DROP TABLE attention")
            assert "attention" in lookout.communicate(timeout=40)[1]
            assert lookout.returncode
