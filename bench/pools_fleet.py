"""What putting pools of a whole fleet to sleep and waking them costs, by hand and within a push.

`python -m bench.pools_fleet`: 100 lab hosts with an overseer and 75 sleeping pools each, and ten
more whose daemons stay once they are awake. `pools wake`, `pools status`, `pools hibernate` as a
person types them; and a push that holds the pools of all hosts, does nothing, and wakes what ran:
once with every daemon asleep, once with ten a host awake.
"""

from __future__ import annotations

import argparse
import os
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping
from pathlib import Path

from bench.pools_status import CALL, fleet_of_sleepers
from fleetctl.base.errors import ExitCode

BOOK = """\
title: hold and wake
phases:
  - name: repo
    hosts: all
    steps:
      - pools: hibernate
        restored_by: wake the pools
      - run: "true"
      - pools: wake
        name: wake the pools
"""


def typed(environ: Mapping[str, str], *words: str) -> None:
    """Type a command; how long it took, and its last words."""
    while True:
        began = time.monotonic()
        told = subprocess.run(
            [sys.executable, "-c", CALL, *words], env=environ, text=True, check=False,
            stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
        )  # fmt: skip
        took = time.monotonic() - began
        if told.returncode != ExitCode.LOCK_HELD:
            break
        time.sleep(5.0)  # a keeper was too busy to take the last lease back; it ends by itself
    lines = [line for line in told.stdout.splitlines() if " hosts" in line or "accounted" in line]
    print(f"fleetctl {' '.join(words)}: {took:.1f} s, exit {told.returncode}")
    for line in lines[-2:]:
        print(f"  {line}", flush=True)


def overseers_mb(folder: Path) -> float:
    """Resident memory of the overseers of a lab, the shared pages counted in each."""
    found = 0.0
    for status in Path("/proc").glob("[0-9]*/status"):
        try:
            words = (status.parent / "cmdline").read_bytes()
            if b"overseer.pyz" in words and str(folder).encode() in words:
                line = next(x for x in status.read_text().splitlines() if x.startswith("VmRSS"))
                found += int(line.split()[1]) / 1024
        except (OSError, StopIteration):
            continue
    return found


def main() -> None:
    """The fleet by hand, then in a push."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--hosts", type=int, default=100)
    parser.add_argument("--instances", type=int, default=25)
    parser.add_argument("--staying", type=int, default=10)
    given = parser.parse_args()
    with (
        tempfile.TemporaryDirectory() as name,
        fleet_of_sleepers(Path(name), given.hosts, given.instances, given.staying) as lab,
    ):
        environ = {
            **os.environ,
            "FLEETCTL_INVENTORY": str(lab.inventory),
            "FLEETCTL_JOURNAL": f"{name}/journal.db",
        }
        book = Path(name) / "push.yaml"
        book.write_text(BOOK)
        typed(environ, "pools", "status")
        typed(environ, "push", str(book), "--yes")
        typed(environ, "pools", "wake", "stay", "--batch", "100%", "--yes")
        typed(environ, "pools", "status")
        typed(environ, "push", str(book), "--yes")
        typed(environ, "pools", "hibernate", "--batch", "100%", "--yes")
        typed(environ, "pools", "status")
        client_mb = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss / 1024
        print(f"the largest of these commands: {client_mb:.0f} MB")
        print(f"all overseers: {overseers_mb(Path(name)):.0f} MB")


if __name__ == "__main__":
    main()
