"""The `pools` of a tier: what its hosts' overseers are, and what they are told."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

from fleetctl.inventory.findings import Findings
from fleetctl.inventory.login import beside
from fleetctl.inventory.model import Pools
from fleetctl.inventory.source import PoolsBlock

UNIT = re.compile(r"[A-Za-z0-9:_.@-]+")


def pools_of(
    block: PoolsBlock, folder: Path, path: tuple[str | int, ...], findings: Findings
) -> Pools:
    """What a tier says of its pools; paths on this machine are relative to `folder`."""
    for key in ("home", "python"):
        if not getattr(block, key):
            findings.add(f"{key} is empty", (*path, key), hint="leave it out for the usual one")
    if block.home and not block.home.startswith(("/", "~/", "{{")):
        findings.add("home must be an absolute path, or begin with ~/", (*path, "home"))
    if block.home and not block.home.strip("~/"):
        findings.add("home must be a folder of the overseer's own", (*path, "home"))
    if block.unit and not UNIT.fullmatch(block.unit):
        findings.add(f'"{block.unit}" is no name for a unit', (*path, "unit"))
    instances = block.instances
    if instances.file and instances.command:
        findings.add("say either file or command", (*path, "instances"))
    return Pools(
        home=block.home.rstrip("/"),
        python=block.python,
        specs=block.specs and beside(folder, block.specs),
        instances_file=instances.file and beside(folder, instances.file),
        instances_command=instances.command,
        unit=block.unit,
        reserve=block.reserve,
    )


def pools_data(pools: Pools) -> dict[str, Any]:
    """The `pools` block that reads back as these; paths in it are absolute."""
    plain = Pools()
    data: dict[str, Any] = {
        key: getattr(pools, key)
        for key in ("home", "python", "specs", "unit", "reserve")
        if getattr(pools, key) != getattr(plain, key)
    }
    if pools.instances_file:
        data["instances"] = {"file": pools.instances_file}
    elif pools.instances_command:
        data["instances"] = {"command": pools.instances_command}
    return data
