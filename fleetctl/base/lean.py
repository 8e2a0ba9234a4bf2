"""Importing a library without what it rarely needs; every command waits for what it imports.

paramiko imports invoke (and so asyncio, ssl, unittest) for `Match exec` alone, and does without it
where it is missing: it is given when such a line is read, not before. It reads its own version out
of its package's metadata, which takes a parser for mail; the name of the metadata's folder says it
too. Its agent imports tempfile for what only servers do. PyYAML compiles a regular expression for a
reader that the C library's stands in for, which takes as long as the rest of its import.
"""

from __future__ import annotations

import contextlib
import importlib
import re
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
    lent: dict[str, Any] = {
        "invoke": None,
        "importlib.metadata": _short_metadata(),
        "tempfile": _stand_in("tempfile"),
    }
    lent = {name: module for name, module in lent.items() if name not in modules}
    modules.update(lent)
    try:
        yield
    finally:
        for name in lent:
            modules.pop(name, None)


@contextlib.contextmanager
def lately() -> Iterator[None]:
    """What is imported meanwhile compiles its regular expressions when it first uses them.

    For what calls them by their methods alone: to `re.match` such an expression is none.
    """
    late = ModuleType("re")
    vars(late).update(vars(re), compile=_LateExpression)
    sys.modules["re"] = late
    try:
        yield
    finally:
        sys.modules["re"] = re


class _LateExpression:
    """A regular expression that is compiled when it is first used."""

    def __init__(self, pattern: str, flags: int = 0) -> None:
        self._words = (pattern, flags)

    def __getattr__(self, name: str) -> Any:
        found = getattr(re.compile(*self._words), name)
        setattr(self, name, found)
        return found


def _stand_in(name: str) -> ModuleType:
    """A module that becomes the real one as soon as anything of it is asked for."""
    module = ModuleType(name)
    vars(module)["__getattr__"] = lambda wanted: getattr(importlib.import_module(name), wanted)
    return module


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
