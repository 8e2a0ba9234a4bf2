"""The real program, killed by SIGKILL at its n-th journal write: `python dying.py WHEN N WORDS...`.

WHEN is `before` (all of the transaction is written, it is not committed) or `after` (it is on disk,
and none of what follows from it was done). A program with fewer writes ends as ever.
"""

from __future__ import annotations

import os
import signal
import sys

from fleetctl.cli.main import main
from fleetctl.journal.store import Journal


def die_at(when: str, number: int) -> None:
    """From now on this process dies at that write of a journal."""
    seal, committed = Journal._seal, Journal._committed
    writes = iter(range(1, number + 1))

    def dying_seal(self: Journal) -> None:
        seal(self)
        if when == "before" and next(writes, 0) == number:
            os.kill(os.getpid(), signal.SIGKILL)

    def dying_committed(self: Journal) -> None:
        if when == "after" and next(writes, 0) == number:
            os.kill(os.getpid(), signal.SIGKILL)
        committed(self)

    Journal._seal = dying_seal  # type: ignore[method-assign]
    Journal._committed = dying_committed  # type: ignore[method-assign]


if __name__ == "__main__":
    die_at(sys.argv.pop(1), int(sys.argv.pop(1)))
    main()
