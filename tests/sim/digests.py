"""`python -m tests.sim.digests N`: the digests of the first seeds, one a line."""

from __future__ import annotations

import sys

from tests.sim.campaign import play_case
from tests.sim.scenarios import make_case

if __name__ == "__main__":
    for seed in range(int(sys.argv[1])):
        sys.stdout.write(play_case(make_case(seed)).digest + "\n")
