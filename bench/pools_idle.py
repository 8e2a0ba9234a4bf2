"""All asleep: memory and processor, beside supervisor and circus. `python -m bench.pools_idle`.

Ours has all wake sources on: a lookout that queries a SQLite queue every second, the datagram
socket, the spool, deadlines. The rivals hold as many programs, stopped; they have nothing that
would wake one. One overseer an instance is the last rival: the smallest that can be written in
Python, which looks for its own instance's work every second.
"""

from __future__ import annotations

import argparse
import sqlite3
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import NamedTuple

from bench.environments import environment
from bench.pools_host import children, cpu_s, kind, measured, pss_mb

SETTLE_S = 3.0
CPU_OVER_S = 20.0
SIZES = ((100, 3), (400, 3), (3334, 3), (16667, 3))
RIVAL_SIZES = (300, 1200)
OWN_INSTANCES = 100
OWN = Path(__file__).parent / "scripts" / "own_overseer.py"
QUERY = "SELECT instance, kind, seq, claimable FROM attention"


class Idle(NamedTuple):
    """What sleeping costs."""

    tool: str
    pools: int
    pss_mb: float
    cpu_percent: float
    start_s: float


def ours(instances: int, kinds: int) -> Idle:
    """One overseer, all pools asleep."""
    with measured() as host:
        database = host.folder / "queue.db"
        with sqlite3.connect(database) as made:
            made.execute("CREATE TABLE attention (instance, kind, seq, claimable)")
        names = {f"k{n}": kind("once", at_start="asleep", max=4) for n in range(kinds)}
        attention = {"queue": {"sqlite": str(database), "query": QUERY, "every": 1.0}}
        host.write(instances, names, attention=attention)
        start_s = host.start()
        time.sleep(SETTLE_S)
        found = [host.pid, *children(host.pid)]
        return Idle("fleetctl", instances * kinds, *_cost(found), start_s)


def _cost(pids: list[int]) -> tuple[float, float]:
    """Memory now, and percent of a core over a while, of some processes together."""
    before = sum(map(cpu_s, pids))
    time.sleep(CPU_OVER_S)
    percent = (sum(map(cpu_s, pids)) - before) / CPU_OVER_S * 100
    return sum(map(pss_mb, pids)), percent


def supervisor(programs: int) -> Idle:
    """supervisord with as many stopped programs."""
    bin_folder = environment("supervisor", ("supervisor==4.2.5", "setuptools<80"))
    with tempfile.TemporaryDirectory() as folder:
        config = Path(folder) / "supervisord.conf"
        lines = ["[supervisord]", "nodaemon=true", f"logfile={folder}/log"]
        for number in range(programs):
            lines += [f"[program:p{number}]", "command=/bin/sleep 99999", "autostart=false"]
        config.write_text("\n".join(lines))
        return _rival(
            "supervisor 4.2.5", programs, [str(bin_folder / "supervisord"), "-n", "-c", str(config)]
        )


def circus(programs: int) -> Idle:
    """circusd with as many stopped watchers."""
    bin_folder = environment("circus", ("circus==0.19.0",))
    with tempfile.TemporaryDirectory() as folder:
        config = Path(folder) / "circus.ini"
        ends = [f"{name} = ipc://{folder}/{name}" for name in ("endpoint", "pubsub_endpoint")]
        lines = ["[circus]", *ends]
        for number in range(programs):
            lines += [f"[watcher:p{number}]", "cmd = /bin/sleep 99999", "autostart = False"]
        config.write_text("\n".join(lines))
        return _rival("circus 0.19.0", programs, [str(bin_folder / "circusd"), str(config)])


def _rival(name: str, programs: int, command: list[str]) -> Idle:
    """Start a rival, let it settle, look."""
    began = time.monotonic()
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        time.sleep(SETTLE_S + programs / 100)
        if process.poll() is not None:
            raise RuntimeError(f"{name} ended with {process.returncode}")
        return Idle(name, programs, *_cost([process.pid]), time.monotonic() - began)
    finally:
        process.terminate()
        process.wait(60)


def one_each(instances: int, kinds: int) -> Idle:
    """As many overseers as there are instances, each with its pools asleep."""
    with tempfile.TemporaryDirectory() as folder:
        database = f"{folder}/queue.db"
        with sqlite3.connect(database) as made:
            made.execute("CREATE TABLE attention (instance, kind, seq, claimable)")
        command = [sys.executable, "-I", "-S", str(OWN), database]
        names = [f"k{number}" for number in range(kinds)]
        began = time.monotonic()
        running = [subprocess.Popen([*command, f"i{n:05d}", *names]) for n in range(instances)]
        try:
            time.sleep(SETTLE_S + instances / 20)
            found = _cost([process.pid for process in running])
            return Idle(f"{instances} overseers", instances * kinds, *found, began)
        finally:
            for process in running:
                process.kill()
                process.wait()


def main() -> None:
    """One line a tool and size."""
    argparse.ArgumentParser(description=__doc__).parse_args()
    print("| tool | pools asleep | PSS MB in all | CPU % of a core | B a pool over the first |")
    print("|---|---|---|---|---|")
    first: Idle | None = None
    for instances, kinds in SIZES:
        found = ours(instances, kinds)
        first = first or found
        further = ""
        if found is not first:
            gained = (found.pss_mb - first.pss_mb) * 1048576
            further = f"{gained / (found.pools - first.pools):.0f}"
        _line(found, further)
    for size in RIVAL_SIZES:
        _line(supervisor(size), "")
        _line(circus(size), "")
    _line(one_each(OWN_INSTANCES, 3), "")


def _line(found: Idle, further: str) -> None:
    figures = f"{found.pss_mb:.1f} | {found.cpu_percent:.2f} | {further}"
    print(f"| {found.tool} | {found.pools} | {figures} |", flush=True)


if __name__ == "__main__":
    main()
