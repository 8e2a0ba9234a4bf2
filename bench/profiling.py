"""Where fleetctl's CPU time goes: a profile of one push over all threads, and of its imports."""

from __future__ import annotations

import io
import pstats
import re
import subprocess
import sys
from pathlib import Path

from bench.rounds import Contest

SCRIPT = Path(__file__).parent / "scripts" / "profiled.py"
ROWS = 30
IMPORT = re.compile(r"^import time:\s+(\d+) \|\s+(\d+) \|(\s+)(\S+)$", re.MULTILINE)


def profile(contest: Contest, tool: str) -> str:
    """A report for reading; the push itself is checked as in a timed round."""
    result = contest.fleet.folder / "profile"
    program, *words = contest.commands[tool]
    command = [sys.executable, str(SCRIPT), str(result), *words]
    Contest(contest.fleet, {tool: command}).run(tool)
    return "\n".join([functions_of(result), *imports_of(program)])


def functions_of(result: Path) -> str:
    """The functions that cost most CPU, by themselves and with what they called."""
    text = io.StringIO()
    stats = pstats.Stats(str(result), stream=text)
    stats.sort_stats("tottime").print_stats(ROWS)
    stats.sort_stats("cumtime").print_stats(r"fleetctl|paramiko|fabric|sqlite3", 2 * ROWS)
    kept = [line for line in text.getvalue().splitlines() if line.strip()]
    return "\n".join(re.sub(r"\S+/(site-packages|lib/python[\d.]+|fleetctl)/", "", line)
                     for line in kept)  # fmt: skip


def imports_of(program: str) -> list[str]:
    """The costliest imports of `fleetctl --help`, each with what it pulls in."""
    command = [sys.executable, "-X", "importtime", program, "--help"]
    shown = subprocess.run(command, capture_output=True, text=True, check=True).stderr
    found = [(int(whole), name) for _, whole, _, name in IMPORT.findall(shown)]
    top = sorted(found, reverse=True)[:ROWS]
    return ["imports of --help, with what they pull in:"] + [
        f"{whole / 1000:8.1f} ms  {name}" for whole, name in top
    ]
