"""Puts the same large inventory to fleetctl, and on request to Ansible and ClusterShell.

python -m bench.inventory_scale [--hosts 200000] [--rounds 3] [--rivals]

Each program names the hosts of one group; how many it named is checked. The rivals are installed
into environments of their own, kept in the user's cache folder.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from statistics import median

from bench import meter
from bench.environments import environment
from bench.report import machine_words, spread
from fleetctl.base.hostrange import expand

WALL_AIM_S = 2.0
MEMORY_AIM_MB = 500.0
LIMIT_S = 300
RIVALS = {"ansible": ("ansible-core==2.19.4",), "clustershell": ("ClusterShell==1.9.3",)}


@dataclass(frozen=True)
class Contest:
    """One program with one form of the inventory."""

    name: str
    form: str
    command: list[str]
    folded: bool
    """It prints one folded line; else a host a line after a heading."""


def write_inventories(folder: Path, count: int) -> None:
    """The same hosts in each form: ranges, and a line a host with address and zone."""
    (folder / "ranges.yaml").write_text(
        f"fleet: large\ntiers: {{repo: {{hosts: 'repo[1-{count}]', address: 10.0.0.0+, "
        "tags: {zone: [a, b]}}}\n"
    )
    (folder / "ansible.cfg").write_text("")
    (folder / "ranges.ini").write_text(f"[repo]\nrepo[1:{count}]\n")
    lines = (
        f"repo{i} ansible_host=10.{i >> 16}.{i >> 8 & 255}.{i & 255} zone={'ab'[i % 2]}\n"
        for i in range(1, count + 1)
    )
    (folder / "lines.ini").write_text("[repo]\n" + "".join(lines))


def ours(folder: Path) -> Iterator[Contest]:
    """fleetctl with each form."""
    program = str(Path(sys.executable).parent / "fleetctl")
    for form in ("ranges.yaml", "ranges.ini", "lines.ini"):
        flags = ["inventory", "list", "-i", str(folder / form), "--tier", "repo", "--folded"]
        yield Contest("fleetctl", form, [program, *flags], folded=True)


def rivals(folder: Path, count: int) -> Iterator[Contest]:
    """Programs that are asked the same."""
    ansible = str(environment("inventory-ansible", RIVALS["ansible"]) / "ansible")
    for form in ("ranges.ini", "lines.ini"):
        command = [ansible, "repo", "-i", str(folder / form), "--list-hosts"]
        yield Contest("ansible", form, command, folded=False)
    nodeset = str(environment("inventory-nodeset", RIVALS["clustershell"]) / "nodeset")
    yield Contest("nodeset", "a range, no file", [nodeset, "-f", f"repo[1-{count}]"], folded=True)


def cost_of(contest: Contest, folder: Path, count: int) -> dict[str, float]:
    """What the meter says of one run that named all hosts."""
    result, shown = folder / "cost.json", folder / "shown"
    metered = [sys.executable, meter.__file__, str(result), str(LIMIT_S), "--", *contest.command]
    environ = {**os.environ, "ANSIBLE_CONFIG": str(folder / "ansible.cfg")}
    with shown.open("w") as output:
        subprocess.run(metered, stdout=output, check=True, env=environ)
    cost: dict[str, float] = json.loads(result.read_text())
    text = shown.read_text()
    named = sum(1 for _ in expand(text.strip())) if contest.folded else text.count("\n") - 1
    if cost["status"] != 0 or named != count:
        raise SystemExit(f"bench: {contest.name} ({contest.form}) named {named} hosts of {count}")
    return cost


def row(contest: Contest, costs: list[dict[str, float]]) -> str:
    """One line of the table; our own medians are held against the aim."""
    wall, cpu = [cost["wall_s"] for cost in costs], [cost["cpu_s"] for cost in costs]
    memory_mb = max(cost["largest_mb"] for cost in costs)
    met = median(wall) < WALL_AIM_S and memory_mb < MEMORY_AIM_MB
    aim = ("met" if met else "MISSED") if contest.name == "fleetctl" else ""
    cells = (contest.name, contest.form, spread(wall, ".2f"), spread(cpu, ".2f"),
             f"{memory_mb:.0f}", aim)  # fmt: skip
    return "| " + " | ".join(cells) + " |"


def main() -> None:
    """Print a table, a line a program and form."""
    parser = argparse.ArgumentParser(prog="bench.inventory_scale")
    parser.add_argument("--hosts", type=int, default=200_000)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--rivals", action="store_true", help="Ask Ansible and nodeset, too.")
    words = parser.parse_args()
    aims = f"< {WALL_AIM_S:g} s, < {MEMORY_AIM_MB:g} MB"
    with tempfile.TemporaryDirectory(prefix="fleetctl-bench-") as name:
        folder = Path(name)
        write_inventories(folder, words.hosts)
        contests = [*ours(folder), *(rivals(folder, words.hosts) if words.rivals else ())]
        print(f"| program | inventory | wall s | CPU s | memory MB | {aims} |")
        print("|---|---|---|---|---|---|")
        for contest in contests:
            costs = [cost_of(contest, folder, words.hosts) for _ in range(words.rounds)]
            print(row(contest, costs), flush=True)
    print(f"\n{words.hosts} hosts, {words.rounds} rounds; {machine_words()}")


if __name__ == "__main__":
    main()
