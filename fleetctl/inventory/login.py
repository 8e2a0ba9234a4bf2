"""How a host is logged in to, from the blocks of fleet, tier and host entry, the nearer winning."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgspec
from msgspec import UNSET

from fleetctl.base.durations import parse_duration_s
from fleetctl.inventory.findings import Findings
from fleetctl.inventory.model import Host, Login
from fleetctl.inventory.source import HostBlock, LoginBlock, TierBlock

Place = tuple[str | int, ...]
USER = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.@\\-]*")
"""Never starting with a dash: ssh would read it as a flag."""


class LoginMerger:
    """Makes one Login an entry; remembers where each `via` was written, for errors about it."""

    def __init__(self, defaults: LoginBlock, folder: Path, findings: Findings) -> None:
        self.folder = folder
        self.findings = findings
        self.via_paths: dict[str, Place] = {}
        """Name of a `via` -> where it was first written."""
        self.outer = self.fields(defaults, ("defaults",))
        self.tiers: dict[str, dict[str, Any]] = {}

    def merged(self, tier: TierBlock, name: str, block: HostBlock, path: Place) -> Login:
        """The login of the hosts of one entry."""
        if name not in self.tiers:
            self.tiers[name] = self.fields(tier, ("tiers", name))
        return Login(**{**self.outer, **self.tiers[name], **self.fields(block, path)})

    def fields(self, block: LoginBlock, path: Place) -> dict[str, Any]:
        """The login fields a block sets, checked."""
        values: dict[str, Any] = {}
        for key, (name, parse) in _FIELDS.items():
            written = getattr(block, key)
            if written is UNSET:
                continue
            try:
                values[name] = parse(written, self.folder)
            except ValueError as error:
                self.findings.add(f"{key}: {error}", (*path, key))
        if values.get("via"):
            self.via_paths.setdefault(values["via"], (*path, "via"))
        return values

    def part_from_itself(
        self, hosts: dict[str, Host], path: Place, block: HostBlock, name: str
    ) -> None:
        """A bastion under a default `via` of itself is reached directly; said outright is wrong."""
        if block.via is not UNSET and len(block.via) > 0:
            self.findings.add(f'host "{name}" goes through itself', (*path, "via"),
                              hint='via: "" means directly')  # fmt: skip
        direct = msgspec.structs.replace(hosts[name].login, via="")
        hosts[name] = msgspec.structs.replace(hosts[name], login=direct)


def beside(folder: Path, path: str) -> str:
    """The absolute form of a path written in a file of `folder`."""
    return str((folder / Path(path).expanduser()).resolve())


def _same(value: Any, folder: Path) -> Any:
    return value


def _user(value: str, folder: Path) -> str:
    if value and not USER.fullmatch(value):
        raise ValueError(f'"{value}" is no user name')
    return value


def _identity(value: str | list[str], folder: Path) -> tuple[str, ...]:
    paths = [value] if isinstance(value, str) else value
    if not all(paths):
        raise ValueError("the name of a key file is empty")
    return tuple(beside(folder, path) for path in paths)


def _timeout(value: str | int | float, folder: Path) -> float:
    seconds = parse_duration_s(value)
    if not seconds:
        raise ValueError("connecting needs some time")
    return seconds


_FIELDS: dict[str, tuple[str, Callable[[Any, Path], Any]]] = {
    "user": ("user", _user),
    "port": ("port", _same),
    "identity": ("identity", _identity),
    "via": ("via", _same),
    "connect_timeout": ("connect_timeout_s", _timeout),
    "transport": ("transport", _same),
}
