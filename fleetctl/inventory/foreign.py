"""An Ansible inventory as its readers leave it: groups, hosts and raw variables, with places."""

from __future__ import annotations

import string
from collections.abc import Callable, Iterator
from typing import NoReturn

import msgspec

from fleetctl.base.errors import InputError, Location

Spot = object
"""Where a reader found something; only its own `locate` understands it."""
Raw = dict[str, object]

TOP = "all"
REST = "ungrouped"


class Group(msgspec.Struct):
    """One group: its own hosts and variables, and the groups below it."""

    name: str
    spot: Spot
    hosts: list[str] = msgspec.field(default_factory=list)
    children: list[str] = msgspec.field(default_factory=list)
    variables: Raw = msgspec.field(default_factory=dict)
    spots: dict[str, Spot] = msgspec.field(default_factory=dict)
    """Variable -> where it was found."""


class Foreign(msgspec.Struct):
    """Everything one Ansible inventory says."""

    file: str
    form: str
    locate: Callable[[Spot, str], Location]
    """The place of a spot; given a variable's name, of that variable there where known."""
    groups: dict[str, Group] = msgspec.field(default_factory=dict)
    """In the order of their first mention."""
    hosts: dict[str, Raw] = msgspec.field(default_factory=dict)
    """Host -> its own variables, in the order of their first mention."""
    spots: dict[str, Spot] = msgspec.field(default_factory=dict)

    def group(self, name: str, spot: Spot) -> Group:
        """The group of that name, made when it is new."""
        found = self.groups.get(name)
        if found is None:
            found = self.groups[name] = Group(name, spot)
        return found

    def add_host(self, name: str, group: Group, variables: Raw, spot: Spot) -> None:
        """A host in a group; said again elsewhere, its variables add up."""
        known = self.hosts.get(name)
        if known is None:
            self.hosts[name] = dict(variables)
            self.spots[name] = spot
        else:
            known.update(variables)
        group.hosts.append(name)

    def refuse(
        self, what: str, spot: Spot, key: str = "", *, why: str = "", hint: str = ""
    ) -> NoReturn:
        """Raise the InputError of a mistake at `spot`."""
        raise InputError(what, self.locate(spot, key), why=why, hint=hint)


def expand_ansible(pattern: str) -> Iterator[str]:
    """Names meant by Ansible's ranges, `db[01:50]` or `[a:c]` or `[1:9:2]`; else ValueError."""
    head, bracket, rest = pattern.partition("[")
    if not bracket:
        if "]" in pattern:
            raise ValueError(f"unbalanced range in {pattern!r}")
        yield pattern
        return
    body, closing, tail = rest.partition("]")
    if not closing:
        raise ValueError(f"unbalanced range in {pattern!r}")
    for middle in _items(body, pattern):
        for end in expand_ansible(tail):
            yield head + middle + end


def _items(body: str, pattern: str) -> list[str]:
    first, last, step = (*body.split(":"), "1")[:3] if body.count(":") in (1, 2) else ("", "", "")
    if not (step.isdigit() and int(step) and first and last):
        raise ValueError(f"unreadable range [{body}] in {pattern!r}; Ansible writes [01:50]")
    if first.isdigit() and last.isdigit():
        width = len(first) if first[0] == "0" else 0
        found = [f"{number:0{width}d}" for number in range(int(first), int(last) + 1, int(step))]
    elif first in string.ascii_letters and last in string.ascii_letters:
        letters = string.ascii_letters
        found = list(letters[letters.index(first) : letters.index(last) + 1 : int(step)])
    else:
        raise ValueError(f"unreadable range [{body}] in {pattern!r}; Ansible writes [01:50]")
    if not found:
        raise ValueError(f"the range [{body}] in {pattern!r} counts downwards")
    return found
