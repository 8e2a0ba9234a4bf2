"""What a durable record costs: `python -m bench.journal [--turns 400] [--records 5,50]`.

Turns of a few records each are made durable, as the driver does it. Wall time is mostly the disk's;
the processor's time is what the program adds.
"""

from __future__ import annotations

import argparse
import tempfile
import time
from pathlib import Path
from typing import NamedTuple

from fleetctl.journal.rows import RunRow
from fleetctl.journal.store import Journal
from fleetctl.plan.model import Budget, Plan

BODY = b"step-settled" * 20
PLAN = Plan("bench", "bench", {}, (), (), Budget(0), {}, {}, {})


class Rate(NamedTuple):
    """Figures of one series of turns."""

    records: int
    wall_s: float
    cpu_s: float

    @property
    def words(self) -> str:
        rate = self.records / self.wall_s
        return f"{rate:8.0f} records/s  {1e6 * self.cpu_s / self.records:6.1f} us of processor each"


def measure(folder: Path, turns: int, records: int) -> Rate:
    """Append `turns` times so many records to a new journal in `folder`."""
    row = RunRow("r1", "bench", "bench", "digest", "bench", 1.0, ("bench",), 1)
    with Journal(folder / f"bench-{records}.db") as journal:
        journal.create_run(row, PLAN, [BODY])
        bodies = [BODY] * records
        wall_s, cpu_s = time.perf_counter(), time.process_time()
        for turn in range(turns):
            journal.append("r1", 2 + turn * records, float(turn), bodies)
        return Rate(
            turns * records, time.perf_counter() - wall_s, time.process_time() - cpu_s
        )  # fmt: skip


def main() -> None:
    """Print the figures."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--turns", type=int, default=400)
    parser.add_argument("--records", default="1,5,50")
    parser.add_argument(
        "--folder", type=Path, help="where the journal is; default: a temporary one"
    )
    words = parser.parse_args()
    with tempfile.TemporaryDirectory(dir=words.folder) as folder:
        for records in map(int, words.records.split(",")):
            rate = measure(Path(folder), words.turns, records)
            print(f"{records:4d} records a turn: {rate.words}")


if __name__ == "__main__":
    main()
