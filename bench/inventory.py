"""Times loading an inventory of 200,000 hosts and selecting some of them.

python -m bench.inventory [--hosts 200000] [--rounds 5]
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
from pathlib import Path
from statistics import median

from bench import meter
from bench.report import machine_words, spread

INVENTORY = """\
fleet: large
defaults: {{user: deploy}}
tiers:
  repo:
    hosts: repo[000001-{last:06}]
    address: 10.0.0.0+
    tags: {{zone: [a, b, c]}}
"""
SELECTORS = ("repo[000100-000110]", "zone=b and repo*77")
WALL_AIM_S = 2.0
MEMORY_AIM_MB = 500.0


def cost_of(command: list[str], folder: Path) -> dict[str, float]:
    """What the meter says about a command that must succeed and print something."""
    result, shown = folder / "cost.json", folder / "shown"
    metered = [sys.executable, meter.__file__, str(result), "60", "--", *command]
    with shown.open("w") as output:
        subprocess.run(metered, stdout=output, check=True)
    cost: dict[str, float] = json.loads(result.read_text())
    if cost["status"] != 0 or not json.loads(shown.read_text()):
        raise SystemExit(f"bench: {' '.join(command)} did not select anything")
    return cost


def main() -> None:
    """Print a line a selector."""
    parser = argparse.ArgumentParser(prog="bench.inventory")
    parser.add_argument("--hosts", type=int, default=200_000)
    parser.add_argument("--rounds", type=int, default=5)
    words = parser.parse_args()
    program = str(Path(sys.executable).parent / "fleetctl")
    print("| select | wall s | client CPU s | largest process, MB | aims |\n|---|---|---|---|---|")
    with tempfile.TemporaryDirectory(prefix="fleetctl-bench-") as name:
        folder = Path(name)
        source = folder / "inventory.yaml"
        source.write_text(INVENTORY.format(last=words.hosts))
        for selector in SELECTORS:
            command = [program, "inventory", "list", "-i", str(source), "--limit", selector]
            costs = [cost_of([*command, "--output", "json"], folder) for _ in range(words.rounds)]
            print(row(selector, costs))
    print(f"\n{words.hosts} hosts, {words.rounds} rounds; {machine_words()}")


def row(selector: str, costs: list[dict[str, float]]) -> str:
    """One line of the table; the median is held against the aim."""
    wall, cpu = [cost["wall_s"] for cost in costs], [cost["cpu_s"] for cost in costs]
    memory_mb = max(cost["largest_mb"] for cost in costs)
    met = median(wall) < WALL_AIM_S and memory_mb < MEMORY_AIM_MB
    aims = f"< {WALL_AIM_S:.0f} s, < {MEMORY_AIM_MB:.0f} MB {'met' if met else 'MISSED'}"
    cells = (f"`{selector}`", spread(wall, ".2f"), spread(cpu, ".2f"), f"{memory_mb:.0f}", aims)
    return "| " + " | ".join(cells) + " |"


if __name__ == "__main__":
    main()
