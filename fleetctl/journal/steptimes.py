"""How long steps took on hosts: the last few runs of each step are kept, for estimates."""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence
from typing import Any

from fleetctl.journal import chain
from fleetctl.journal.rows import StepTime

RUNS_PER_STEP = 10
"""How many runs are kept of each step; runs that do not have it do not count."""
RUNS_KEPT = 500
"""For how many runs the times of a step are kept that no run has any more."""
NUMBER_MAX = 2**63 - 1

READ = """
SELECT d.title, d.tier, d.host, d.run, d.seconds, d.crc
FROM durations d JOIN runs r ON r.number = d.run
WHERE r.fleet = ? AND d.run < ? ORDER BY d.title, d.tier, d.host, d.run
"""


def first_unsealed(rows: Sequence[Sequence[Any]]) -> Sequence[Any] | None:
    """The first row of `READ` that is not as it was written."""
    return next((row for row in rows if not chain.is_sealed(row[5], *row[:5])), None)


def insert(database: sqlite3.Connection, number: int, learned: Sequence[StepTime]) -> None:
    """Keep what the run of that number has learned."""
    rows = [(one.title, one.tier, one.host, number, float(one.seconds)) for one in learned]
    database.executemany(
        "INSERT OR REPLACE INTO durations (title, tier, host, run, seconds, crc)"
        " VALUES (?, ?, ?, ?, ?, ?)",
        [(*row, chain.seal(*row)) for row in rows],
    )


def forget(database: sqlite3.Connection, number: int) -> None:
    """Drop what is too old, now that the run of that number has ended."""
    database.execute("DELETE FROM durations WHERE run <= ?", (number - RUNS_KEPT,))
    runs: dict[str, list[int]] = {}
    for title, run in database.execute("SELECT DISTINCT title, run FROM durations"):
        runs.setdefault(title, []).append(run)
    old = [
        (title, sorted(known)[-RUNS_PER_STEP])
        for title, known in runs.items()
        if len(known) > RUNS_PER_STEP
    ]
    database.executemany("DELETE FROM durations WHERE title = ? AND run < ?", old)
