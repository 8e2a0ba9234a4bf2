"""What is legal in a fleet and still probably not meant."""

from __future__ import annotations

from collections.abc import Iterator

from fleetctl.base.hostrange import fold
from fleetctl.inventory.amount import hosts_of
from fleetctl.inventory.model import Fleet


def review(fleet: Fleet) -> list[str]:
    """Sentences for its owner, in the order of the tiers."""
    return [*_floors(fleet), *_pairs(fleet)]


def _floors(fleet: Fleet) -> Iterator[str]:
    for tier in fleet.tiers.values():
        size = len(tier.hosts)
        if tier.floor and hosts_of(tier.floor, size, up=True) >= size:
            yield (
                f"tier {tier.name}: a floor of {tier.floor} keeps all {size} of its hosts up, "
                "so that none can ever be worked on"
            )


def _pairs(fleet: Fleet) -> Iterator[str]:
    members: dict[str, list[str]] = {}
    for host in fleet.hosts.values():
        if host.pair:
            members.setdefault(host.pair, []).append(host.name)
    alone = [names[0] for names in members.values() if len(names) == 1]
    if alone:
        yield f"pairs with one host only: {fold(alone)}"
    crowded = [pair for pair, names in members.items() if len(names) > 2]
    if crowded:
        yield f"pairs with more than two hosts: {', '.join(sorted(crowded))}"
