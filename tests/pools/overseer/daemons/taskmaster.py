"""A daemon that really takes tasks from a queue in SQLite, and sleeps when it is empty.

    taskmaster.py DATABASE INSTANCE LEASE_S

A task says what is to be done: `ok`, `slow`, `throw`, `poison` (throws at every try), `hang`.
"""

from __future__ import annotations

import os
import sqlite3
import sys
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[4] / "fleetctl" / "pools" / "snippets"))

from overseen import Overseen  # type: ignore[import-not-found,unused-ignore]


def take(database: sqlite3.Connection, instance: str, lease_s: float) -> tuple[int, str] | None:
    """Lease one task, as one step."""
    now = time.time()
    row: tuple[int, str] | None = database.execute(
        "UPDATE task SET leased_until = ?, tries = tries + 1 WHERE id = ("
        " SELECT id FROM task WHERE instance = ? AND done_at IS NULL AND leased_until <= ?"
        " ORDER BY tries, id LIMIT 1) RETURNING id, what",
        (now + lease_s, instance, now),
    ).fetchone()
    return row


def work(database: sqlite3.Connection, task: int, what: str) -> None:
    """Do it, and say so in the same transaction in which it counts as done."""
    if what in ("throw", "poison"):
        if what == "throw":
            database.execute("UPDATE task SET what = 'ok', leased_until = 0 WHERE id = ?", (task,))
        raise RuntimeError(f"task {task}")
    if what == "hang":
        database.execute("UPDATE task SET what = 'ok' WHERE id = ?", (task,))
        time.sleep(3600)
    if what == "slow":
        time.sleep(1.0)
    database.execute(
        "INSERT INTO effect (task, pid, at) VALUES (?, ?, ?)", (task, os.getpid(), time.time())
    )
    database.execute("UPDATE task SET done_at = ? WHERE id = ?", (time.time(), task))


def main(path: str, instance: str, lease_s: str) -> None:
    """Take tasks for ever, or until there are none for a while."""
    database = sqlite3.connect(path, timeout=60.0, isolation_level=None)
    overseer = Overseen()
    overseer.ready()

    def pending() -> bool:
        query = "SELECT 1 FROM task WHERE instance = ? AND done_at IS NULL AND leased_until <= ?"
        return database.execute(query, (instance, time.time())).fetchone() is not None

    while True:
        task = take(database, instance, float(lease_s))
        if task is not None:
            overseer.busy(str(task[0]))
            work(database, *task)
        elif overseer.idle_s() < overseer.down_after_s:
            overseer.idle()
            time.sleep(0.05)
        elif overseer.may_sleep(pending):
            return


if __name__ == "__main__":
    main(*sys.argv[1:4])
