"""The inventory of a lab: the original fleet, every host at its loopback address."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import msgspec
import yaml

from fleetctl.inventory.model import Fleet, Host, Scalar, Tier
from fleetctl.inventory.pools import pools_data
from fleetctl.lab.layout import LabHost, LabState, Layout
from fleetctl.lab.shortcut import overseer_home

_DUMPER = getattr(yaml, "CSafeDumper", yaml.SafeDumper)


class InventoryChanges(msgspec.Struct, frozen=True):
    """What the lab's inventory says beside the original."""

    playbook: str = ""
    """Default playbook, absolute; empty: the one of the original."""
    variables: Mapping[str, Scalar] = {}
    """Laid over those of every host."""
    throttled: bool = True
    """Whether the original's throttles hold: a rehearsal may want to be quicker."""


_NO_CHANGES = InventoryChanges()


def inventory_text(
    fleet: Fleet, layout: Layout, state: LabState, changes: InventoryChanges = _NO_CHANGES
) -> str:
    """Native inventory YAML: tiers, tags, variables, limits and bastions as in `fleet`."""
    lab_hosts = {host.name: host for host in state.hosts}
    users = {host.user for host in state.hosts}
    shared_user = users.pop() if len(users) == 1 else ""
    defaults = {"port": state.port, "identity": layout.identity.name}
    document: dict[str, Any] = {"fleet": fleet.name}
    if changes.playbook or fleet.playbook:
        document["playbook"] = changes.playbook or fleet.playbook
    document["known_hosts"] = layout.known_hosts.name
    if fleet.carry is not None:
        document["carry"] = fleet.carry
    document["defaults"] = defaults | ({"user": shared_user} if shared_user else {})
    changed = _changed(fleet, changes)
    home = overseer_home(layout, state.id, lab_hosts)
    document["tiers"] = {
        tier.name: {
            **_tier_block(tier),
            **_pools_block(changed, tier, home),
            "hosts": {
                name: _host_block(changed.hosts[name], lab_hosts[name], shared_user)
                for name in tier.hosts
            },
        }
        for tier in changed.tiers.values()
    }
    head = (
        f"# Written by `fleetctl lab up` from {fleet.source}; `fleetctl lab up` writes it anew.\n"
    )
    return head + yaml.dump(document, Dumper=_DUMPER, sort_keys=False, default_flow_style=None)


def _changed(fleet: Fleet, changes: InventoryChanges) -> Fleet:
    """The fleet with the changes laid over its hosts and tiers."""
    hosts, tiers = fleet.hosts, fleet.tiers
    if changes.variables:
        hosts = {
            name: msgspec.structs.replace(host, variables={**host.variables, **changes.variables})
            for name, host in hosts.items()
        }
    if not changes.throttled:
        tiers = {
            name: msgspec.structs.replace(tier, throttle_per_min=0.0)
            for name, tier in tiers.items()
        }
    return msgspec.structs.replace(fleet, hosts=hosts, tiers=tiers)


def _tier_block(tier: Tier) -> dict[str, Any]:
    block: dict[str, Any] = {}
    if tier.limit:
        block["limit"] = tier.limit
    if tier.floor:
        block["floor"] = tier.floor
    if tier.throttle_per_min:
        block["throttle"] = f"{tier.throttle_per_min:g}/min"
    block["timeout"] = tier.timeout_s
    return block


def _pools_block(fleet: Fleet, tier: Tier, home: str) -> dict[str, Any]:
    """As in the original; but no systemd looks after the processes of a lab."""
    pools = fleet.hosts[tier.hosts[0]].pools
    if pools is None:
        return {}
    return {"pools": pools_data(msgspec.structs.replace(pools, unit="", home=home))}


def _host_block(host: Host, lab_host: LabHost, shared_user: str) -> dict[str, Any]:
    block: dict[str, Any] = {"address": lab_host.address}
    if lab_host.user != shared_user:
        block["user"] = lab_host.user
    if host.login.via:
        block["via"] = host.login.via
    if host.tags:
        block["tags"] = dict(host.tags)
    if host.variables:
        block["variables"] = dict(host.variables)
    return block
