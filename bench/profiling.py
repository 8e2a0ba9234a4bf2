"""Where fleetctl's time goes: a sampling profile of one push over all threads, and its imports."""

from __future__ import annotations

import re
import subprocess
import sys
from collections import Counter
from pathlib import Path

from bench.environments import environment
from bench.rounds import Contest

PYSPY = ("py-spy==0.4.2",)
SAMPLES_PER_S = 200
ROWS = 25
PLACE = re.compile(r"^(?P<function>.+) \((?P<file>.+?)(?::\d+)?\)$")
IMPORT = re.compile(r"^import time:\s+(\d+) \|\s+(\d+) \|(\s+)(\S+)$", re.MULTILINE)


def profile(contest: Contest, tool: str) -> str:
    """A report for reading; the push itself is checked as in a timed round."""
    folder = contest.fleet.folder
    raw = folder / "profile.raw"
    spy = [
        str(environment("py-spy", PYSPY) / "py-spy"),
        "record",
        "--format",
        "raw",
        "--gil",
        "--nonblocking",
    ]
    spy += ["--rate", str(SAMPLES_PER_S), "--output", str(raw), "--"]
    # py-spy may lose its own child at the end and answer 1; what it sampled is written by then.
    lenient = ["sh", "-c", '"$@" || test -s "$0"', str(raw)]
    Contest(contest.fleet, {tool: [*lenient, *spy, *contest.commands[tool]]}).run(tool)
    stacks = [line.rpartition(" ") for line in raw.read_text().splitlines()]
    samples = [(stack.split(";"), int(count)) for stack, _, count in stacks]
    return "\n".join([*costs_of(samples), "", *imports_of(contest.commands[tool][0])])


def costs_of(samples: list[tuple[list[str], int]]) -> list[str]:
    """The functions that held the interpreter longest, by themselves and with what they called."""
    own: Counter[str] = Counter()
    whole: Counter[str] = Counter()
    for stack, count in samples:
        places = [short(frame) for frame in stack]
        own[places[-1]] += count
        for place in set(places):
            whole[place] += count
    ms = 1000 / SAMPLES_PER_S
    lines = [f"interpreter held for {own.total() * ms:.0f} ms (all threads)"]
    for title, counter in (("by itself", own), ("with callees", whole)):
        lines.append(f"\n{title}:")
        lines += [f"{count * ms:8.0f} ms  {place}" for place, count in counter.most_common(ROWS)]
    return lines


def short(frame: str) -> str:
    """`function (package/file.py)` without the line and the folders above the package."""
    match = PLACE.match(frame)
    if match is None:
        return frame
    parts = Path(match["file"]).parts
    return f"{match['function']} ({'/'.join(parts[-2:])})"


def imports_of(program: str) -> list[str]:
    """The costliest imports of `fleetctl --help`, each with what it pulls in."""
    command = [sys.executable, "-X", "importtime", program, "--help"]
    shown = subprocess.run(command, capture_output=True, text=True, check=True).stderr
    found = [(int(whole), name) for _, whole, _, name in IMPORT.findall(shown)]
    top = sorted(found, reverse=True)[:ROWS]
    return ["imports of --help, with what they pull in:"] + [
        f"{whole / 1000:8.1f} ms  {name}" for whole, name in top
    ]
