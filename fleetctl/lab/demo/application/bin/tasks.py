"""The tasks of a host's instances, in one SQLite file: `tasks.py add|watch|left FILE ...`.

    add FILE INSTANCE KIND    put a task in
    left FILE                 how many there are
    watch FILE                for the overseer: who has tasks, twice a second, for ever

A task is taken for TAKEN_S seconds; whoever has not done it by then has lost it to somebody else.
"""

from __future__ import annotations

import sqlite3
import sys
import time
from pathlib import Path

TAKEN_S = 60.0
LOOK_S = 0.5
_TABLE = """
CREATE TABLE IF NOT EXISTS task (
    id INTEGER PRIMARY KEY, instance TEXT NOT NULL, kind TEXT NOT NULL,
    taken_until REAL NOT NULL DEFAULT 0
)"""
_FREE = "SELECT instance, kind, max(id), count(*) FROM task WHERE taken_until < ? GROUP BY 1, 2"
_TAKE = """
UPDATE task SET taken_until = ? WHERE id = (
    SELECT min(id) FROM task WHERE instance = ? AND kind = ? AND taken_until < ?
) RETURNING id"""


class Tasks:
    """The file, made when it is not there."""

    def __init__(self, file: str) -> None:
        Path(file).parent.mkdir(parents=True, exist_ok=True)
        self._base = sqlite3.connect(file, timeout=10, isolation_level=None)
        self._base.execute("PRAGMA journal_mode = WAL")
        self._base.execute(_TABLE)

    def add(self, instance: str, kind: str) -> None:
        """Put one in."""
        self._base.execute("INSERT INTO task (instance, kind) VALUES (?, ?)", (instance, kind))

    def take(self, instance: str, kind: str) -> int | None:
        """Take the oldest that is free; its number."""
        now = time.time()
        words = (now + TAKEN_S, instance, kind, now)
        found = self._base.execute(_TAKE, words).fetchall()
        return int(found[0][0]) if found else None

    def done(self, number: int) -> None:
        """It is done."""
        self._base.execute("DELETE FROM task WHERE id = ?", (number,))

    def free(self) -> list[tuple[str, str, int, int]]:
        """Instance, kind, newest number and how many, where there are any."""
        return self._base.execute(_FREE, (time.time(),)).fetchall()

    def left(self) -> int:
        """How many there are, taken or not."""
        return int(self._base.execute("SELECT count(*) FROM task").fetchone()[0])


def watch(tasks: Tasks) -> None:
    """A line for each pool with tasks, then a full stop, again and again."""
    while True:
        rows = [
            f"{instance}/{kind} {newest} {count}\n"
            for instance, kind, newest, count in tasks.free()
        ]
        sys.stdout.write("".join(rows) + ".\n")
        sys.stdout.flush()
        time.sleep(LOOK_S)


def main() -> None:
    """Do what the first word says."""
    word, file, *rest = sys.argv[1:]
    tasks = Tasks(file)
    if word == "add":
        tasks.add(*rest)
        print(f"a task for {'/'.join(rest)}, put in at {time.time():.3f}")
    elif word == "left":
        print(tasks.left())
    elif word == "watch":
        watch(tasks)
    else:
        sys.exit(f"tasks: no such word: {word}")


if __name__ == "__main__":
    main()
