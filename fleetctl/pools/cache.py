"""What overseers told last, kept in a file of this machine: for views that do not connect.

`pools status` writes `pools.FLEET.json` beside the journal: a `Remembered`, as JSON. `hosts` maps
every host ever asked to a `HostPools`: when it was asked, when it last told, and what it told then,
by kind. A host that is silent now keeps what it told before, with `silent` saying so: readers show
it as unknown, with its age, and never add the old numbers up as if they were new.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path

import msgspec

from fleetctl.pools.tallies import Group
from fleetctl.releases.durable import write_whole


class HostPools(msgspec.Struct, frozen=True, omit_defaults=True):
    """One host; times are Unix times of this machine."""

    tier: str
    asked_s: float
    silent: str = ""
    """Empty: it told. Else why not: unreachable, unknown, stopped, absent, refused."""
    detail: str = ""
    told_s: float = 0.0
    """When it last told; 0: never."""
    groups: dict[str, Group] = {}
    """Kind -> what it told then; times in it are seconds from `told_s`."""
    overseer: dict[str, float] = {}
    """Its own figures, as in `tallies.Tally`."""


class Remembered(msgspec.Struct, frozen=True):
    """All that is remembered of a fleet."""

    fleet: str
    hosts: dict[str, HostPools] = {}


def cache_path(folder: Path, fleet: str) -> Path:
    """Where a fleet's is, in the folder of the journal."""
    return folder / f"pools.{re.sub(r'[^A-Za-z0-9._-]', '_', fleet)}.json"


def read_cache(folder: Path, fleet: str) -> Remembered:
    """What is remembered; nothing, when there is no file or it makes no sense."""
    try:
        found = msgspec.json.decode(cache_path(folder, fleet).read_bytes(), type=Remembered)
    except (OSError, msgspec.DecodeError, UnicodeDecodeError):
        return Remembered(fleet)
    return found if found.fleet == fleet else Remembered(fleet)


def remember(folder: Path, fleet: str, asked: Mapping[str, HostPools]) -> Remembered:
    """Put answers into the file, beside those of hosts that were not asked now.

    A reader sees the old file or the new one, never half of one. Raises OSError.
    """
    before = read_cache(folder, fleet)
    hosts = {**before.hosts, **{name: _kept(before, name, one) for name, one in asked.items()}}
    whole = Remembered(fleet, hosts)
    folder.mkdir(parents=True, exist_ok=True)
    write_whole(cache_path(folder, fleet), msgspec.json.encode(whole))
    return whole


def _kept(before: Remembered, name: str, now: HostPools) -> HostPools:
    """A silent host keeps what it told last."""
    old = before.hosts.get(name)
    if not now.silent or old is None:
        return now
    replace = msgspec.structs.replace
    return replace(now, told_s=old.told_s, groups=old.groups, overseer=old.overseer)
