"""What an inventory says of daemon pools: read, refused with its place, written back."""

from __future__ import annotations

from pathlib import Path

import pytest

from fleetctl.base.errors import FleetError
from fleetctl.base.marked import read
from fleetctl.inventory.model import Fleet, Pools
from fleetctl.inventory.native import read_native
from fleetctl.inventory.write import inventory_data, to_yaml

HEAD = "fleet: f\ntiers:\n  web:\n    hosts: web1\n  repo:\n    hosts: repo[1-3]\n"
WHOLE = """\
    pools:
      home: /srv/overseer/
      python: "{{var.python}}"
      specs: pools
      instances: { command: "sh {{var.root}}/instances {{tag.shard}}" }
      unit: fleetctl-overseer.service
      reserve: 20
"""


def fleet_of(text: str, folder: Path) -> Fleet:
    """The fleet an inventory of this text describes."""
    path = folder / "inventory.yaml"
    path.write_text(text)
    return read_native(read(text, str(path)), path)


def test_pools_stand_with_the_hosts_of_their_tier_alone(tmp_path: Path) -> None:
    """All hosts of the tier share what it says; other tiers keep none; paths are absolute."""
    fleet = fleet_of(HEAD + WHOLE, tmp_path)
    pools = fleet.hosts["repo2"].pools
    assert pools == Pools(
        home="/srv/overseer", python="{{var.python}}", specs=str(tmp_path / "pools"),
        instances_command="sh {{var.root}}/instances {{tag.shard}}",
        unit="fleetctl-overseer.service", reserve=20,
    )  # fmt: skip
    assert fleet.hosts["repo1"].pools is pools
    assert fleet.hosts["web1"].pools is None


@pytest.mark.parametrize("block", ["    pools: {}\n", WHOLE, "    pools: {instances: {file: n}}\n"])
def test_pools_are_written_as_they_read_back(tmp_path: Path, block: str) -> None:
    """An inventory written anew keeps the same pools."""
    fleet = fleet_of(HEAD + block, tmp_path)
    again = fleet_of(to_yaml(inventory_data(fleet)), tmp_path)
    assert again.hosts["repo1"].pools == fleet.hosts["repo1"].pools
    assert again.hosts["web1"].pools is None


@pytest.mark.parametrize(
    ("line", "place", "word"),
    [
        ("pools: {home: here}", "7:19", "home must be an absolute path"),
        ("pools: {home: /}", "7:19", "a folder of the overseer's own"),
        ('pools: {home: ""}', "7:19", "home is empty"),
        ("pools: {unit: a b}", "7:19", "no name for a unit"),
        ("pools: {instances: {file: a, command: b}}", "7:24", "either file or command"),
        ("pools: {spec: a}", "7:13", "specs"),
        ("pools: {reserve: 95}", "7:22", "90"),
    ],
)
def test_mistakes_are_told_with_their_place(
    tmp_path: Path, line: str, place: str, word: str
) -> None:
    """A wrong word about pools is refused where it stands."""
    with pytest.raises(FleetError) as caught:
        fleet_of(f"{HEAD}    {line}\n", tmp_path)
    assert place in str(caught.value)
    assert word in str(caught.value)
