"""How quickly `fleetctl --help` answers, as a ratio to a bare click program's start.

Run it as `python bench/start.py`; exits 1 when the ratio is above the limit.
"""

from __future__ import annotations

import statistics
import subprocess
import sys
import time

RUNS = 20
RATIO_MAX = 1.5
BARE = """
import click

@click.group()
def bare():
    "A bare click program."

@bare.command()
def one():
    "One command."

bare(["--help"])
"""
OURS = "from fleetctl.cli.main import main; import sys; sys.argv = ['fleetctl', '--help']; main()"


def main() -> int:
    """Alternate the two, so that both see the same weather; print both medians and the ratio."""
    bare_s: list[float] = []
    ours_s: list[float] = []
    for program in (BARE, OURS):
        _time_s(program)  # compiles and warms the file cache
    for _ in range(RUNS):
        bare_s.append(_time_s(BARE))
        ours_s.append(_time_s(OURS))
    bare_ms, ours_ms = (statistics.median(times) * 1000 for times in (bare_s, ours_s))
    ratio = ours_ms / bare_ms
    print(f"bare click {bare_ms:.0f} ms, fleetctl --help {ours_ms:.0f} ms, ratio {ratio:.2f}")
    return 0 if ratio <= RATIO_MAX else 1


def _time_s(program: str) -> float:
    start = time.perf_counter()
    subprocess.run([sys.executable, "-c", program], check=True, stdout=subprocess.DEVNULL)
    return time.perf_counter() - start


if __name__ == "__main__":
    sys.exit(main())
