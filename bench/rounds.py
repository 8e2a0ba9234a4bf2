"""Rounds: every tool once a round, one after the other, each run checked against its marks."""

from __future__ import annotations

import json
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

from bench import meter
from bench.fleet import BenchFleet
from bench.rivals import Tool
from bench.workload import faults, wipe_marks

LIMIT_S = 300.0
LOG_BYTES_SHOWN = 2000


@dataclass(frozen=True)
class Cost:
    """What one run of one tool took."""

    wall_s: float
    cpu_s: float
    """User plus system time of everything it started on the client."""
    largest_mb: float
    """Peak resident set of its largest process."""
    pss_mb: float | None
    """Peak of its whole tree; only in a run that watched memory."""
    servers_cpu_s: float
    """What all servers and what ran on them used meanwhile."""


class WrongRun(Exception):
    """A tool did not do the workload as asked; the message says how."""


@dataclass(frozen=True)
class Contest:
    """One fleet and the commands of the tools that are to push to it."""

    fleet: BenchFleet
    commands: dict[str, list[str]]

    def run(self, tool: str, *, memory: bool = False) -> Cost:
        """One push by one tool; raises WrongRun unless every step ran once and in lockstep."""
        wipe_marks(self.fleet)
        servers_before_s = self.fleet.cpu_s()
        folder = self.fleet.folder / "tools" / tool
        result, log = folder / "cost.json", folder / "log"
        command = [sys.executable, meter.__file__, str(result), str(LIMIT_S)]
        command += [*(["--memory"] if memory else []), "--", *self.commands[tool]]
        with log.open("w") as output:
            subprocess.run(command, stdout=output, stderr=output, cwd=folder, check=True)
        outcome = json.loads(result.read_text())
        problems = faults(self.fleet)
        servers_cpu_s = self.fleet.cpu_s() - servers_before_s
        if outcome.pop("status") != 0 or problems:
            tail = log.read_text(errors="replace")[-LOG_BYTES_SHOWN:]
            raise WrongRun("\n".join([f"{tool} went wrong", *problems[:5], tail]))
        return Cost(**outcome, servers_cpu_s=servers_cpu_s)


def enter(fleet: BenchFleet, tools: tuple[Tool, ...]) -> Contest:
    """Let every tool prepare in a folder of its own."""
    commands: dict[str, list[str]] = {}
    for tool in tools:
        folder = Path(fleet.folder / "tools" / tool.name)
        folder.mkdir(parents=True)
        commands[tool.name] = tool.prepare(fleet, folder)
    return Contest(fleet, commands)


def play(contest: Contest, rounds: int) -> tuple[dict[str, list[Cost]], dict[str, Cost]]:
    """Timed costs a tool, in the order of the rounds; and one untimed run each that saw memory.

    The untimed run comes first and warms up caches. The order of tools shifts every round, so that
    none always follows the same other.
    """
    names = list(contest.commands)
    memory = {name: contest.run(name, memory=True) for name in names}
    costs: dict[str, list[Cost]] = {name: [] for name in names}
    for number in range(rounds):
        shift = number % len(names)
        for name in names[shift:] + names[:shift]:
            costs[name].append(contest.run(name))
        print(f"bench: round {number + 1} of {rounds}", file=sys.stderr)
    return costs, memory
