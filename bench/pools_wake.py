"""From work to a daemon that is ready, with 10,000 pools asleep. `python -m bench.pools_wake`.

One at a time by datagram, by a file in the spool and by the shared list at one query a second; then
1,000 pools at once. The daemon is Python, started by exec; its own start is part of the figure.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import sqlite3
import time
from pathlib import Path

from bench.pools_host import Measured, kind, measured, quantile
from bench.pools_idle import QUERY

INSTANCES = 3334
ONE_BY_ONE = 100
LISTED = 40
STORM = 1000


def _events(host: Measured) -> list[dict[str, object]]:
    with (host.home / "events.jsonl").open() as lines:
        return [json.loads(line) for line in lines if line.endswith("\n")]  # one is being written


def _ready_at(host: Measured, name: str, after: float) -> float | None:
    """When the pool's daemon was ready, by the wall clock of the log's writing."""
    for event in reversed(_events(host)):
        if event.get("p") == name and event.get("x") == "ready" and float(str(event["t"])) > after:
            return float(str(event["t"]))
    return None


def one_by_one(host: Measured, way: str, times: int) -> list[float]:
    """Seconds from saying so until ready, pool after pool, at moments the loop cannot foresee."""
    found = []
    database = sqlite3.connect(host.folder / "queue.db", isolation_level=None)
    for number in range(times):
        name = f"i{random.randrange(1, INSTANCES):05d}/k{number % 3}"
        time.sleep(random.uniform(0.01, 0.05 if way != "list" else 1.0))
        began = time.monotonic()
        if way == "datagram":
            host.hint(name)
        elif way == "spool":
            (host.home / "wake" / name.replace("/", "@")).touch()
        else:
            row = (*name.split("/"), number + 1, None)
            database.execute("INSERT INTO attention VALUES (?, ?, ?, ?)", row)
        while (ready := _ready_at(host, name, began)) is None:
            time.sleep(0.01)
        found.append(ready - began)
    database.close()
    return found


def storm(host: Measured) -> tuple[float, float, float]:
    """Seconds until 1,000 pools woken at once have all been served; least memory seen; starts/s."""
    names = [f"i{number:05d}/k0" for number in range(1, STORM + 1)]
    before = host.figures()["wakes"]
    least_mb = float("inf")
    began = time.monotonic()
    host.hint(*names)
    while host.figures()["wakes"] < before + STORM:
        least_mb = min(least_mb, host.figures()["memory_available_mb"])
        time.sleep(0.1)
    took_s = time.monotonic() - began
    return took_s, least_mb, STORM / took_s


def main() -> None:
    """The table."""
    argparse.ArgumentParser(description=__doc__).parse_args()
    with measured() as host:
        with sqlite3.connect(host.folder / "queue.db") as made:
            made.execute("PRAGMA journal_mode = WAL")
            made.execute("CREATE TABLE attention (instance, kind, seq, claimable)")
        kinds = {f"k{n}": kind("once", at_start="asleep") for n in range(3)}
        source = {"sqlite": str(host.folder / "queue.db"), "query": QUERY, "every": 1.0}
        host.write(INSTANCES, kinds, attention={"queue": source})
        host.start()
        time.sleep(2)
        print(f"{INSTANCES * 3} pools asleep, load {os.getloadavg()[0]:.1f}")
        print("| way | n | p50 ms | p99 ms | max ms |\n|---|---|---|---|---|")
        for way, times in (("datagram", ONE_BY_ONE), ("spool", ONE_BY_ONE), ("list", LISTED)):
            took = [value * 1000 for value in one_by_one(host, way, times)]
            row = (quantile(took, 0.5), quantile(took, 0.99), max(took))
            print(f"| {way} | {times} | " + " | ".join(f"{v:.0f}" for v in row) + " |", flush=True)
        took_s, least_mb, per_s = storm(host)
        total_mb = int(Path("/proc/meminfo").read_text().split()[1]) / 1024
        print(f"storm: {STORM} pools served in {took_s:.1f} s, {per_s:.0f} starts/s, ", end="")
        print(f"least memory available {least_mb / total_mb:.0%} of all (reserve 10 %)")


if __name__ == "__main__":
    main()
