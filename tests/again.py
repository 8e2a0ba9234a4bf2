"""Run what failed among others once more, one test at a time: `python -m tests.again STATUS`.

Machines that lend their processors out stand still for seconds at times, and a test that talks to
servers may then give up too early. Whoever fails alone as well has failed; whoever passes alone is
named, because it may have found something that shows only on a busy machine.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path

import pytest

MOST = 5
"""More than these are no accident."""
_KEPT = Path(".pytest_cache/v/cache/lastfailed")
_FAILED = 1
"""How pytest ends when tests failed; anything else is not for another try."""


def main(status: int) -> int:
    """The exit code of the whole."""
    failed = json.loads(_KEPT.read_text()) if status == _FAILED and _KEPT.exists() else {}
    if not 0 < len(failed) <= MOST:
        return status
    print(f"\n{len(failed)} failed among others; once more, each by itself:", *failed, sep="\n  ")
    alone = int(pytest.main(["--last-failed", "--last-failed-no-failures", "none"]))
    if alone == 0:
        print("\nPASSED ONLY ALONE, look at them:", *failed, sep="\n  ")
    return alone


if __name__ == "__main__":
    sys.exit(main(int(sys.argv[1])))
