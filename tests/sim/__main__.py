"""`python -m tests.sim`: play many seeds, or one of them again."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from tests.sim.campaign import describe, play_all, play_case
from tests.sim.case import load
from tests.sim.play import Report
from tests.sim.scenarios import make_case


def main() -> int:
    """0: every promise held."""
    words = _parser().parse_args()
    if words.seed is not None or words.case is not None:
        case = load(words.case) if words.case else make_case(words.seed, words.hosts)
        _show(play_case(case))
        return 0
    seeds = range(words.first, words.first + words.seeds)
    summary = play_all(seeds, words.hosts, words.processes, words.seconds)
    sys.stdout.write(describe(summary) + "\n")
    return 1 if summary.failures else 0


def _show(report: Report) -> None:
    faults = ", ".join(f"{kind} {count}" for kind, count in sorted(report.faults.items()))
    sys.stdout.write(
        f"seed {report.seed}: digest {report.digest}, {report.legs} resumes, {report.events} "
        f"events, {report.virtual_s:.0f} s of virtual time, exit code {report.exit_code}\n"
        f"faults: {faults or 'none'}\n"
    )


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m tests.sim", description=__doc__)
    parser.add_argument("--seeds", type=int, default=1000, help="how many to play")
    parser.add_argument("--first", type=int, default=0, help="the first of them")
    parser.add_argument("--seed", type=int, help="play this one only")
    parser.add_argument("--case", type=Path, help="play the case of a regression file")
    parser.add_argument("--hosts", type=int, help="over so many hosts; else 4 to 44")
    parser.add_argument("--processes", type=int, default=1, help="processes")
    parser.add_argument("--seconds", type=float, default=1e9, help="begin none after so long")
    return parser


if __name__ == "__main__":
    sys.exit(main())
