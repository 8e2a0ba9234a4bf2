"""Which seeds are played where nobody names any: fixed ones, and some of the commit's own."""

from __future__ import annotations

import subprocess
from pathlib import Path

_SPREAD = 10**6
"""So far apart are the seeds of two commits, most likely."""


def commit_seeds(count: int, folder: Path) -> range:
    """So many seeds that follow from the commit checked out; empty where git cannot tell."""
    try:
        asked = subprocess.run(
            ["git", "rev-parse", "HEAD"], cwd=folder, capture_output=True, text=True, timeout=10.0,
            check=True,
        )  # fmt: skip
    except (OSError, subprocess.SubprocessError):
        return range(0)
    first = int(asked.stdout.strip()[:8], 16) * _SPREAD
    return range(first, first + count)
