"""Times a push (six steps, a barrier after each) by fleetctl and by its rivals, in one run.

    python -m bench.push [--hosts 44,100] [--rounds 5] [--only fleetctl,fabric] [--profile]

The fleet of OpenSSH servers is started and stopped here. docs/performance.md tells the method.
"""

from __future__ import annotations

import argparse
import json
import sys
from dataclasses import asdict
from pathlib import Path

from bench.fleet import running_fleet
from bench.ours import FLEETCTL, LESSENED
from bench.profiling import profile
from bench.report import cost_table, machine_words, memory_words, ratio_table
from bench.rivals import RIVALS
from bench.rounds import WrongRun, enter, play
from bench.workload import STEPS_COUNT

TOOLS = {tool.name: tool for tool in (FLEETCTL, *RIVALS, *LESSENED)}

_RIVALS = ",".join(tool.name for tool in (FLEETCTL, *RIVALS))


def options() -> argparse.Namespace:
    """The words of the command line."""
    parser = argparse.ArgumentParser(prog="bench.push", description=(__doc__ or "").split("\n")[0])
    parser.add_argument("--hosts", default="44,100", help="sizes of fleet, comma-separated")
    parser.add_argument("--rounds", type=int, default=5, help="timed runs of each tool")
    parser.add_argument(
        "--only",
        default=_RIVALS,
        help="tools, comma-separated; also `unguarded` and `bare`, fleetctl with less to do",
    )
    parser.add_argument("--profile", action="store_true", help="show where fleetctl's time goes")
    parser.add_argument("--json", type=Path, help="also write every single cost to this file")
    words = parser.parse_args()
    unknown = set(words.only.split(",")) - TOOLS.keys()
    if unknown:
        parser.error(f"no such tool: {', '.join(sorted(unknown))}; known: {', '.join(TOOLS)}")
    return words


def main() -> int:
    """Run the contest at every size; 1 when some tool did not do the workload as asked."""
    words = options()
    tools = tuple(TOOLS[name] for name in words.only.split(","))
    kept: dict[str, object] = {}
    for size in (int(word) for word in words.hosts.split(",")):
        with running_fleet(size) as fleet:
            try:
                contest = enter(fleet, tools)
                if words.profile:
                    print(profile(contest, FLEETCTL.name))
                    continue
                costs, memory = play(contest, words.rounds)
            except WrongRun as wrong:
                print(f"bench: {wrong}", file=sys.stderr)
                return 1
        print(f"\n## Push: {size} hosts, {STEPS_COUNT} steps in lockstep, {words.rounds} rounds\n")
        sections = (cost_table(costs, memory), ratio_table(costs), memory_words(memory))
        print("\n\n".join("\n".join(lines) for lines in sections if lines))
        print(f"\n{machine_words()}")
        kept[str(size)] = {name: [asdict(run) for run in runs] for name, runs in costs.items()}
    if words.json is not None:
        words.json.write_text(json.dumps(kept, indent=1), encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
