"""`python -m fleetctl.pools.overseer`, and what a zipapp of this package runs."""

from __future__ import annotations

import sys

from fleetctl.pools.overseer.entry import main

if __name__ == "__main__":
    sys.exit(main())
