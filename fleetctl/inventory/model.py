"""The fleet in memory: frozen, resolved (defaults already applied), cheap at 200,000 hosts."""

from __future__ import annotations

from collections.abc import Mapping

import msgspec

Scalar = str | int | float | bool


class Login(msgspec.Struct, frozen=True):
    """How to log in: what fleet, tier and host defaults say; empty fields fall to ssh config.

    One Login is shared by all hosts that resolve to the same values.
    """

    user: str = ""
    port: int = 0
    identity: tuple[str, ...] = ()
    via: str = ""
    """Name of the host of this fleet to go through (its bastion); empty means direct."""
    connect_timeout_s: float = 10.0
    transport: str = "ssh"
    """`ssh`, or `local` for this very machine."""


class Pools(msgspec.Struct, frozen=True, omit_defaults=True):
    """How the daemon pools of a host are kept: where its overseer is, and what it is told.

    Texts may hold names such as `{{var.root}}`, whose values are those of the host.
    """

    home: str = "~/.fleetctl/overseer"
    """The folder on the host with the program, specs and state; `~/` is the login's home."""
    python: str = "python3"
    """The host's Python, 3.9 or later."""
    specs: str = ""
    """Absolute path of the folder of spec files on this machine; empty: they are kept by others."""
    instances_file: str = ""
    """Absolute path of a file on this machine that names a host's instances, one a line."""
    instances_command: str = ""
    """sh text that prints them on the host."""
    unit: str = ""
    """The unit of systemd that runs the overseer; empty: it is started without systemd."""
    reserve: float = 10.0
    """Percentage of the host's memory that growth leaves alone."""


class Host(msgspec.Struct, frozen=True):
    """One address we log in to."""

    name: str
    tier: str
    address: str
    login: Login
    tags: Mapping[str, str] = {}
    """zone, shard, pair and whatever else the owner groups by."""
    variables: Mapping[str, Scalar] = {}
    """Fleet, tier and host variables merged, the nearer one winning."""
    pools: Pools | None = None
    """Said by the tier and shared by its hosts; None: it keeps no daemon pools."""

    @property
    def pair(self) -> str:
        """Hosts of one pair are never down together; empty means it has no partner."""
        return self.tags.get("pair", "")


class Tier(msgspec.Struct, frozen=True):
    """Hosts with one role, and how much of it may be worked on at once."""

    name: str
    hosts: tuple[str, ...]
    limit: str = ""
    """Most hosts in flight at once: a count or a percentage of the tier; empty means no limit."""
    throttle_per_min: float = 0.0
    """Most host starts a minute; 0 means unthrottled."""
    timeout_s: float = 300.0
    """Deadline of a step that names none."""
    floor: str = ""
    """Least hosts that must be up: a count or a percentage of the tier; empty means none."""


class Fleet(msgspec.Struct, frozen=True):
    """Everything one inventory describes."""

    name: str
    hosts: Mapping[str, Host]
    """By name, in the order of the inventory."""
    tiers: Mapping[str, Tier]
    source: str
    """The file it was read from; relative paths in it are relative to that file's folder."""
    playbook: str = ""
    """Absolute path of the default playbook; empty when the inventory names none."""
    known_hosts: str = ""
    """Absolute path of the fleet's own known_hosts file."""
    bastions: tuple[str, ...] = ()
    """Names of hosts that are a `via` of another host."""
    carry: bool | None = None
    """Whether journals of runs are carried by the fleet; None: by its bastions, if it has any."""
