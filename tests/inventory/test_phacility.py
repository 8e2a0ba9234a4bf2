"""The shipped inventory: the 44 hosts of the hosted application."""

from __future__ import annotations

from pathlib import Path

from fleetctl.inventory.load import load_fleet
from fleetctl.inventory.review import review

FILE = Path(__file__).resolve().parents[2] / "inventory" / "phacility.yaml"


def test_it_has_44_hosts_in_their_tiers() -> None:
    """The shipped fleet is the one every document speaks of."""
    sizes = {name: len(tier.hosts) for name, tier in load_fleet(FILE).tiers.items()}
    assert sizes == {
        "bastion": 1, "secure": 4, "web": 4, "db": 16, "repo": 16, "build": 1,
        "sbuild": 1, "saux": 1,
    }  # fmt: skip


def test_everything_goes_through_the_bastion_but_itself() -> None:
    """A default `via` does not send the bastion through itself."""
    fleet = load_fleet(FILE)
    direct = [host.name for host in fleet.hosts.values() if not host.login.via]
    assert direct == ["bastion001"]
    assert fleet.bastions == ("bastion001",)


def test_a_pair_spans_both_zones() -> None:
    """The two db hosts of a pair stand in different zones."""
    pairs: dict[str, set[str]] = {}
    fleet = load_fleet(FILE)
    for name in fleet.tiers["db"].hosts:
        host = fleet.hosts[name]
        pairs.setdefault(host.pair, set()).add(host.tags["zone"])
    assert len(pairs) == 8
    assert set(map(frozenset, pairs.values())) == {frozenset("ab")}


def test_secure_is_worked_on_one_at_a_time() -> None:
    """The tier that deploys from itself keeps three of its four hosts."""
    tier = load_fleet(FILE).tiers["secure"]
    assert (tier.limit, tier.floor) == ("1", "3")


def test_there_is_nothing_to_remark() -> None:
    """The shipped fleet has no pair with one host and no floor that stops every push."""
    assert review(load_fleet(FILE)) == []
