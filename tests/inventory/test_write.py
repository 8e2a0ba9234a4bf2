"""Writing native inventories: what was written reads back as the same fleet."""

from __future__ import annotations

from pathlib import Path

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from fleetctl.base.marked import read
from fleetctl.inventory.load import load_fleet
from fleetctl.inventory.model import Fleet, Host, Login, Tier
from fleetctl.inventory.native import read_native
from fleetctl.inventory.write import inventory_data, to_yaml
from tests.inventory.test_foreign import reading_of

TEXTS = st.sampled_from(
    ["a", "yes", "no", "true", "1", "0644", "1e3", "1.5e10", "~", "null", "p1", "p02", "x y", "on",
     "=", "2026-11-22", "#", ": ", "é", "0x1f", ".5", "+3"]
)  # fmt: skip
SCALARS = st.one_of(TEXTS, st.integers(-5, 5), st.booleans(), st.floats(-1e20, 1e20))
LOGINS = st.builds(
    Login,
    user=st.sampled_from(["", "deploy", "x1"]),
    port=st.sampled_from([0, 22, 2222]),
    identity=st.sampled_from([(), ("/etc/id",), ("/etc/id", "/etc/other")]),
    connect_timeout_s=st.sampled_from([10.0, 3.5]),
    via=st.sampled_from(["", "gate"]),
)
TAGS = st.dictionaries(st.sampled_from(["zone", "pair", "x-y"]), TEXTS, max_size=3)
VARIABLES = st.dictionaries(st.sampled_from(["a", "b", "c"]), SCALARS, max_size=3)
HOSTS = st.tuples(
    st.sampled_from(["db", "web"]), st.integers(0, 12), st.sampled_from([0, 1, 2, 3]),
    st.sampled_from(["name", "domain", "ip", "odd"]), LOGINS, TAGS, VARIABLES,
)  # fmt: skip
AMOUNTS = st.sampled_from(["", "1", "25%"])


def _host(
    tier: str, number: int, width: int, address: str, login: Login, tags: dict[str, str],
    variables: dict[str, str | int | bool | float],
) -> Host:  # fmt: skip
    name = f"{tier}{number:0{width}d}"
    found = {"name": name, "domain": f"{name}.x", "ip": f"10.{len(name)}.0.{number}"}
    odd = f"odd-{number}-{width}-{tier}"
    return Host(name, tier, found.get(address, odd), login, tags, variables)


@st.composite
def fleets(draw: st.DrawFn) -> Fleet:
    """Small fleets of numbered hosts with a bastion, much alike and not."""
    gate = Host("gate", "gate", "gate", Login())
    made = {host.name: host for host in (_host(*args) for args in draw(st.lists(HOSTS)))}
    addresses = {host.address: host for host in made.values()}
    ordered = sorted(addresses.values(), key=lambda host: host.tier)
    hosts = {host.name: host for host in (gate, *ordered)}
    tiers = {
        name: Tier(name, tuple(h.name for h in hosts.values() if h.tier == name),
                   limit=draw(AMOUNTS), floor=draw(AMOUNTS),
                   throttle_per_min=draw(st.sampled_from([0.0, 30.0, 0.5])),
                   timeout_s=draw(st.sampled_from([300.0, 7.0])))
        for name in dict.fromkeys(host.tier for host in hosts.values())
    }  # fmt: skip
    vias = ("gate",) if any(host.login.via for host in hosts.values()) else ()
    return Fleet("f", hosts, tiers, str(Path("/i.yaml")), "/p.yaml", "", vias)


@given(fleets())
def test_what_is_written_reads_back_the_same(fleet: Fleet) -> None:
    """No host, tag, login, variable or amount is lost, added or retyped by writing and reading."""
    text = to_yaml(inventory_data(fleet))
    again = read_native(read(text, "i.yaml"), Path("/i.yaml"))
    assert msgspec.json.encode(again, order="sorted") == msgspec.json.encode(fleet, order="sorted")
    assert list(again.hosts) == list(fleet.hosts)


@pytest.mark.parametrize("form", ["ini", "yaml", "program"])
def test_a_foreign_inventory_comes_back_whole(form: str, tmp_path: Path) -> None:
    """Importing loses nothing the foreign reading had."""
    fleet = reading_of(form, tmp_path).fleet
    path = tmp_path / "native.yaml"
    path.write_text(to_yaml(inventory_data(fleet)))
    again = load_fleet(path)
    assert again.hosts == fleet.hosts
    assert again.tiers == fleet.tiers


def test_hosts_are_folded_and_patterns_found(tmp_path: Path) -> None:
    """44 hosts come out as the few lines their owner wrote."""
    source = Path(__file__).resolve().parents[2] / "inventory" / "phacility.yaml"
    data = inventory_data(load_fleet(source))
    assert data["tiers"]["db"]["hosts"] == {
        "db[001-016]": {
            "address": "{name}.phacility.example",
            "tags": {
                "zone": ["a", "b"],
                "shard": "s[001-016]",
                "pair": {"each": 2, "values": "db[01-08]"},
            },
        }
    }
