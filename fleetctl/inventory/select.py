"""Picking hosts: expressions and the selection flags against a fleet, in inventory order.

A term that matches nothing is an error wherever it stands, inside `or` and `not` too: a typo in
`all and not db0001` would otherwise pick the very host that was to be spared.
"""

from __future__ import annotations

import fnmatch
import re
from collections.abc import Callable, Iterable
from pathlib import Path

import msgspec

from fleetctl.base.errors import FleetError, Location, UsageError
from fleetctl.base.hostrange import expand, fold
from fleetctl.inventory.expression import (
    Both,
    Either,
    Everything,
    Expression,
    FromFile,
    InTier,
    Named,
    Not,
    Place,
    Tagged,
    mistake,
    parse,
)
from fleetctl.inventory.model import Fleet
from fleetctl.inventory.suggest import suggest_host, suggest_key, suggest_tier, suggest_value

__all__ = ["Expression", "ReadFile", "Selection", "files_beside", "parse", "pick", "pick_all"]

ReadFile = Callable[[str], str]
"""The text of the file an `@FILE` term names; raises OSError."""
FILES_NESTED_MAX = 8
_GLOB = re.compile(r"[*?]")


class Selection(msgspec.Struct, frozen=True):
    """What the selection flags of a command line say; nothing at all means every host."""

    tiers: tuple[str, ...] = ()
    hosts: tuple[str, ...] = ()
    tags: tuple[str, ...] = ()
    """`KEY=VALUE` each; values of one key are alternatives, different keys must all hold."""
    limit: str = ""
    """An expression the picked hosts must satisfy."""
    exclude: tuple[str, ...] = ()
    """Expressions whose hosts are left out."""


def files_beside(folder: Path) -> ReadFile:
    """A reader of `@FILE` terms: paths are relative to `folder`."""

    def read(path: str) -> str:
        return (folder / Path(path).expanduser()).read_text(encoding="utf-8")

    return read


def pick(fleet: Fleet, expression: Expression, read_file: ReadFile) -> list[str]:
    """The hosts `expression` means, in inventory order; none only where terms exclude each other.

    Raises UsageError or InputError for a term that matches nothing.
    """
    return _ordered(fleet, _Picker(fleet, read_file).hosts(expression))


def pick_all(fleet: Fleet, selection: Selection, read_file: ReadFile | None = None) -> list[str]:
    """The hosts the flags mean together; raises UsageError also when nothing is left."""
    picker = _Picker(fleet, read_file or files_beside(Path.cwd()))
    wanted: list[Expression] = []
    if selection.tiers:
        wanted.append(Either(tuple(InTier(text) for text in selection.tiers)))
    if selection.hosts:
        wanted.append(Either(tuple(Named(text) for text in selection.hosts)))
    wanted += _tag_terms(selection.tags)
    if selection.limit:
        wanted.append(parse(selection.limit))
    wanted += [Not(parse(text)) for text in selection.exclude]
    if not wanted:
        return list(fleet.hosts)
    found = picker.hosts(wanted[0])
    for expression in wanted[1:]:
        found = found & picker.hosts(expression)
    if not found:
        raise UsageError(
            "the selection picks no host",
            why="each term matches hosts, but no host satisfies all of them",
            hint="try the flags one at a time with `fleetctl inventory list`",
        )
    return _ordered(fleet, found)


def _tag_terms(tags: Iterable[str]) -> list[Expression]:
    by_key: dict[str, list[Expression]] = {}
    for text in tags:
        key, equals, value = text.partition("=")
        if not equals or not key or not value:
            raise UsageError(f'--tag "{text}" is no KEY=VALUE', hint="write it as --tag zone=a")
        by_key.setdefault(key, []).append(Tagged(key, value))
    return [Either(tuple(terms)) for terms in by_key.values()]


def _ordered(fleet: Fleet, found: frozenset[str]) -> list[str]:
    if len(found) == len(fleet.hosts):
        return list(fleet.hosts)
    return [name for name in fleet.hosts if name in found]


class _Picker(msgspec.Struct):
    """Evaluates expressions over one fleet; indexes tags once, when first asked."""

    fleet: Fleet
    read_file: ReadFile
    reading: tuple[str, ...] = ()
    """Files being read, outermost first: `@FILE` inside `@FILE`."""
    tags: dict[str, dict[str, list[str]]] = msgspec.field(default_factory=dict)

    def hosts(self, expression: Expression) -> frozenset[str]:
        match expression:
            case Everything():
                return frozenset(self.fleet.hosts)
            case Not(inner):
                return frozenset(self.fleet.hosts) - self.hosts(inner)
            case Both(left, right):
                return self.hosts(left) & self.hosts(right)
            case Either(parts):
                return frozenset().union(*map(self.hosts, parts))
            case Named(pattern, where):
                return self.named(pattern, where)
            case InTier(pattern, where):
                return self.in_tier(pattern, where)
            case Tagged():
                return self.tagged(expression)
            case FromFile(path, where):
                return self.from_file(path, where)

    def named(self, pattern: str, where: Place) -> frozenset[str]:
        hosts = self.fleet.hosts
        found, missing = _match(pattern, hosts, where)
        if missing:
            word = missing[0] if len(missing) == 1 else fold(missing)
            what = f'no host is named "{word}"'
            if _GLOB.search(word):
                what = f'no host matches "{word}"'
            elif len(missing) > 1:
                what = f'no hosts are named "{word}" ({len(missing)})'
            raise mistake(what, where, hint=suggest_host(missing[0], self.fleet))
        return frozenset(found)

    def in_tier(self, pattern: str, where: Place) -> frozenset[str]:
        found, missing = _match(pattern, self.fleet.tiers, where)
        if missing:
            hint = suggest_tier(missing[0], self.fleet)
            raise mistake(f'no tier is named "{missing[0]}"', where, hint=hint)
        if len(found) == 1:
            return frozenset(self.fleet.tiers[found[0]].hosts)
        return frozenset(name for tier in found for name in self.fleet.tiers[tier].hosts)

    def tagged(self, term: Tagged) -> frozenset[str]:
        values = self.tag_index(term.key)
        if not values:
            hint = suggest_key(term.key, self.fleet)
            raise mistake(f'no host has a tag "{term.key}"', term.where, hint=hint)
        found, missing = _match(term.pattern, values, term.where)
        if missing:
            hint = suggest_value(term.key, missing[0], values)
            raise mistake(f"no host has {term.key}={missing[0]}", term.where, hint=hint)
        return frozenset(name for value in found for name in values[value])

    def tag_index(self, key: str) -> dict[str, list[str]]:
        """Value of the tag -> hosts; made once a key."""
        if key not in self.tags:
            index: dict[str, list[str]] = {}
            for host in self.fleet.hosts.values():
                value = host.tags.get(key)
                if value is not None:
                    index.setdefault(value, []).append(host.name)
            self.tags[key] = index
        return self.tags[key]

    def from_file(self, path: str, where: Place) -> frozenset[str]:
        if path in self.reading or len(self.reading) >= FILES_NESTED_MAX:
            raise mistake(f"@{path} is read while it is being read", where)
        try:
            text = self.read_file(path)
        except (OSError, UnicodeDecodeError) as error:
            reason = getattr(error, "strerror", None) or str(error)
            raise mistake(f"@{path} cannot be read", where, why=reason) from None
        inside = msgspec.structs.replace(self, reading=(*self.reading, path))
        found: frozenset[str] = frozenset()
        empty = True
        for number, line in enumerate(text.splitlines(), start=1):
            bare = line.partition("#")[0]
            if bare.strip():
                column = len(bare) - len(bare.lstrip()) + 1
                place = Location(path, number, column)
                found = found | inside.hosts(parse(bare.strip(), place))
                empty = False
        if empty:
            raise mistake(f"@{path} names no host", where)
        return found


def _match(pattern: str, known: Iterable[str], where: Place) -> tuple[list[str], list[str]]:
    """The known names a pattern means, and the parts of it that mean none."""
    try:
        wanted = list(expand(pattern))
    except ValueError as error:
        raise _malformed(str(error), where) from None
    names = known if isinstance(known, (dict, frozenset)) else set(known)
    found: list[str] = []
    missing: list[str] = []
    for word in wanted:
        if not _GLOB.search(word):
            (found if word in names else missing).append(word)
            continue
        compiled = re.compile(fnmatch.translate(word)).match
        matching = [name for name in names if compiled(name)]
        found += matching
        if not matching:
            missing.append(word)
    return found, missing


def _malformed(why: str, where: Place) -> FleetError:
    return mistake(why, where, hint="a range is written as db[001-016] or db[001-003,007]")
