"""Which format an inventory is written in; told without importing what reads the others."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path

GROUP_KEYS = ("hosts", "children", "vars")
"""What a group of an Ansible YAML inventory may hold."""
_DATA_SUFFIXES = (".yaml", ".yml", ".json", ".ini", ".cfg", ".toml", ".txt")


def is_program(path: Path) -> bool:
    """Whether the inventory is to be run: executable and a program by its first bytes."""
    if path.suffix in _DATA_SUFFIXES or not path.is_file() or not os.access(path, os.X_OK):
        return False
    with path.open("rb") as file:
        start = file.read(4)
    return start.startswith((b"#!", b"\x7fELF"))


def looks_grouped(data: object) -> bool:
    """Whether a YAML document is an Ansible inventory rather than ours."""
    if not isinstance(data, Mapping) or {"fleet", "tiers"} & set(data):
        return False
    return any(
        key in ("all", "plugin") or (isinstance(value, Mapping) and set(value) & {*GROUP_KEYS})
        for key, value in data.items()
    )
