"""Importing the SSH library without what it rarely needs.

paramiko imports invoke (and so asyncio, ssl, unittest) for `Match exec` alone, and does without it
where it is missing. That is half of its import: it is given when such a line is read, not before.
Of the other half a seventh is reading its own version out of its package's metadata, which takes
a parser for mail; the name of the metadata's folder says it too.
"""

from __future__ import annotations

import contextlib
import sys
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType
from typing import Any


@contextlib.contextmanager
def leanly() -> Iterator[None]:
    """What is imported meanwhile finds no invoke, and a short way to versions.

    Where the real modules have been imported already, they are found.
    """
    modules: dict[str, Any] = sys.modules
    lent = {"invoke": None, "importlib.metadata": _short_metadata()}
    lent = {name: module for name, module in lent.items() if name not in modules}
    modules.update(lent)
    try:
        yield
    finally:
        for name in lent:
            modules.pop(name, None)


def _short_metadata() -> ModuleType:
    short = ModuleType("importlib.metadata")
    vars(short)["version"] = _version
    return short


def _version(package: str) -> str:
    """As `importlib.metadata.version`, for a package in a folder of its own."""
    for place in sys.path:
        for folder in Path(place).glob(f"{package}-*.dist-info"):
            return folder.name.removeprefix(f"{package}-").removesuffix(".dist-info")
    sys.modules.pop("importlib.metadata", None)
    from importlib.metadata import version

    return version(package)
