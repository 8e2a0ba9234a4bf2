"""Fault words, addresses and texts: the lab's pure parts."""

from __future__ import annotations

import shlex
import subprocess
from pathlib import Path

import pytest
from click.testing import CliRunner
from hypothesis import given
from hypothesis import strategies as st

from fleetctl.base.errors import UsageError
from fleetctl.cli.main import fleetctl
from fleetctl.inventory.load import load_fleet
from fleetctl.lab.addresses import address_of, candidates, guard_address, parked_address
from fleetctl.lab.entry import sh_pattern
from fleetctl.lab.faults import (
    FAULTS,
    Fault,
    FaultKind,
    drops_connection,
    in_words,
    parse_fault,
    parse_size,
)
from fleetctl.lab.inventory import inventory_text
from fleetctl.lab.layout import LabHost, LabState, Layout


def test_every_kind_of_fault_has_its_words() -> None:
    """The help and the parser know the same faults."""
    assert set(FAULTS) == set(FaultKind)


@pytest.mark.parametrize(
    ("word", "options", "hint"),
    [
        ("refuze", {}, "refuse"),
        ("refuse", {"size": "1M"}, "no options"),
        ("fail", {}, "--command"),
        ("fail", {"command": "x", "exit": "0"}, "1 to 255"),
        ("slow", {}, "--latency"),
        ("slow", {"latency": "soon"}, "duration"),
        ("flood", {"size": "much"}, "64k"),
        ("maxstartups", {"startups": "30:10"}, "10:30:100"),
        ("maxstartups", {"startups": "30:10:20"}, "exceed"),
    ],
)
def test_a_mistaken_fault_is_refused_in_words(
    word: str, options: dict[str, str], hint: str
) -> None:
    """Each mistake is told with what would have been right."""
    with pytest.raises(UsageError) as caught:
        parse_fault(word, options, "embedded")
    assert hint in str(caught.value)


def test_a_fault_is_told_as_it_was_typed() -> None:
    """What `lab status` shows can be typed again."""
    told = in_words(parse_fault("fail", {"command": "tar *", "exit": "3"}, "embedded"))
    assert told == "fail --command 'tar *' --exit 3"


@pytest.mark.parametrize(
    ("text", "size"), [("64k", 64_000), ("10M", 10_000_000), ("7", 7), ("2MB/s", 2_000_000)]
)
def test_sizes_are_read(text: str, size: int) -> None:
    """Powers of 1000, with or without B and /s."""
    assert parse_size(text) == size


@given(pending=st.integers(0, 300), chance=st.floats(0, 0.999))
def test_max_startups_follows_sshd(pending: int, chance: float) -> None:
    """Below start nobody is dropped, at full everybody, between them more and more."""
    dropped = drops_connection((10, 30, 100), pending, chance)
    if pending < 10:
        assert not dropped
    elif pending >= 100:
        assert dropped
    else:
        assert dropped == (chance * 100 < 30 + 70 * (pending - 10) / 90)


@given(block=st.integers(2, 254), index=st.integers(0, 62_499), other=st.integers(0, 999))
def test_no_two_uses_of_a_block_share_an_address(block: int, index: int, other: int) -> None:
    """Hosts, parked servers and the guard never meet."""
    assert address_of(block, index) not in (parked_address(block, other), guard_address(block))


def test_blocks_are_tried_from_the_same_place_each_time() -> None:
    """The same folder gets the same block if it is free, and every block is tried once."""
    tried = list(candidates("/a/lab", 7))
    assert tried == list(candidates("/a/lab", 7))
    assert tried[0] == 7
    assert sorted(tried) == list(range(2, 255))


@pytest.mark.parametrize(
    ("glob", "line", "matches"),
    [
        ("tar *", "tar xf a", True),
        ("tar *", "tarry", False),
        ("a?c", "abc", True),
        ("*$HOME*", "echo $HOME", True),
        ("*$HOME*", "echo /root", False),
        ("it's [x]", "it's [x]", True),
        ("it's [x]", "it's x", False),
        ("*", "", True),
    ],
)
def test_patterns_mean_the_same_in_sh(glob: str, line: str, matches: bool) -> None:
    """Only * and ? are special; quotes, dollars and brackets stand for themselves."""
    script = f"case {shlex.quote(line)} in {sh_pattern(glob)}) exit 0 ;; esac; exit 1"
    assert (subprocess.run(["sh", "-c", script], check=False).returncode == 0) is matches


def test_the_inventory_of_a_lab_keeps_what_the_fleet_says(tmp_path: Path) -> None:
    """Tiers, tags, variables, limits and bastions survive; only the way to log in changes."""
    source = tmp_path / "inventory.yaml"
    source.write_text(
        """
fleet: f
defaults: {via: gate, user: deploy, throttle: 30/min}
variables: {app: phabricator}
tiers:
  gate: {hosts: gate}
  db:
    hosts: {"db[1-2]": {tags: {pair: x, zone: "001"}}, db3: {variables: {n: 1, yes: "true"}}}
    limit: 50%
    floor: 1
    timeout: 90s
"""
    )
    fleet = load_fleet(source)
    hosts = tuple(
        LabHost(host.name, host.tier, address_of(9, index), host.login.user)
        for index, host in enumerate(fleet.hosts.values())
    )
    state = LabState("id", "embedded", 2222, 9, "x", hosts, "key")
    written = tmp_path / "lab" / "inventory.yaml"
    written.parent.mkdir()
    written.write_text(inventory_text(fleet, Layout(written.parent), state))
    lab = load_fleet(written)
    assert lab.tiers == fleet.tiers
    for name, host in fleet.hosts.items():
        ours = lab.hosts[name]
        assert (ours.tags, ours.variables) == (host.tags, host.variables)
        assert (ours.login.via, ours.login.user) == (host.login.via, "deploy")
        assert (ours.address, ours.login.port) == (state.hosts[0].address, 2222) or name != "gate"
    assert lab.hosts["db3"].address == hosts[3].address


def test_a_fault_survives_its_json() -> None:
    """The control socket carries every option."""
    import msgspec

    fault = Fault(FaultKind.SLOW, latency_s=0.1, bytes_per_s=3.0, startups=(1, 2, 3))
    assert msgspec.json.decode(msgspec.json.encode(fault), type=Fault) == fault


def test_a_file_is_no_folder_for_a_lab(tmp_path: Path) -> None:
    """Told as the mistake it is, before anything is read or made."""
    (tmp_path / "file").touch()
    for word in ("up", "down", "status"):
        told = CliRunner().invoke(fleetctl, ["lab", word, "--dir", str(tmp_path / "file")])
        assert (told.exit_code, "needs a folder" in told.stderr) == (2, True), told.stderr
