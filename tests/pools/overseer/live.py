"""A real overseer, from the one file that is shipped, with real daemons."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import sqlite3
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from fleetctl.pools.local import Overseer
from fleetctl.pools.packing import pack

TASKMASTER = Path(__file__).parent / "daemons" / "taskmaster.py"
WITHIN_S = 60.0
PATCHED = """
import sys
sys.path.insert(0, {program!r})
from fleetctl.pools.overseer import loop
from fleetctl.pools.overseer.entry import main
{patch}
sys.exit(main())
"""
SCHEMA = """
PRAGMA journal_mode = WAL;
CREATE TABLE task (id INTEGER PRIMARY KEY, instance TEXT, what TEXT, tries INTEGER DEFAULT 0,
                   leased_until REAL DEFAULT 0, done_at REAL, put_at REAL);
CREATE TABLE effect (task INTEGER, pid INTEGER, at REAL);
CREATE INDEX open_tasks ON task (instance, done_at, leased_until);
"""
QUERY = (
    "SELECT instance, 'task', 0, count(*) FROM task WHERE done_at IS NULL"
    " AND leased_until <= (julianday('now') - 2440587.5) * 86400.0 GROUP BY instance"
)


class Host:
    """A folder with specs, an overseer's home and a queue."""

    def __init__(self, folder: Path) -> None:
        self.home, self.specs = folder / "o", folder / "specs"
        self.specs.mkdir(parents=True)
        self.program = pack(folder / "overseer.pyz")
        self.database = folder / "queue.db"
        self.process: subprocess.Popen[bytes] | None = None
        self.python = sys.executable

    def write(self, **tables: Any) -> None:
        """The specs, as JSON."""
        (self.specs / "all.json").write_text(json.dumps(tables))

    def start(self, *, env: dict[str, str] | None = None, patch: str = "") -> None:
        """Start the overseer, with a line that changes what it is, and see it answer."""
        begin = ["-c", PATCHED.format(program=str(self.program), patch=patch)]
        command = [self.python, "-I", "-S", *(begin if patch else [str(self.program)])]
        command += ["--home", str(self.home), "--specs", str(self.specs)]
        with (self.home.parent / "overseer.err").open("ab") as errors:
            self.process = subprocess.Popen(
                command, stderr=errors, env={**os.environ, **(env or {})}
            )
        self.until(self._answers)

    def _answers(self) -> bool:
        assert self.process is not None
        assert self.process.poll() is None, (self.home.parent / "overseer.err").read_text()
        with contextlib.suppress(Exception):
            self.ask("status")
            return True
        return False

    def ask(self, do: str, **request: Any) -> dict[str, Any]:
        """Ask the overseer for one thing."""
        with Overseer(self.home) as overseer:
            return overseer.ask(do, **request)

    def pools(self, *names: str) -> list[dict[str, Any]]:
        """Pools with their slots; all, if none is named."""
        told = self.ask("status", slots=True, all=True, pools=list(names))
        rows: list[dict[str, Any]] = told["pools"]
        return rows

    def pool(self, name: str) -> dict[str, Any]:
        """One pool with its slots."""
        return self.pools(name)[0]

    def pids(self, *names: str) -> set[int]:
        """Processes in the slots of pools."""
        return {s["pid"] for pool in self.pools(*names) for s in pool["slots"] if s.get("pid")}

    def until(self, holds: Callable[[], bool], within_s: float = WITHIN_S) -> None:
        """Look until something holds; fails when it does not in time."""
        end = time.monotonic() + within_s
        while not holds():
            assert time.monotonic() < end, self.picture()
            time.sleep(0.02)

    def until_state(self, name: str, state: str, within_s: float = WITHIN_S) -> None:
        """Look until a pool's word is this one."""
        self.until(lambda: self.pool(name)["state"] == state, within_s)

    def picture(self) -> str:
        """What there is to see when something does not come."""
        errors = (self.home.parent / "overseer.err").read_text()[-2000:]
        logs = [path.read_text()[-500:] for path in (self.home / "logs").glob("*")][:3]
        with contextlib.suppress(Exception):
            return f"{self.pools()}\n{errors}\n{logs}"
        return errors

    def events(self) -> list[dict[str, Any]]:
        """Every event of the log, as far as it is written; none while it is begun anew."""
        with contextlib.suppress(FileNotFoundError):
            lines = (self.home / "events.jsonl").read_text().splitlines(keepends=True)
            return [json.loads(line) for line in lines if line.endswith("\n")]
        return []

    def kill(self) -> None:
        """kill -9 of the overseer alone."""
        assert self.process is not None
        self.process.kill()
        self.process.wait()

    def stop(self) -> None:
        """End everything, whatever state it is in."""
        if self.process is not None and self.process.poll() is None:
            self.process.send_signal(signal.SIGINT)
            try:
                self.process.wait(40)
            except subprocess.TimeoutExpired:
                self.kill()
        mark = f"FLEETCTL_OVERSEER={self.home}".encode()
        for entry in Path("/proc").iterdir():
            with contextlib.suppress(OSError):
                if entry.name.isdigit() and mark in (entry / "environ").read_bytes().split(b"\0"):
                    os.kill(int(entry.name), signal.SIGKILL)

    # -- the queue -------------------------------------------------------------------------

    def open_queue(self) -> sqlite3.Connection:
        """The queue's database, made on first use."""
        new = not self.database.exists()
        connection = sqlite3.connect(self.database, timeout=60.0, isolation_level=None)
        if new:
            connection.executescript(SCHEMA)
        return connection

    def put(self, instance: str, what: str = "ok", count: int = 1) -> None:
        """Put tasks into the queue; nobody is told."""
        with contextlib.closing(self.open_queue()) as database:
            rows = [(instance, what, time.time())] * count
            database.executemany("INSERT INTO task (instance, what, put_at) VALUES (?, ?, ?)", rows)

    def open_tasks(self) -> int:
        """Tasks that are not done."""
        return int(self.rows("SELECT count(*) FROM task WHERE done_at IS NULL")[0][0])

    def rows(self, query: str) -> list[tuple[Any, ...]]:
        """What the database says."""
        with contextlib.closing(self.open_queue()) as database:
            return list(database.execute(query))

    def taskmaster(self, lease_s: float = 60.0, **more: Any) -> dict[str, Any]:
        """A kind that takes tasks from the queue; nobody else gets one before its lease is over."""
        command = [sys.executable, "-I", "-S", str(TASKMASTER), str(self.database), "{instance}"]
        command.append(str(lease_s))
        return {"command": command, "down_after": 0.3, "stop_grace": 2, **more}


@contextlib.contextmanager
def host(folder: Path) -> Iterator[Host]:
    """A host that leaves nothing running."""
    made = Host(folder)
    made.open_queue().close()
    try:
        yield made
    finally:
        made.stop()
