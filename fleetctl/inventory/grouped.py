"""Reading Ansible's YAML inventories and the JSON its inventory programs print."""

from __future__ import annotations

from fleetctl.base.errors import InputError, Location
from fleetctl.base.marked import Document, unknown_key
from fleetctl.inventory.dialect import GROUP_KEYS
from fleetctl.inventory.foreign import Foreign, Group, Raw, expand_ansible

Place = tuple[str | int, ...]


def read_grouped(document: Document) -> Foreign:
    """The groups and hosts of an Ansible YAML inventory; raises InputError."""
    if "plugin" in document.data:
        raise InputError(
            "this configures an inventory plugin of Ansible; it lists no hosts",
            document.key_location(("plugin",)),
            hint="let `ansible-inventory -i FILE --list` print it, and name a program that does so",
        )
    return _Grouped(document).read()


class _Grouped:
    """Walks the tree of groups; a spot is the path of a key."""

    def __init__(self, document: Document) -> None:
        self.document = document
        self.foreign = Foreign(document.file, "ansible yaml", self.locate)

    def locate(self, spot: object, key: str) -> Location:
        assert isinstance(spot, tuple)
        if key:
            return self.document.key_location((*spot, key))
        return self.document.key_location(spot)

    def read(self) -> Foreign:
        pending: list[tuple[Place, str, object]] = [
            ((str(name),), str(name), body) for name, body in self.document.data.items()
        ]
        while pending:
            path, name, body = pending.pop(0)
            group = self.foreign.group(name, path)
            for key, value in self.mapping(body, path).items():
                if key not in GROUP_KEYS:
                    raise unknown_key(self.document, (*path, key), GROUP_KEYS)
                below = self.mapping(value, (*path, key))
                if key == "hosts":
                    self.hosts(group, below, (*path, key))
                elif key == "vars":
                    group.variables.update(below)
                    group.spots.update(dict.fromkeys(below, (*path, key)))
                else:
                    group.children += below
                    pending += [((*path, key, child), child, b) for child, b in below.items()]
        return self.foreign

    def mapping(self, value: object, path: Place) -> Raw:
        if value is None:
            return {}
        if not isinstance(value, dict):
            self.foreign.refuse(f"expected a mapping under {path[-1]}", path)
        return {str(key): item for key, item in value.items()}

    def hosts(self, group: Group, entries: Raw, path: Place) -> None:
        for pattern, variables in entries.items():
            own = self.mapping(variables, (*path, pattern))
            try:
                for name in expand_ansible(pattern):
                    self.foreign.add_host(name, group, own, (*path, pattern))
            except ValueError as error:
                self.foreign.refuse(str(error), (*path, pattern))


def read_printed(data: object, file: str) -> Foreign:
    """The groups and hosts of the JSON an inventory program printed; raises InputError."""
    return _Printed(data, file).read()


def add_hostvars(foreign: Foreign, host: str, data: object) -> None:
    """The variables of one host, asked for by itself."""
    if not isinstance(data, dict):
        foreign.refuse(f"expected an object for --host {host}, found {_kind(data)}", "")
    foreign.hosts[host] = data
    foreign.spots[host] = f"--host {host}"


class _Printed:
    """Walks the flat table of groups; a spot is words, as there is no line to point at."""

    def __init__(self, data: object, file: str) -> None:
        self.data = data
        self.foreign = Foreign(file, "program", self.locate)

    def locate(self, spot: object, key: str) -> Location:
        inside = f"{spot}.{key}" if key else f"{spot}"
        return Location(f"{self.foreign.file} ({inside})" if inside else self.foreign.file)

    def read(self) -> Foreign:
        data = self.mapping(self.data, "", "an object of groups")
        meta = self.mapping(data.get("_meta", {}), "_meta", "an object")
        hostvars = self.mapping(meta.get("hostvars", {}), "_meta.hostvars", "an object")
        for name, body in data.items():
            if name != "_meta":
                self.group(name, body)
        for host, variables in hostvars.items():
            own = self.mapping(variables, f"_meta.hostvars.{host}", "an object")
            if host in self.foreign.hosts:
                self.foreign.hosts[host] = own
                self.foreign.spots[host] = f"_meta.hostvars.{host}"
        return self.foreign

    def group(self, name: str, body: object) -> None:
        group = self.foreign.group(name, name)
        if isinstance(body, list):
            body = {"hosts": body}
        said = self.mapping(body, name, "an object or a list of hosts")
        for host in self.names(said.get("hosts"), f"{name}.hosts"):
            self.foreign.add_host(host, group, {}, name)
        for child in self.names(said.get("children"), f"{name}.children"):
            self.foreign.group(child, name)
            group.children.append(child)
        group.variables.update(self.mapping(said.get("vars"), f"{name}.vars", "an object"))
        group.spots.update(dict.fromkeys(group.variables, f"{name}.vars"))

    def mapping(self, value: object, inside: str, wanted: str) -> Raw:
        if value is None:
            return {}
        if not isinstance(value, dict):
            self.foreign.refuse(f"expected {wanted}, found {_kind(value)}", inside)
        return value

    def names(self, value: object, inside: str) -> list[str]:
        if value is None:
            return []
        if not isinstance(value, list) or not all(isinstance(name, str) for name in value):
            self.foreign.refuse(f"expected a list of names, found {_kind(value)}", inside)
        return value


def _kind(value: object) -> str:
    words = {dict: "an object", list: "a list", str: "text", bool: "true or false"}
    return words.get(type(value), "nothing" if value is None else "a number")
