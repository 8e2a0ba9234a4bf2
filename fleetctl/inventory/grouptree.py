"""The tree of Ansible's groups: depths, ancestors, and how variables win over each other."""

from __future__ import annotations

from fleetctl.inventory.foreign import REST, TOP, Foreign, Raw


class GroupTree:
    """Depths and lines of descent; raises InputError when groups contain each other in a circle."""

    def __init__(self, foreign: Foreign) -> None:
        self.groups = foreign.groups
        self.foreign = foreign
        self.order = {name: index for index, name in enumerate(self.groups)}
        self.parents: dict[str, list[str]] = {name: [] for name in self.groups}
        for group in self.groups.values():
            for child in group.children:
                self.parents[child].append(group.name)
        self.depths: dict[str, int] = {}
        for name in self.groups:
            self.depth(name, ())
        self._members: dict[str, tuple[str, ...]] = {}

    def depth(self, name: str, below: tuple[str, ...]) -> int:
        """Steps from `all`, the longest way; top groups have 1."""
        if name in below:
            trail = " -> ".join((*below[below.index(name) :], name))
            self.foreign.refuse(f"groups contain each other in a circle: {trail}",
                                self.groups[name].spot)  # fmt: skip
        if name not in self.depths:
            above = [self.depth(parent, (*below, name)) for parent in self.parents[name]]
            self.depths[name] = 0 if name == TOP else max([0, *above]) + 1
        return self.depths[name]

    def groups_of_hosts(self) -> dict[str, tuple[str, ...]]:
        """Host -> the groups that list it."""
        if not self._members:
            found: dict[str, tuple[str, ...]] = dict.fromkeys(self.foreign.hosts, ())
            for group in self.groups.values():
                alone = (group.name,)
                for host in group.hosts:
                    known = found[host]
                    if not known:
                        found[host] = alone
                    elif group.name not in known:
                        found[host] = (*known, group.name)
            self._members = found
        return self._members

    def tier(self, groups: tuple[str, ...]) -> str:
        """The deepest of the groups, of equally deep ones the first of the file."""
        real = [name for name in groups if name not in (TOP, REST)]
        return min(real, key=lambda n: (-self.depths[n], self.order[n])) if real else REST

    def line(self, groups: tuple[str, ...]) -> list[str]:
        """The groups and all above them, in the order their variables win: the last one wins."""
        found: set[str] = {TOP} & set(self.groups)
        pending = list(groups)
        while pending:
            name = pending.pop()
            if name not in found:
                found.add(name)
                pending += self.parents[name]
        return sorted(found, key=lambda name: (self.depths[name], self.priority(name), name))

    def priority(self, name: str) -> int:
        """Ansible's own tie breaker between groups of one depth."""
        value = self.groups[name].variables.get("ansible_group_priority", 1)
        return value if isinstance(value, int) else 1

    def variables(self, groups: tuple[str, ...]) -> Raw:
        """What the hosts of these groups inherit."""
        merged: Raw = {}
        for name in self.line(groups):
            merged.update(self.groups[name].variables)
        merged.pop("ansible_group_priority", None)
        return merged
