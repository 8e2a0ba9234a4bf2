"""The lookout for SQLite, a process of its own: runs one query again and again and prints rows."""

from __future__ import annotations

import sys
import time

BUSY_S = 0.5
UNCHANGED_MOST_S = 5.0
"""Leases expire without a change of the file: so often it is asked in any case."""


def main(path: str, query: str, every: str) -> None:
    """Print `instance/kind seq claimable` for every row, then a full stop; for ever.

    The query gives instance and kind, and if it likes a number that grows and a count of tasks.
    Rows are asked for when something in the file has changed, and now and then.
    """
    import sqlite3

    database = sqlite3.connect(f"file:{path}?mode=ro", uri=True, timeout=BUSY_S)
    version, asked_at = -1, float("-inf")
    while True:
        began = time.monotonic()
        now = database.execute("PRAGMA data_version").fetchone()[0]
        if now != version or began - asked_at > UNCHANGED_MOST_S:
            version, asked_at = now, began
            rows = database.execute(query).fetchall()
            sys.stdout.write("".join(map(told, rows)) + ".\n")
        else:
            sys.stdout.write("=\n")
        sys.stdout.flush()
        time.sleep(max(0.0, float(every) - (time.monotonic() - began)))


def told(row: tuple[object, ...]) -> str:
    """A row as the line of a lookout; columns that are missing or NULL are left out."""
    instance, kind, seq, claimable = (*row, None, None)[:4]
    numbers = [seq or 0] if claimable is None else [seq or 0, claimable]
    return f"{instance}/{kind} {' '.join(map(str, numbers))}\n"
