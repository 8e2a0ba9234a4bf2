"""Recipes of zygotes: which commands can be forked warm, and what tells one from another."""

from __future__ import annotations

from pathlib import Path

import pytest

from fleetctl.pools.overseer.kinds import Kind
from fleetctl.pools.overseer.specs import SpecError, read
from fleetctl.pools.overseer.zygotes import Recipe, recipe_of


@pytest.mark.parametrize(
    ("command", "rest"),
    [
        (["python3", "/srv/d.py", "{instance}"], ["{instance}"]),
        (["python3", "-I", "-S", "/srv/d.py", "a", "b"], ["a", "b"]),
        (["python3", "-IS", "-X", "utf8", "-W", "error", "/srv/d.py"], []),
        (["python3", "-Wignore", "-m", "app.worker", "{instance}", "-m"], ["{instance}", "-m"]),
    ],
)
def test_the_daemons_own_arguments_are_told_from_the_interpreters(
    command: list[str], rest: list[str]
) -> None:
    """They are the only ones that may differ between instances."""
    assert command[Recipe(command, ["json"]).arguments :] == rest


@pytest.mark.parametrize(
    "command",
    [
        ["php"],
        ["python3", "d.py"],
        ["python3", "-c", "pass"],
        ["python3", "-X"],
        ["python3", "-m"],
        ["python3", "--version", "/srv/d.py"],
        ["python3", "/srv/{instance}/d.py"],
        ["/srv/{instance}/python", "/srv/d.py"],
    ],
)
def test_what_cannot_be_forked_is_refused(command: list[str]) -> None:
    """No script, one that is not the same everywhere, or nothing a zygote could read."""
    with pytest.raises(ValueError, match=r"command must be|must be the same|is no option"):
        Recipe(command, ["json"])


def test_kinds_share_a_zygote_only_if_all_it_has_is_the_same() -> None:
    """How many there may be does not matter; imports, options, script and environment do."""
    base = {"command": ["python3", "/srv/d.py", "{instance}"], "warm": ["json"]}
    key = recipe_of(Kind("a", base)).key
    assert recipe_of(Kind("a", {**base, "max": 4})).key == key
    assert recipe_of(Kind("a", {**base, "command": ["python3", "/srv/d.py", "x"]})).key == key
    others: list[dict[str, object]] = [
        {"warm": ["json", "ssl"]},
        {"env": {"A": "b"}},
        {"command": ["python3", "-S", "/srv/d.py"]},
        {"command": ["python3", "/srv/e.py"]},
    ]
    assert all(recipe_of(Kind("a", {**base, **other})).key != key for other in others)


def test_generations_are_the_same_for_who_does_not_start_warm() -> None:
    """A newer overseer replaces no daemon only because it knows a further key."""
    given = {"command": ["d"], "max": 2}
    assert Kind("k", given).generation == Kind("k", {**given, "warm": []}).generation
    assert Kind("k", given).generation == "512fe265bc8d"
    assert Kind("k", {**given, "warm": ["json"]}).generation != Kind("k", given).generation


def test_a_kind_that_cannot_start_warm_is_a_mistake_in_the_specs(tmp_path: Path) -> None:
    """With the place; for a pool of its own as well."""
    text = '[kind.k]\ncommand = ["php", "d.php"]\nwarm = ["json"]\n'
    (tmp_path / "a.toml").write_text(text)
    with pytest.raises(SpecError, match=r"a.toml:3: kind 'k' cannot start warm: the command must"):
        read(str(tmp_path))
    text = '[kind.k]\ncommand = ["d"]\n[[instances]]\nnames = ["i"]\nkinds = ["k"]\n'
    (tmp_path / "a.toml").write_text(text + '[pool."i/k"]\nwarm = ["json"]\n')
    with pytest.raises(SpecError, match="pool 'i/k' cannot start warm"):
        read(str(tmp_path))
