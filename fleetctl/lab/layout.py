"""What a lab is and where its files lie: one folder, one state file, one folder a host."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Literal

import msgspec

from fleetctl.base.errors import UsageError

ServerKind = Literal["embedded", "openssh"]

MARK = "FLEETCTL_LAB"
"""Environment variable every process of a lab carries: `LAB-ID/HOST`; the keeper's host is ``."""


class LabHost(msgspec.Struct, frozen=True):
    """One host of the lab; `name` and `tier` are those of the inventory it stands for."""

    name: str
    tier: str
    address: str
    user: str
    forwards: bool = False
    """Whether others are reached through it: only then does it forward connections."""


class LabState(msgspec.Struct, frozen=True):
    """What `lab up` decided, kept over `down` and the next `up`."""

    id: str
    server: ServerKind
    port: int
    block: int
    """The x of 127.x.0.0/16."""
    source: str
    """The inventory it was made from."""
    hosts: tuple[LabHost, ...]
    client_key: str
    """The client's public key, `ssh-ed25519 AAAA...`."""

    def host(self, name: str) -> LabHost | None:
        return next((host for host in self.hosts if host.name == name), None)


class Layout(msgspec.Struct, frozen=True):
    """The files of the lab in `folder` (absolute)."""

    folder: Path

    @property
    def state(self) -> Path:
        return self.folder / "lab.json"

    @property
    def inventory(self) -> Path:
        return self.folder / "inventory.yaml"

    @property
    def known_hosts(self) -> Path:
        return self.folder / "known_hosts"

    @property
    def identity(self) -> Path:
        return self.folder / "client_key"

    @property
    def authorized_keys(self) -> Path:
        return self.folder / "authorized_keys"

    @property
    def pid(self) -> Path:
        return self.folder / "keeper.pid"

    @property
    def log(self) -> Path:
        return self.folder / "keeper.log"

    @property
    def control(self) -> Path:
        return self.folder / "control"

    def host(self, name: str) -> Path:
        return self.folder / "hosts" / name

    def home(self, name: str) -> Path:
        return self.host(name) / "home"

    def host_key(self, name: str) -> Path:
        return self.host(name) / "host_key"

    def wrong_key(self, name: str) -> Path:
        return self.host(name) / "wrong_host_key"

    def shims(self, name: str) -> Path:
        """Programs that stand before the real ones on the host's PATH."""
        return self.host(name) / "bin"

    def enter(self, name: str) -> Path:
        """The sh text a login goes through where a fault or the server kind asks for it."""
        return self.host(name) / "enter"


def environment(layout: Layout, state: LabState, host: LabHost) -> dict[str, str]:
    """What a login on `host` finds in its environment."""
    home = str(layout.home(host.name))
    return {
        "HOME": home,
        "USER": host.user,
        "LOGNAME": host.user,
        "SHELL": "/bin/sh",
        "PATH": f"{layout.shims(host.name)}:/usr/local/bin:/usr/bin:/bin:/usr/sbin:/sbin",
        "FLEETCTL_HOME": f"{home}/.fleetctl",
        MARK: f"{state.id}/{host.name}",
    }


def write_state(layout: Layout, state: LabState) -> None:
    """Replace the state file in one move."""
    text = msgspec.json.format(msgspec.json.encode(state), indent=1)
    fresh = layout.state.with_suffix(".new")
    fresh.write_bytes(text + b"\n")
    fresh.replace(layout.state)


def read_state(layout: Layout) -> LabState | None:
    """The lab of this folder; None when there never was one, or its file is unreadable."""
    try:
        return msgspec.json.decode(layout.state.read_bytes(), type=LabState)
    except (FileNotFoundError, msgspec.DecodeError):
        return None


def require_state(layout: Layout) -> LabState:
    """The lab of this folder; raises UsageError when there is none."""
    state = read_state(layout)
    if state is None:
        raise UsageError(
            f"there is no lab in {os.path.relpath(layout.folder)}",
            hint="start one with `fleetctl lab up`, or name its folder with --dir",
        )
    return state
