"""The real program under a wall clock that jumps: `python jumping.py HOURS,HOURS,... WORDS...`.

At every reading of the clock it is off by the next of these numbers of hours, round and round.
"""

from __future__ import annotations

import itertools
import sys
import time

if __name__ == "__main__":
    real_s = time.time
    offsets = itertools.cycle(float(hours) * 3600 for hours in sys.argv.pop(1).split(","))
    time.time = lambda: real_s() + next(offsets)

    from fleetctl.cli.main import main

    main()
