"""The laws of batches, over any fleets and ramps."""

from __future__ import annotations

from collections import Counter

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from fleetctl.inventory.model import Host
from fleetctl.plan.batches import divide, spread
from fleetctl.playbook.units import Amount
from tests.plan.fleets import host


@st.composite
def fleets(draw: st.DrawFn) -> list[Host]:
    """Hosts of up to three tiers with any zones, shards and pairs."""
    count = draw(st.integers(1, 40))
    tag = st.sampled_from(["", "a", "b", "c"])
    hosts = []
    for number in range(count):
        tags = {"zone": draw(tag), "shard": draw(tag), "pair": draw(st.sampled_from("    xyz"))}
        tags = {key: value for key, value in tags.items() if value.strip()}
        hosts.append(host(f"h{number}", draw(st.sampled_from(["db", "web", "repo"])), tags))
    return hosts


laws = settings(max_examples=50, deadline=None, suppress_health_check=[HealthCheck.too_slow])
sizes = st.one_of(st.integers(1, 12).map(str), st.integers(1, 100).map(lambda n: f"{n}%"))
ramps = st.lists(sizes.map(Amount), max_size=4)
caps_of = st.fixed_dictionaries({tier: st.integers(1, 50) for tier in ("db", "web", "repo")})


@laws
@given(fleets(), ramps, caps_of)
def test_every_host_is_in_exactly_one_batch(
    hosts: list[Host], ramp: list[Amount], caps: dict[str, int]
) -> None:
    """Nobody is forgotten and nobody is worked on twice."""
    batches = divide(hosts, ramp, caps)
    assert sorted(name for batch in batches for name in batch) == sorted(h.name for h in hosts)
    assert all(batches)


@laws
@given(fleets(), ramps, caps_of)
def test_no_batch_holds_both_of_a_pair(
    hosts: list[Host], ramp: list[Amount], caps: dict[str, int]
) -> None:
    """Whatever the ramp says, partners are never down together."""
    pair_of = {h.name: h.pair for h in hosts}
    for batch in divide(hosts, ramp, caps):
        pairs = [pair_of[name] for name in batch if pair_of[name]]
        assert len(pairs) == len(set(pairs))


@laws
@given(fleets(), ramps, caps_of)
def test_no_batch_takes_more_of_a_tier_than_its_floor_leaves(
    hosts: list[Host], ramp: list[Amount], caps: dict[str, int]
) -> None:
    """A batch of everything still leaves every tier its floor."""
    tier_of = {h.name: h.tier for h in hosts}
    for batch in divide(hosts, ramp, caps):
        for tier, count in Counter(tier_of[name] for name in batch).items():
            assert count <= caps[tier]


@laws
@given(fleets(), ramps, caps_of)
def test_no_batch_exceeds_its_size_of_the_ramp(
    hosts: list[Host], ramp: list[Amount], caps: dict[str, int]
) -> None:
    """The n-th batch is at most the n-th size, the last size standing for all after it."""
    ramp = ramp or [Amount("100%")]
    for index, batch in enumerate(divide(hosts, ramp, caps)):
        size = ramp[min(index, len(ramp) - 1)]
        assert len(batch) <= max(1, size.floor_of(len(hosts)))


@laws
@given(fleets(), ramps, caps_of)
def test_dividing_again_gives_the_same(
    hosts: list[Host], ramp: list[Amount], caps: dict[str, int]
) -> None:
    """Batches depend on the hosts and their order, on nothing else."""
    assert divide(hosts, ramp, caps) == divide(list(hosts), list(ramp), dict(caps))


@laws
@given(st.lists(st.sampled_from("abc"), min_size=1, max_size=60), st.integers(1, 20))
def test_each_zone_has_its_share_of_every_batch(zones: list[str], size: int) -> None:
    """A zone's part of a batch differs from its share of the tier by less than two hosts."""
    hosts = [host(f"h{n}", "db", {"zone": zone}) for n, zone in enumerate(zones)]
    zone_of = {h.name: h.tags["zone"] for h in hosts}
    share = {zone: count / len(zones) for zone, count in Counter(zones).items()}
    for batch in divide(hosts, [Amount(str(size))], {}):
        found = Counter(zone_of[name] for name in batch)
        for zone in share:
            assert abs(found[zone] - share[zone] * len(batch)) < 2


@laws
@given(fleets())
def test_spreading_loses_nobody(hosts: list[Host]) -> None:
    """Spreading is only another order."""
    assert sorted(h.name for h in spread(hosts)) == sorted(h.name for h in hosts)


@pytest.mark.parametrize(
    ("count", "ramp", "expected"),
    [
        (16, ["1", "25%", "100%"], [1, 4, 11]),
        (16, ["1"], [1] * 16),
        (16, [], [16]),
        (3, ["10%"], [1, 1, 1]),
        (10, ["2", "50%"], [2, 5, 3]),
    ],
)
def test_a_ramp_gives_these_sizes(count: int, ramp: list[str], expected: list[int]) -> None:
    """Sizes are of the whole phase, each a batch, the last repeated until no host is left."""
    hosts = [host(f"h{n}", "db") for n in range(count)]
    assert [len(b) for b in divide(hosts, [Amount(r) for r in ramp], {})] == expected


def test_the_first_host_is_the_canary() -> None:
    """A first batch of one is the first host of the inventory."""
    hosts = [host(f"db{n:03d}", "db", {"zone": "abc"[n % 3]}) for n in range(9)]
    assert divide(hosts, [Amount("1"), Amount("100%")], {})[0] == ("db000",)
