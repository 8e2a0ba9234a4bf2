"""What is remembered of overseers between commands."""

from __future__ import annotations

from pathlib import Path

from fleetctl.pools.cache import HostPools, Remembered, cache_path, read_cache, remember
from fleetctl.pools.tallies import Group, Trouble

ASLEEP = Group(pools=3, instances=3, words={"HIBERNATING": 3}, slots={"hibernating": 3})


def test_what_was_told_comes_back(tmp_path: Path) -> None:
    """Groups, troubles and figures are the same after the file as before it."""
    sick = Group(pools=1, words={"FAILED": 1}, troubles=(Trouble("FAILED", "exit", 1, 9.5),))
    told = HostPools(
        "repo", 5.0, told_s=5.0, groups={"task": ASLEEP, "sick": sick}, overseer={"pools": 4}
    )
    remember(tmp_path / "new", "hq", {"repo001": told})
    assert read_cache(tmp_path / "new", "hq") == Remembered("hq", {"repo001": told})


def test_a_silent_host_keeps_what_it_told_before(tmp_path: Path) -> None:
    """Silence is shown, and the age of what is known with it; the numbers are not lost."""
    told = HostPools("repo", 5.0, told_s=5.0, groups={"task": ASLEEP}, overseer={"pools": 3})
    remember(tmp_path, "hq", {"repo001": told, "repo002": told})
    remember(tmp_path, "hq", {"repo001": HostPools("repo", 9.0, "unreachable", "no route")})
    found = read_cache(tmp_path, "hq").hosts
    assert found["repo002"] == told
    silent = found["repo001"]
    assert (silent.silent, silent.asked_s, silent.told_s) == ("unreachable", 9.0, 5.0)
    assert silent.groups == {"task": ASLEEP}


def test_a_file_that_makes_no_sense_is_as_if_it_were_not_there(tmp_path: Path) -> None:
    """Damage and another fleet's file are read as nothing known, and written over."""
    path = cache_path(tmp_path, "hq/../x")
    assert path.parent == tmp_path
    for text in ("{", '{"fleet": "other"}', '{"fleet": "hq/../x", "hosts": 3}'):
        path.write_text(text, encoding="utf-8")
        assert read_cache(tmp_path, "hq/../x") == Remembered("hq/../x")
    remember(tmp_path, "hq/../x", {"a": HostPools("repo", 1.0)})
    assert list(read_cache(tmp_path, "hq/../x").hosts) == ["a"]
    assert [file.name for file in tmp_path.iterdir()] == [path.name]
