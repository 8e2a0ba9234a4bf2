"""fleetctl in the contest: the command a user types, with every guarantee on."""

from __future__ import annotations

import compileall
import json
import sys
from pathlib import Path

from bench.fleet import BenchFleet
from bench.rivals import Tool
from bench.workload import STEPS

PACKAGE = Path(__file__).parent.parent / "fleetctl"


def fleetctl(fleet: BenchFleet, folder: Path) -> list[str]:
    """`fleetctl push`: journal on disk, fence and records on the hosts, host keys verified."""
    inventory = {
        "fleet": "bench",
        "known_hosts": str(fleet.known_hosts),
        "defaults": {"user": fleet.user, "port": fleet.port, "identity": str(fleet.identity)},
        "tiers": {"db": {"hosts": {host.name: {"address": host.address} for host in fleet.hosts}}},
    }
    phase = {"name": "push", "hosts": "tier=db", "lockstep": True, "limit": len(fleet.hosts)}
    steps = [{"name": f"step {n}", "run": step} for n, step in enumerate(STEPS, 1)]
    playbook = {"title": "Bench push", "phases": [{**phase, "steps": steps}]}
    (folder / "inventory.yaml").write_text(json.dumps(inventory))
    (folder / "push.yaml").write_text(json.dumps(playbook))
    # The rivals' modules were compiled when they were installed; so is ours, from the working tree.
    compileall.compile_dir(PACKAGE, quiet=1)
    program = Path(sys.executable).parent / "fleetctl"
    options = ["--inventory", str(folder / "inventory.yaml"), "--journal", str(folder / "journal")]
    # A host that has reached a barrier keeps its connection: lockstep over all needs one for each.
    options += ["--fanout", str(len(fleet.hosts))]
    return [str(program), "push", str(folder / "push.yaml"), *options, "--yes", "--output", "jsonl"]


def lessened(name: str) -> Tool:
    """fleetctl without something: what the script of that name says."""
    script = str(Path(__file__).parent / "scripts" / f"{name}.py")

    def prepare(fleet: BenchFleet, folder: Path) -> list[str]:
        _, *words = fleetctl(fleet, folder)
        return [sys.executable, script, *words]

    return Tool(name, prepare)


FLEETCTL = Tool("fleetctl", fleetctl)
LESSENED = (lessened("unguarded"), lessened("bare"))
