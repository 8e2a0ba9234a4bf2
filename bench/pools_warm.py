"""Starts by exec beside starts from a zygote, in one run. `python -m bench.pools_warm`.

Two daemons, one as light as Python allows and one with typical imports (asyncio, json, sqlite3,
ssl), each cold and warm, with 10,000 pools asleep: woken one at a time by datagram, then 200 and
1,000 at once, and during that one more every now and then. Times are from the hint until the
overseer hears that the daemon is ready. In turn with those that are woken alone, one is started
without an overseer: what the machine itself takes just then. Then what twenty daemons cost in
memory, what they share counted once.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import sys
import time
from pathlib import Path

from bench.pools_ground import Start, bare_starts
from bench.pools_host import DAEMON, TICKS_S, Measured, measured, pss_mb, quantile

INSTANCES = 2501
ALONE = 200
STORMS = (200, 1000)
OTHERS = 20
RESTING = 20
HEAVY = DAEMON.with_name("heavy.py")
IMPORTS = ["asyncio", "json", "pathlib", "sqlite3", "ssl"]


def kinds(mode: str) -> dict[str, dict[str, object]]:
    """The four."""
    light: dict[str, object] = {
        "command": [sys.executable, "-I", "-S", str(DAEMON), mode],
        "at_start": "asleep",
    }
    heavy: dict[str, object] = {"command": [sys.executable, str(HEAVY), mode], "at_start": "asleep"}
    return {
        "light-exec": light,
        "light-warm": {**light, "warm": ["_socket"]},
        "heavy-exec": heavy,
        "heavy-warm": {**heavy, "warm": IMPORTS},
    }


def _readied(host: Measured) -> dict[str, list[float]]:
    """Pool -> when its daemons were ready."""
    found: dict[str, list[float]] = {}
    with (host.home / "events.jsonl").open() as lines:
        for line in lines:
            if '"ready"' in line:
                event = json.loads(line)
                found.setdefault(event["p"], []).append(event["t"])
    return found


def _latencies(host: Measured, asked: list[tuple[str, float]]) -> list[float]:
    """Milliseconds from asking until ready."""
    readied = _readied(host)
    return [1000 * min(at - began for at in readied[name] if at > began) for name, began in asked]


def alone(host: Measured, kind: str, times: int, ground: Start) -> tuple[list[float], list[float]]:
    """One after the other, at moments the loop cannot foresee; a bare start after each."""
    asked, bare = [], []
    for number in random.sample(range(1, INSTANCES + 1), times):
        name = f"i{number:05d}/{kind}"
        asked.append((name, time.monotonic()))
        host.hint(name)
        time.sleep(random.uniform(0.15, 0.2))
        _quiet(host, 0.0)
        bare.append(ground())
    return _latencies(host, asked), bare


def storm(host: Measured, kind: str, size: int) -> tuple[list[float], list[float]]:
    """Many at once; and those of other instances that are woken while it lasts."""
    names = [f"i{number:05d}/{kind}" for number in range(1, size + 1)]
    others = [f"i{number:05d}/{kind}" for number in range(size + 1, size + 1 + OTHERS)]
    began, spent_s = time.monotonic(), _spent_s(host)
    host.hint(*names)
    asked = []
    for name in others:
        time.sleep(random.uniform(0.02, 0.1))
        asked.append((name, time.monotonic()))
        host.hint(name)
    _quiet(host, 0.5)
    each_ms = (_spent_s(host) - spent_s) / (size + OTHERS) * 1000
    print(f"{kind}: {each_ms:.1f} ms of processor a start, the daemon's own and its end included")
    many = _latencies(host, [(name, began) for name in names])
    during = [ask for ask in asked if ask[1] < began + max(many) / 1000]
    return many, _latencies(host, during)


def _spent_s(host: Measured) -> float:
    """Processor seconds of the overseer, of zygotes, and of all their children that ended."""
    found = 0
    for pid in (host.pid, *(pid for pid, _ in _zygotes(host.pid))):
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
        found += sum(map(int, fields[11:15]))
    return found / TICKS_S


def _quiet(host: Measured, patience_s: float) -> None:
    """Until all is asleep again; asked seldom, for a count of 10,000 pools takes its time."""
    time.sleep(patience_s)
    while (found := host.figures())["processes"] or found["in_line"]:
        time.sleep(max(patience_s, 0.05))


def memory() -> None:
    """PSS of daemons at rest, their zygote counted with them."""
    with measured() as host:
        host.write(RESTING, kinds("rest"))
        host.start()
        host.until(lambda: host.figures()["zygotes"] == 2)
        for kind in kinds("rest"):
            before = host.figures()["processes"]
            host.hint(*(f"i{number:05d}/{kind}" for number in range(1, RESTING + 1)))
            host.until(lambda b=before: host.figures()["wakes"] >= b + RESTING)  # type: ignore[misc]
            told = host.ask("status", slots=True, all=True)["pools"]
            pids = [s["pid"] for p in told if p["pool"].endswith(kind) for s in p["slots"]]
            whole = sum(map(pss_mb, pids))
            print(f"{kind}: {whole / RESTING:.1f} MB PSS a daemon, {RESTING} of them", flush=True)
        for pid in _zygotes(host.pid):
            print(f"zygote {pid[1]}: {pss_mb(pid[0]):.1f} MB PSS beside them")
        print(f"overseer: {pss_mb(host.pid):.1f} MB PSS")


def _zygotes(pid: int) -> list[tuple[int, str]]:
    """Zygotes among the children of a process, with their kinds."""
    shown = []
    for child in Path(f"/proc/{pid}/task/{pid}/children").read_text().split():
        words = Path(f"/proc/{child}/cmdline").read_text().split("\0")
        titles = [word for word in words if word.startswith("fleetctl-zygote:")]
        name = "" if os.getpgid(int(child)) == int(child) else ", forked beforehand"
        shown += [(int(child), title.partition(":")[2].strip() + name) for title in titles]
    return shown


def _row(kind: str, how: str, took: list[float]) -> None:
    if took:
        row = (quantile(took, 0.5), quantile(took, 0.99), max(took))
        cells = " | ".join(f"{value:.1f}" for value in row)
        print(f"| {kind} | {how} | {len(took)} | {cells} |", flush=True)


def main() -> None:
    """The tables."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--alone", type=int, default=ALONE)
    parser.add_argument("--storms", type=int, nargs="*", default=STORMS)
    given = parser.parse_args()
    with measured() as host, bare_starts(host.folder) as bare:
        host.write(INSTANCES, kinds("once"))
        host.start()
        host.until(lambda: host.figures()["zygotes"] == 2)
        print(f"{4 * INSTANCES} pools asleep, load {os.getloadavg()[0]:.1f}")
        print("| start | how | n | p50 ms | p99 ms | max ms |\n|---|---|---|---|---|---|")
        for kind in kinds("once"):
            way = "bare fork" if kind.endswith("warm") else "bare exec"
            took, ground = alone(host, kind, given.alone, bare[way])
            _row(kind, "alone", took)
            _row(way, "in turn with these", ground)
            for size in given.storms:
                many, others = storm(host, kind, size)
                _row(kind, "at once", many)
                _row(kind, f"during {size}", others)
        print(f"warm starts: {host.figures()['warm_starts']}, load {os.getloadavg()[0]:.1f}")
    memory()


if __name__ == "__main__":
    main()
