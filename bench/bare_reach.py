"""What `true` costs on every host of an inventory, over the transport everything else goes over.

`python -m bench.bare_reach INVENTORY`: connects, runs it, tells how many hosts have; the ground
that commands which ask all hosts stand on.
"""

from __future__ import annotations

import sys

from fleetctl.cli.asking import ask_hosts
from fleetctl.cli.reach import reach
from fleetctl.cli.selection import open_fleet
from fleetctl.plan.adhoc import adhoc_plan
from fleetctl.transport.protocol import Looked

TIMEOUT_S = 60.0


def main() -> int:
    """0 when all hosts have run it."""
    fleet = open_fleet(sys.argv[1])
    plan = adhoc_plan(fleet, list(fleet.hosts), "true")
    answers = ask_hosts(dict.fromkeys(fleet.hosts, "true\n"), reach(plan), TIMEOUT_S)
    well = sum(isinstance(one, Looked) and one.exit_status == 0 for one in answers.values())
    print(f"{well} of {len(answers)} hosts")
    return 0 if well == len(answers) else 1


if __name__ == "__main__":
    sys.exit(main())
