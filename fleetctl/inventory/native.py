"""From the native YAML file to the fleet: defaults applied, ranges expanded, mistakes collected."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from itertools import repeat
from pathlib import Path
from typing import Any

import msgspec
from msgspec import UNSET

from fleetctl.base.durations import parse_duration_s
from fleetctl.base.hostrange import expand
from fleetctl.base.marked import Document, decode
from fleetctl.inventory.amount import check_amount, parse_throttle_per_min
from fleetctl.inventory.findings import Findings
from fleetctl.inventory.links import check_links
from fleetctl.inventory.login import LoginMerger, beside
from fleetctl.inventory.model import Fleet, Host, Pools, Scalar, Tier
from fleetctl.inventory.names import (
    HOST_PATTERN,
    NAME,
    RESERVED_HOSTS,
    RESERVED_TAGS,
    TAG,
    VARIABLE,
)
from fleetctl.inventory.pools import pools_of
from fleetctl.inventory.source import DefaultsBlock, HostBlock, InventoryFile, TierBlock
from fleetctl.inventory.spread import ADDRESS, addresses, tag_rows, tag_values

Place = tuple[str | int, ...]


class Entry(msgspec.Struct):
    """One line under `hosts`: the names it means and what is special about them."""

    path: Place
    tier: str
    names: list[str]
    block: HostBlock
    offset: int
    """Hosts of the tier before it."""


class _Fleet(msgspec.Struct):
    """The fleet while it is put together."""

    hosts: dict[str, Host] = msgspec.field(default_factory=dict)
    tiers: dict[str, Tier] = msgspec.field(default_factory=dict)
    entries: dict[str, Entry] = msgspec.field(default_factory=dict)
    """Host -> the entry that names it."""


def read_native(document: Document, path: Path) -> Fleet:
    """The fleet the native inventory at `path` describes; paths in it are relative to its folder.

    Raises InputError, or InputErrors with everything wrong that could be told apart.
    """
    source: InventoryFile = decode(document, InventoryFile)
    return _Reader(document, source, path).fleet()


class _Reader:
    """Walks the decoded file once; every mistake goes into `findings`."""

    def __init__(self, document: Document, source: InventoryFile, path: Path) -> None:
        self.document = document
        self.source = source
        self.path = path
        self.findings = Findings(document)
        self.made = _Fleet()
        self.logins = LoginMerger(source.defaults, path.parent, self.findings)

    def fleet(self) -> Fleet:
        self.check_head()
        tiers = [(name, block, self.entries(name, block)) for name, block in
                 self.source.tiers.items()]  # fmt: skip
        everyone = [name for _, _, entries in tiers for entry in entries for name in entry.names]
        fleet_wide = self.fleet_addresses(everyone)
        at = 0
        for name, block, entries in tiers:
            count = sum(len(entry.names) for entry in entries)
            self.add_tier(name, block, entries, fleet_wide[at : at + count])
            at += count
        self.findings.settle()
        check_links(self.made.hosts, self.made.entries, self.logins, self.findings)
        self.findings.settle()
        return self.finished()

    def finished(self) -> Fleet:
        vias = dict.fromkeys(host.login.via for host in self.made.hosts.values())
        return Fleet(
            name=self.source.fleet,
            hosts=self.made.hosts,
            tiers=self.made.tiers,
            source=str(self.path.resolve()),
            playbook=self.source.playbook and beside(self.path.parent, self.source.playbook),
            known_hosts=self.source.known_hosts
            and beside(self.path.parent, self.source.known_hosts),
            bastions=tuple(name for name in vias if name),
            carry=None if self.source.carry is UNSET else self.source.carry,
        )

    def check_head(self) -> None:
        if not NAME.fullmatch(self.source.fleet):
            self.findings.add(f'"{self.source.fleet}" is no name for a fleet', ("fleet",),
                              hint=_NAME_HINT)  # fmt: skip
        if not self.source.tiers:
            self.findings.add("there are no tiers", ("tiers",), hint="a fleet needs one at least")
        self.check_variables(self.source.variables, ("variables",))
        self.amounts(self.source.defaults, ("defaults",))

    def check_variables(self, variables: Mapping[str, Scalar], path: Place) -> None:
        for key in variables:
            if not VARIABLE.fullmatch(key):
                self.findings.add_key(f'"{key}" is no name for a variable', (*path, key),
                                      hint="letters, digits and _, not a digit first")  # fmt: skip

    def entries(self, tier: str, block: TierBlock) -> list[Entry]:
        """The host entries of a tier, ranges expanded, hosts named before left out."""
        entries: list[Entry] = []
        offset = 0
        for path, pattern, host_block in _written(tier, block):
            names = self.names(pattern, path)
            entry = Entry(path, tier, names, host_block, offset)
            entry.names = self.claimed(names, entry)
            offset += len(entry.names)
            entries.append(entry)
        if not entries:
            self.findings.add(f'tier "{tier}" has no hosts', ("tiers", tier, "hosts"))
        return entries

    def names(self, pattern: str, path: Place) -> list[str]:
        if not HOST_PATTERN.fullmatch(pattern):
            self.findings.add_key(f'"{pattern}" is no host name', path, hint=_NAME_HINT)
            return []
        try:
            return list(expand(pattern))
        except ValueError as error:
            self.findings.add_key(str(error), path, hint="for example db[001-016] or db[1-3,7]")
            return []

    def claimed(self, names: list[str], entry: Entry) -> list[str]:
        """The names no entry has had before; a host named twice is a mistake."""
        fresh = dict.fromkeys(names, entry)
        known = self.made.entries
        if len(fresh) == len(names) and known.keys().isdisjoint(fresh):
            known.update(fresh)
        else:
            names = [name for name in names if self.claim(name, entry)]
        for name in RESERVED_HOSTS.intersection(fresh):
            self.findings.add_key(f'a host cannot be named "{name}"', entry.path,
                                  why="selectors use the word")  # fmt: skip
        return names

    def claim(self, name: str, entry: Entry) -> bool:
        first = self.made.entries.get(name)
        if first is None:
            self.made.entries[name] = entry
            return True
        line = self.document.key_location(first.path).line
        self.findings.add_key(f'host "{name}" is listed twice', entry.path,
                              why=f'first: line {line}, in tier "{first.tier}"')  # fmt: skip
        return False

    def fleet_addresses(self, names: list[str]) -> list[str]:
        """Addresses counted over the whole fleet; empty texts when `defaults` asks for no such."""
        spec = self.source.defaults.address
        if spec is UNSET or "{" in spec:
            return [""] * len(names)
        return self.spread_addresses(spec, names, "", ("defaults", "address"))

    def spread_addresses(self, spec: str, names: list[str], tier: str, path: Place) -> list[str]:
        try:
            found = addresses(spec, names, tier)
            # Hosts of one pattern or range differ in what was checked already: names and numbers.
            asked = found if "," in spec else found[:1]
            wrong = next((text for text in asked if not ADDRESS.fullmatch(text)), None)
            if wrong is None:
                return found
            self.findings.add(f'"{wrong}" is no address', path)
        except ValueError as error:
            self.findings.add(f'the address "{spec}" does not fit', path, why=str(error),
                              hint=_ADDRESS_HINT)  # fmt: skip
        return names

    def add_tier(
        self, tier: str, block: TierBlock, entries: list[Entry], fleet_wide: list[str]
    ) -> None:
        path: Place = ("tiers", tier)
        if not NAME.fullmatch(tier):
            self.findings.add_key(f'"{tier}" is no name for a tier', path, hint=_NAME_HINT)
        self.check_variables(block.variables, (*path, "variables"))
        names = [name for entry in entries for name in entry.names]
        self.made.tiers[tier] = self.tier(tier, block, tuple(names))
        tier_wide = self.tier_addresses(tier, block, names, fleet_wide)
        columns = self.tag_columns(block.tags, len(names), (*path, "tags"))
        kept = None
        if block.pools is not UNSET:
            kept = pools_of(block.pools, self.path.parent, (*path, "pools"), self.findings)
        for entry in entries:
            span = slice(entry.offset, entry.offset + len(entry.names))
            rows = {key: values[span] for key, values in columns.items()}
            self.add_entry(entry, (block, kept), tier_wide[span], rows)

    def tier_addresses(
        self, tier: str, block: TierBlock, names: list[str], fleet_wide: list[str]
    ) -> list[str]:
        if block.address is not UNSET:
            return self.spread_addresses(block.address, names, tier, ("tiers", tier, "address"))
        spec = self.source.defaults.address
        if spec is not UNSET and "{" in spec:
            return self.spread_addresses(spec, names, tier, ("defaults", "address"))
        return [address or name for address, name in zip(fleet_wide, names, strict=True)]

    def tag_columns(self, tags: Mapping[str, object], count: int, path: Place) -> _Columns:
        columns: dict[str, list[str]] = {}
        for key, value in tags.items():
            if not TAG.fullmatch(key) or key in RESERVED_TAGS:
                self.findings.add_key(f'"{key}" is no name for a tag', (*path, key),
                                      hint="zone, shard, pair, or a word of your own")  # fmt: skip
                continue
            try:
                columns[key] = tag_values(value, count)  # type: ignore[arg-type]  # decoded so
            except ValueError as error:
                self.findings.add(str(error), (*path, key))
        return columns

    def add_entry(
        self,
        entry: Entry,
        said: tuple[TierBlock, Pools | None],
        tier_wide: list[str],
        columns: _Columns,
    ) -> None:
        tier, pools = said
        block, names = entry.block, entry.names
        login = self.logins.merged(tier, entry.tier, block, entry.path)
        variables = self.merged_variables(tier, block, entry.path)
        found = tier_wide
        if block.address is not UNSET:
            path = (*entry.path, "address")
            found = self.spread_addresses(block.address, names, entry.tier, path)
        own = self.tag_columns(block.tags, len(names), (*entry.path, "tags"))
        rows = tag_rows({**columns, **own}, len(names))
        hosts = self.made.hosts
        shared = (repeat(variables), repeat(pools))
        made = map(Host, names, repeat(entry.tier), found, repeat(login), rows, *shared)
        hosts.update(zip(names, made, strict=True))
        if login.via in hosts and self.made.entries[login.via] is entry:
            self.logins.part_from_itself(hosts, entry.path, block, login.via)

    def merged_variables(
        self, tier: TierBlock, block: HostBlock, path: Place
    ) -> Mapping[str, Scalar]:
        self.check_variables(block.variables, (*path, "variables"))
        return {**self.source.variables, **tier.variables, **block.variables}

    def tier(self, name: str, block: TierBlock, hosts: tuple[str, ...]) -> Tier:
        path: Place = ("tiers", name)
        values = {**self.amounts(self.source.defaults, None), **self.amounts(block, path)}
        tier = Tier(name, hosts, **values)  # type: ignore[arg-type]  # keyed by field name
        if tier.floor.isdigit() and hosts and int(tier.floor) > len(hosts):
            place = path if block.floor is not UNSET else ("defaults",)
            self.findings.add(
                f"the floor {tier.floor} is above the {len(hosts)} hosts of tier {name}",
                (*place, "floor"),
                why="nothing of it could ever be worked on",
            )
        return tier

    def amounts(self, block: DefaultsBlock, path: Place | None) -> dict[str, str | float]:
        """The checked tier fields of a block; with no `path` mistakes were told before."""
        values: dict[str, str | float] = {}
        for key, (name, parse) in _TIER_FIELDS.items():
            written = getattr(block, key)
            if written is UNSET:
                continue
            try:
                values[name] = parse(written)
            except ValueError as error:
                if path is not None:
                    self.findings.add(f"{key}: {error}", (*path, key))
        return values


_Columns = Mapping[str, list[str]]
_NAME_HINT = "letters, digits, dot, dash and underscore; ranges as db[001-016]"
_ADDRESS_HINT = "{name}.example.com, a range 10.0.0.[11-26], or 10.0.0.11+ to count up"


def _limit(value: str | int) -> str:
    text = check_amount(value)
    if text in ("0", "0%"):
        raise ValueError("0 would let no host start; leave it out for no limit")
    return text


def _timeout_s(value: str | int | float) -> float:
    seconds = parse_duration_s(value)
    if not seconds:
        raise ValueError("a step needs some time; leave it out for the default")
    return seconds


_TIER_FIELDS: dict[str, tuple[str, Callable[[Any], str | float]]] = {
    "limit": ("limit", _limit),
    "throttle": ("throttle_per_min", parse_throttle_per_min),
    "timeout": ("timeout_s", _timeout_s),
    "floor": ("floor", check_amount),
}


def _written(tier: str, block: TierBlock) -> Iterator[tuple[Place, str, HostBlock]]:
    """The entries under `hosts`, however they are written: path, pattern, what is special."""
    path: Place = ("tiers", tier, "hosts")
    if isinstance(block.hosts, str):
        yield path, block.hosts, _NOTHING
    elif isinstance(block.hosts, list):
        for index, pattern in enumerate(block.hosts):
            yield (*path, index), pattern, _NOTHING
    else:
        for pattern, host in block.hosts.items():
            yield (*path, pattern), pattern, host or _NOTHING


_NOTHING = HostBlock()
