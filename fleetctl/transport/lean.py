"""Importing the SSH library without what only a rare line of ssh config needs.

paramiko imports invoke (and so asyncio, ssl, unittest) for `Match exec` alone, and does without it
where it is missing. That is half of its import: it is given when such a line is read, not before.
"""

from __future__ import annotations

import contextlib
import sys
from collections.abc import Iterator
from typing import Any


@contextlib.contextmanager
def without_invoke() -> Iterator[None]:
    """What is imported meanwhile finds no invoke, unless it has been imported already."""
    if "invoke" in sys.modules:
        yield
        return
    modules: dict[str, Any] = sys.modules
    modules["invoke"] = None
    try:
        yield
    finally:
        del modules["invoke"]
