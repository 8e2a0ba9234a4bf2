"""The native inventory file as its owner writes it: the types its text and its schema follow."""

from __future__ import annotations

from typing import Annotated, Literal

import msgspec
from msgspec import UNSET, Meta, UnsetType

from fleetctl.inventory.model import Pools, Scalar

Text = str | UnsetType
Amount = (
    Annotated[
        str | int,
        Meta(description="A count (3) or a percentage of the tier (25%).", examples=[3, "25%"]),
    ]
    | UnsetType
)
Duration = (
    Annotated[
        str | int | float,
        Meta(description="30s, 5m, 1h30m, or a number of seconds.", examples=["30s", "5m"]),
    ]
    | UnsetType
)
TagText = str | int | bool


class Spread(msgspec.Struct, forbid_unknown_fields=True):
    """Tag values laid over the hosts of a range, each for several hosts in a row."""

    values: Annotated[
        str | list[TagText], Meta(description="A list of values, or a range such as p[01-08].")
    ]
    each: Annotated[int, Meta(ge=1, description="How many hosts in a row get the same value.")] = 1


TagValue = TagText | list[TagText] | Spread
Tags = Annotated[
    dict[str, TagValue],
    Meta(description="A list of values, or a range, goes around over the hosts in order."),
]
Variables = Annotated[
    dict[str, Scalar], Meta(description="What playbooks read as {{var.NAME}}; the nearer wins.")
]


class LoginBlock(msgspec.Struct, forbid_unknown_fields=True, kw_only=True):
    """How hosts are logged in to; may stand in `defaults`, a tier, or a host entry."""

    user: Text = UNSET
    port: Annotated[int, Meta(ge=1, le=65535)] | UnsetType = UNSET
    identity: (
        Annotated[
            str | list[str],
            Meta(description="Private key files; relative to the inventory's folder."),
        ]
        | UnsetType
    ) = UNSET
    via: (
        Annotated[str, Meta(description='Host to go through (a bastion); "" means directly.')]
        | UnsetType
    ) = UNSET
    connect_timeout: Duration = UNSET
    transport: Literal["ssh", "local"] | UnsetType = UNSET
    address: (
        Annotated[
            str,
            Meta(
                description="A pattern ({name}.example.com), a range with one address a host"
                " (10.0.0.[11-26]), or a first address and + to count up from (10.0.0.11+).",
            ),
        ]
        | UnsetType
    ) = UNSET


class HostBlock(LoginBlock, kw_only=True):
    """What is special about the hosts of one entry."""

    tags: Tags = {}
    variables: Variables = {}


class DefaultsBlock(LoginBlock, kw_only=True):
    """What holds for every tier and host that does not say otherwise."""

    limit: Amount = UNSET
    throttle: (
        Annotated[
            str | int | float,
            Meta(description="Most host starts a minute.", examples=["30/min", "2/s"]),
        ]
        | UnsetType
    ) = UNSET
    timeout: Duration = UNSET
    floor: Amount = UNSET


class Instances(msgspec.Struct, forbid_unknown_fields=True, kw_only=True):
    """Where the names of a host's instances come from, one a line; one of these."""

    file: Annotated[
        str, Meta(description="On this machine, relative to the inventory's folder.")
    ] = ""
    command: Annotated[str, Meta(description="sh text that prints them on the host.")] = ""


class PoolsBlock(msgspec.Struct, forbid_unknown_fields=True, kw_only=True):
    """How the daemon pools of a tier's hosts are kept; {{names}} stand for what is the host's."""

    home: Annotated[
        str,
        Meta(description="The overseer's folder on the host; ~/.fleetctl/overseer if left out."),
    ] = Pools().home
    python: Annotated[str, Meta(description="The host's Python, 3.9 or later.")] = Pools().python
    specs: Annotated[
        str, Meta(description="The folder of spec files, relative to the inventory's folder.")
    ] = ""
    instances: Instances = msgspec.field(default_factory=Instances)
    unit: Annotated[
        str,
        Meta(description="The unit of systemd that runs it; left out: it runs without systemd."),
    ] = ""
    reserve: Annotated[
        float, Meta(ge=0, le=90, description="Percentage of memory that growth leaves alone.")
    ] = Pools().reserve


class TierBlock(DefaultsBlock, kw_only=True):
    """Hosts with one role, and how much of it may be worked on at once."""

    hosts: Annotated[
        str | list[str] | dict[str, HostBlock | None],
        Meta(description="Names or ranges (db[001-016]), or a mapping of them to what is special."),
    ]
    tags: Tags = {}
    variables: Variables = {}
    pools: PoolsBlock | UnsetType = UNSET


class InventoryFile(msgspec.Struct, forbid_unknown_fields=True, kw_only=True):
    """A fleet: its tiers and hosts."""

    fleet: Annotated[str, Meta(description="The name of the fleet.")]
    tiers: dict[str, TierBlock]
    playbook: Annotated[
        str, Meta(description="Default playbook, relative to this file's folder.")
    ] = ""
    known_hosts: Annotated[
        str, Meta(description="The fleet's known_hosts file, relative to this file's folder.")
    ] = ""
    carry: Annotated[
        bool | UnsetType,
        Meta(
            description="Whether the journal of a run is carried by the fleet, so that it can be "
            "watched and taken over from another machine; without the key, by its bastions."
        ),
    ] = UNSET
    defaults: DefaultsBlock = msgspec.field(default_factory=DefaultsBlock)
    variables: Variables = {}
