"""From an Ansible inventory to the fleet, saying what could not be carried over.

A host's tier is the deepest group it stands in; of several equally deep, the first of the file;
`ungrouped` when it stands in none. Every other group it belongs to becomes a tag `GROUP=yes`.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import msgspec

from fleetctl.base.errors import InputError
from fleetctl.inventory.ansible_vars import Meaning, Unfit, meaning
from fleetctl.inventory.foreign import REST, TOP, Foreign, Raw
from fleetctl.inventory.grouptree import GroupTree
from fleetctl.inventory.links import circles, twins
from fleetctl.inventory.login import beside
from fleetctl.inventory.model import Fleet, Host, Login, Tier
from fleetctl.inventory.names import NAME, RESERVED_HOSTS, RESERVED_TAGS, TAG
from fleetctl.inventory.reading import Reading, Remark


def carry_over(foreign: Foreign, path: Path) -> Reading:
    """The fleet a foreign inventory describes, and remarks on the rest; raises InputError."""
    return _Carrier(foreign, path).reading()


class _Shape(msgspec.Struct):
    """What hosts of the same groups share."""

    tier: str
    variables: Raw
    tags: dict[str, str]
    meaning: Meaning
    login: Login
    narrower: dict[tuple[object, ...], _Shape] = {}
    """By own variables: the shape of those hosts that have just these."""


NARROWER_MAX = 10_000


class _Carrier:
    """Walks the hosts once; hosts of the same groups without variables of their own share all."""

    def __init__(self, foreign: Foreign, path: Path) -> None:
        self.foreign = foreign
        self.path = path
        self.tree = GroupTree(foreign)
        self.shapes: dict[tuple[str, ...], _Shape] = {}
        self.hosts: dict[str, Host] = {}
        self.jumps: dict[str, str] = {}
        self.counts: dict[str, int] = {}
        self.places: dict[str, str] = {}

    def reading(self) -> Reading:
        members = self.tree.groups_of_hosts()
        for name, own in self.foreign.hosts.items():
            groups = members[name]
            shape = self.shapes.get(groups) or self.shape(groups, name)
            self.add(name, own, shape)
        if not self.hosts:
            raise InputError("there are no hosts", self.foreign.locate(self.first_spot(), ""))
        self.connect()
        self.check()
        return Reading(self.fleet(), self.foreign.file, self.foreign.form, self.sorted_remarks())

    def first_spot(self) -> object:
        return next((group.spot for group in self.foreign.groups.values()), None)

    def shape(self, groups: tuple[str, ...], host: str) -> _Shape:
        variables = self.tree.variables(groups)
        tier = self.tree.tier(groups)
        if not NAME.fullmatch(tier):
            spot = self.foreign.groups[tier].spot
            self.foreign.refuse(f'"{tier}" is no name for a tier', spot)
        tags: dict[str, str] = {}
        for group in self.tree.line(groups):
            if group in (tier, TOP, REST):
                continue
            if TAG.fullmatch(group) and group not in RESERVED_TAGS:
                tags[group] = "yes"
            else:
                spot = self.foreign.groups[group].spot
                self.remark(f'group "{group}" cannot become a tag of its hosts', spot)
        found = self.meaning(variables, host)
        shape = self.shapes[groups] = _Shape(
            tier, variables, {**tags, **found.tags}, found, self.login(found)
        )
        return shape

    def add(self, name: str, own: Raw, shape: _Shape) -> None:
        if not NAME.fullmatch(name) or name in RESERVED_HOSTS:
            self.foreign.refuse(f'"{name}" is no name for a host here', self.foreign.spots[name],
                                hint="letters, digits, dot, dash, underscore")  # fmt: skip
        shape, address = self.own_shape(name, own, shape) if own else (shape, "")
        found = shape.meaning
        for key, why in found.left.items():
            self.remark_variable(f"{key} {why}", name, key)
        if found.foreign_connection:
            what = f"hosts reached by {found.foreign_connection} are left out"
            self.remark_variable(what, name, "ansible_connection")
            return
        if found.jump:
            self.jumps[name] = found.jump
        address = address or found.address or name
        self.hosts[name] = Host(name, shape.tier, address, shape.login, shape.tags, found.variables)

    def own_shape(self, name: str, own: Raw, shape: _Shape) -> tuple[_Shape, str]:
        """The shape of a host with variables of its own, and its own address.

        Hosts whose own variables are alike but for the address share it, too.
        """
        rest = {key: value for key, value in own.items() if key != "ansible_host"}
        address = ""
        if len(rest) < len(own):
            address = self.meaning({"ansible_host": own["ansible_host"]}, name).address
        if not rest:
            return shape, address
        key = tuple((word, type(value), value) for word, value in rest.items())
        try:
            known = shape.narrower.get(key)
        except TypeError:  # a list or a mapping among them
            key, known = (), None
        if known is None:
            found = self.meaning({**shape.variables, **rest}, name)
            login = shape.login if found.login == shape.meaning.login else self.login(found)
            tags = {**shape.tags, **found.tags}
            known = _Shape(shape.tier, {}, tags, found, login)
            if key and len(shape.narrower) < NARROWER_MAX:
                shape.narrower[key] = known
        return known, address

    def meaning(self, variables: Mapping[str, object], host: str) -> Meaning:
        try:
            return meaning(variables)
        except Unfit as unfit:
            self.foreign.refuse(f"{unfit.key} {unfit}", self.spot(host, unfit.key), unfit.key)

    def spot(self, host: str, key: str) -> object:
        """Where the variable a host ends up with was written."""
        if key in self.foreign.hosts[host]:
            return self.foreign.spots[host]
        for group in reversed(self.tree.line(self.tree.groups_of_hosts()[host])):
            if key in self.foreign.groups[group].variables:
                return self.foreign.groups[group].spots[key]
        return self.foreign.spots[host]

    def login(self, found: Meaning) -> Login:
        fields = dict(found.login)
        if "identity" in fields:
            fields["identity"] = tuple(beside(self.path.parent, p) for p in fields["identity"])
        return Login(**fields)

    def connect(self) -> None:
        """Turn jump hosts into `via`, where they are hosts of this inventory."""
        by_address = {host.address: host.name for host in self.hosts.values()} if self.jumps else {}
        shared: dict[tuple[Login, str], Login] = {}
        for name, jump in self.jumps.items():
            via = jump if jump in self.hosts else by_address.get(jump, "")
            host = self.hosts[name]
            if not via:
                what = f"the jump host {jump} is no host of this inventory"
                self.remark(what, self.foreign.spots[name])
            elif via != name:
                key = (host.login, via)
                if key not in shared:
                    shared[key] = msgspec.structs.replace(host.login, via=via)
                self.hosts[name] = msgspec.structs.replace(host, login=shared[key])

    def check(self) -> None:
        for circle in circles(self.hosts):
            spot = self.foreign.spots[circle[0]]
            self.foreign.refuse(f"jump hosts go in a circle: {' -> '.join(circle)}", spot)
        for name, other in twins(self.hosts):
            self.foreign.refuse(
                f'host "{name}" has the address {self.hosts[name].address} of host "{other}"',
                self.foreign.spots[name],
                why="one machine under two names would be worked on twice at once",
            )

    def remark(self, what: str, spot: object, key: str = "") -> None:
        """Say something is left behind; of several alike the first place is kept."""
        self.counts[what] = self.counts.get(what, 0) + 1
        if what not in self.places:
            self.places[what] = str(self.foreign.locate(spot, key))

    def remark_variable(self, what: str, host: str, key: str) -> None:
        if what in self.places:
            self.counts[what] += 1
        else:
            self.remark(what, self.spot(host, key), key)

    def sorted_remarks(self) -> tuple[Remark, ...]:
        folder = self.path.parent
        unread = [
            Remark(f"the folder {name} is not read", str(folder / name))
            for name in ("group_vars", "host_vars")
            if (folder / name).is_dir()
        ]
        said = [Remark(what, self.places[what], count) for what, count in self.counts.items()]
        return (*said, *unread)

    def fleet(self) -> Fleet:
        tiers: dict[str, list[str]] = {}
        for host in self.hosts.values():
            tiers.setdefault(host.tier, []).append(host.name)
        vias = dict.fromkeys(host.login.via for host in self.hosts.values())
        return Fleet(
            name=self.path.stem if NAME.fullmatch(self.path.stem) else "fleet",
            hosts=self.hosts,
            tiers={name: Tier(name, tuple(hosts)) for name, hosts in tiers.items()},
            source=str(self.path.resolve()),
            bastions=tuple(name for name in vias if name),
        )
