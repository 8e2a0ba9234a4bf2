"""The tables: cost a tool, and ratios fleetctl/rival round by round, with what we aim at."""

from __future__ import annotations

import os
import platform
from statistics import median

from bench.rounds import Cost

OURS = "fleetctl"
WALL_AIMS = {"ansible": 0.2, "pyinfra": 0.6, "fabric": 0.85, "unguarded": 1.25}
"""First-level aims for wall(fleetctl) / wall(rival); CPU is to be below each of these rivals."""
CPU_AIM = 1.0
MEMORY_AIM_MB = 80.0


def spread(values: list[float], form: str) -> str:
    """Median, and in brackets the least and the most."""
    low, middle, high = min(values), median(values), max(values)
    return f"{middle:{form}} ({low:{form}}-{high:{form}})"


def cost_table(costs: dict[str, list[Cost]], memory: dict[str, Cost]) -> list[str]:
    """One line a tool."""
    lines = [
        "| tool | wall s | client CPU s | hosts' CPU s | tree MB | largest MB |",
        "|---|---|---|---|---|---|",
    ]
    for name, runs in costs.items():
        wall = spread([run.wall_s for run in runs], ".2f")
        cpu = spread([run.cpu_s for run in runs], ".2f")
        pss, largest = memory[name].pss_mb or 0.0, max(run.largest_mb for run in runs)
        hosts = spread([run.servers_cpu_s for run in runs], ".2f")
        lines.append(f"| {name} | {wall} | {cpu} | {hosts} | {pss:.0f} | {largest:.0f} |")
    return lines


def ratio_table(costs: dict[str, list[Cost]]) -> list[str]:
    """One line a rival: fleetctl's share of its wall time and CPU, round by round."""
    ours = costs.get(OURS)
    if ours is None or len(costs) < 2:
        return []
    lines = ["| fleetctl / | wall | aim | client CPU | aim |", "|---|---|---|---|---|"]
    for name, theirs in costs.items():
        if name == OURS:
            continue
        pairs = list(zip(ours, theirs, strict=True))
        wall = [mine.wall_s / other.wall_s for mine, other in pairs]
        cpu = [mine.cpu_s / other.cpu_s for mine, other in pairs]
        aims = aim_words(wall, WALL_AIMS.get(name)), aim_words(cpu, aim_for_cpu(name))
        lines.append(
            f"| {name} | {spread(wall, '.2f')} | {aims[0]} | {spread(cpu, '.2f')} | {aims[1]} |"
        )
    return lines


def aim_for_cpu(rival: str) -> float | None:
    """CPU is judged against the rivals that have a wall aim."""
    return CPU_AIM if rival in WALL_AIMS and rival != "unguarded" else None


def aim_words(ratios: list[float], aim: float | None) -> str:
    """`<= 0.20 met`, judged by the median; empty where nothing is aimed at."""
    if aim is None:
        return ""
    return f"<= {aim:.2f} {'met' if median(ratios) <= aim else 'MISSED'}"


def memory_words(memory: dict[str, Cost]) -> list[str]:
    """Whether fleetctl stayed below its aim for memory."""
    if OURS not in memory:
        return []
    used = max(memory[OURS].pss_mb or 0.0, memory[OURS].largest_mb)
    verdict = "met" if used < MEMORY_AIM_MB else "MISSED"
    return [f"fleetctl peak memory {used:.0f} MB; aim < {MEMORY_AIM_MB:.0f} MB {verdict}"]


def machine_words() -> str:
    """Where this was measured, as far as it bears on the figures."""
    load = ", ".join(f"{value:.1f}" for value in os.getloadavg())
    return (
        f"{os.cpu_count()} cores, Linux {platform.release()}, Python {platform.python_version()}, "
        f"load {load} (1, 5, 15 min) at the end"
    )
