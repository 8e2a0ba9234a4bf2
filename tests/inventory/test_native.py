"""The native inventory: what it means, and how its mistakes are told."""

from __future__ import annotations

from pathlib import Path

import pytest

from fleetctl.base.errors import FleetError, InputErrors
from fleetctl.inventory.load import load_fleet
from fleetctl.inventory.model import Fleet
from tests.inventory.mistakes import NATIVE


def fleet_of(folder: Path, text: str, name: str = "i.yaml") -> Fleet:
    """The fleet of an inventory with this text."""
    (folder / name).write_text(text, encoding="utf-8")
    return load_fleet(folder / name)


@pytest.mark.parametrize("name", NATIVE)
def test_a_mistake_is_told_with_its_place(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Every kind of mistake: file, line, column, what was found, what was meant."""
    monkeypatch.chdir(tmp_path)
    text, told = NATIVE[name]
    with pytest.raises(FleetError) as caught:
        fleet_of(tmp_path, text)
    assert str(caught.value) == told


def test_very_many_mistakes_are_counted_and_the_first_told(tmp_path: Path) -> None:
    """A file with hundreds of mistakes says how many and tells twenty."""
    hosts = ", ".join("a" for _ in range(100))
    with pytest.raises(InputErrors) as caught:
        fleet_of(tmp_path, f"fleet: f\ntiers: {{db: {{hosts: [{hosts}]}}}}\n")
    assert len(caught.value.errors) == 21
    assert "99 mistakes; here are the first 20" in str(caught.value.errors[0])


FULL = """
fleet: f
playbook: ../p.yaml
known_hosts: kh
defaults: {user: deploy, via: gate, limit: 50%, address: "{name}.{tier}.x"}
variables: {a: 1, b: fleet}
tiers:
  gate: {hosts: gate, limit: 1}
  db:
    user: dba
    floor: 2
    throttle: 2/s
    timeout: 1h30m
    variables: {b: tier}
    tags: {zone: [a, b], pair: {each: 2, values: "p[1-2]"}}
    hosts:
      db[08-10]: {}
      db[11-12]:
        port: 2222
        via: ""
        identity: [keys/id, /etc/id]
        address: 10.0.0.255+
        transport: ssh
        connect_timeout: 3
        tags: {zone: z, extra: true}
        variables: {b: host, c: 1.5}
"""


def test_the_nearer_default_wins(tmp_path: Path) -> None:
    """Fleet, tier and host entry: each overrides the one before, field by field."""
    fleet = fleet_of(tmp_path, FULL)
    near, far = fleet.hosts["db12"], fleet.hosts["db08"]
    assert (far.login.user, far.login.via, far.login.port) == ("dba", "gate", 0)
    assert (near.login.user, near.login.via, near.login.port) == ("dba", "", 2222)
    assert near.login.connect_timeout_s == 3.0
    assert near.login.identity == (str(tmp_path / "keys/id"), "/etc/id")
    assert far.variables == {"a": 1, "b": "tier"}
    assert near.variables == {"a": 1, "b": "host", "c": 1.5}


def test_addresses_follow_the_nearest_rule(tmp_path: Path) -> None:
    """A pattern names each host; a first address counts up, over the octet's end too."""
    fleet = fleet_of(tmp_path, FULL)
    found = [host.address for host in fleet.hosts.values()]
    assert found == ["gate.gate.x", "db08.db.x", "db09.db.x", "db10.db.x", "10.0.0.255", "10.0.1.0"]


def test_tag_lists_go_around_over_the_range(tmp_path: Path) -> None:
    """A list cycles over the tier's hosts, `each` repeats, and a host entry overrides."""
    hosts = fleet_of(tmp_path, FULL).hosts
    assert [host.tags.get("zone") for host in hosts.values()] == [None, "a", "b", "a", "z", "z"]
    assert [host.pair for host in hosts.values()] == ["", "p1", "p1", "p2", "p2", "p1"]
    assert hosts["db11"].tags["extra"] == "true"


def test_a_tier_knows_its_amounts(tmp_path: Path) -> None:
    """Limits and floors come from the tier, else from the defaults."""
    tiers = fleet_of(tmp_path, FULL).tiers
    db = tiers["db"]
    assert (db.limit, db.floor, db.throttle_per_min, db.timeout_s) == ("50%", "2", 120.0, 5400.0)
    assert tiers["gate"].limit == "1"


def test_paths_are_relative_to_the_file(tmp_path: Path) -> None:
    """Playbook and known_hosts are found from the inventory's folder, wherever one stands."""
    fleet = fleet_of(tmp_path, FULL)
    assert fleet.playbook == str(tmp_path.parent / "p.yaml")
    assert fleet.known_hosts == str(tmp_path / "kh")


@pytest.mark.parametrize(
    ("spec", "found"),
    [
        ("10.0.0.[11-13]", ["10.0.0.11", "10.0.0.12", "10.0.0.13"]),
        ("fe80::fffe+", ["fe80::fffe", "fe80::ffff", "fe80::1:0"]),
        ("a.x,b.x,c.x", ["a.x", "b.x", "c.x"]),
    ],
)
def test_an_address_range_gives_each_host_one(spec: str, found: list[str], tmp_path: Path) -> None:
    """Ranges, lists and IPv6 addresses are laid over the hosts in order."""
    text = f'fleet: f\ntiers: {{db: {{hosts: "h[1-3]", address: "{spec}"}}}}\n'
    assert [host.address for host in fleet_of(tmp_path, text).hosts.values()] == found


def test_one_address_through_two_bastions_is_two_machines(tmp_path: Path) -> None:
    """Private networks repeat addresses; only the same way to the same address is one machine."""
    text = (
        "fleet: f\ntiers: {g: {hosts: 'g[1-2]'}, db: {hosts: "
        "{a: {address: 10.0.0.1, via: g1}, b: {address: 10.0.0.1, via: g2}}}}\n"
    )
    assert len(fleet_of(tmp_path, text).hosts) == 4
