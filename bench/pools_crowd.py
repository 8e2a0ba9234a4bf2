"""Many daemons at once: heartbeats, a crash of the overseer, a crash of every daemon.

`python -m bench.pools_crowd`: 1,000 daemons that beat once a second; kill -9 of the overseer and
its successor's adoption; 400 daemons that exit 1 at once, again and again, for ten minutes.
"""

from __future__ import annotations

import argparse
import time

from bench.pools_host import children, cpu_s, kind, measured, pss_mb

DAEMONS = 1000
CRASHING = 400
BEATS_OVER_S = 20.0


def heartbeats_and_adoption() -> None:
    """1,000 daemons at 1 Hz; then the overseer is killed and another takes them up."""
    with measured() as host:
        host.write(DAEMONS, {"k": kind("beat", min=1, watchdog=30)})
        host.start()
        took_s = host.until(lambda: host.figures()["wakes"] >= DAEMONS)
        print(f"{DAEMONS} daemons started in {took_s:.1f} s, {DAEMONS / took_s:.0f} starts/s")
        time.sleep(3)
        before = cpu_s(host.pid)
        time.sleep(BEATS_OVER_S)
        percent = (cpu_s(host.pid) - before) / BEATS_OVER_S * 100
        print(f"heartbeats of {DAEMONS} daemons at 1 Hz: {percent:.1f} % of a core, ", end="")
        print(f"overseer {pss_mb(host.pid):.1f} MB PSS", flush=True)
        alive = set(children(host.pid))
        host.kill()
        began = time.monotonic()
        host.start()
        took_s = time.monotonic() - began
        told = host.ask("status", all=True, slots=True)["pools"]
        kept = {slot["pid"] for pool in told for slot in pool["slots"] if slot.get("pid")}
        print(f"kill -9: {len(kept & alive)} of {len(alive)} adopted, ", end="")
        print(f"{len(kept - alive)} started anew, in {took_s:.2f} s with the new program's start")


def restart_storm(seconds: float) -> None:
    """Every daemon exits 1 at once: starts, processor, within the budget."""
    with measured() as host:
        host.write(CRASHING, {"k": kind("crash")})
        host.start()
        before, began = cpu_s(host.pid), time.monotonic()
        starts: list[float] = []
        seen = 0
        while time.monotonic() - began < seconds:
            time.sleep(min(5.0, seconds / 4))
            lines = (host.home / "events.jsonl").read_text().splitlines()
            moves = [line for line in lines if '"to":"starting"' in line]
            starts.append(float(len(moves) - seen))
            seen = len(moves)
        percent = (cpu_s(host.pid) - before) / (time.monotonic() - began) * 100
        counts = host.ask("status")["counts"]
        print(f"restart storm of {CRASHING}: {seen} starts in {seconds:.0f} s ", end="")
        print(f"({seen / CRASHING:.1f} a daemon), at most {max(starts) / 5:.0f}/s, ", end="")
        print(f"overseer {percent:.1f} % of a core; now {counts}")


def main() -> None:
    """All of it."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--storm-s", type=float, default=600.0, help="how long the crashes go on")
    given = parser.parse_args()
    heartbeats_and_adoption()
    restart_storm(given.storm_s)


if __name__ == "__main__":
    main()
