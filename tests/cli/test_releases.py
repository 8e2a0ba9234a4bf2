"""`fleetctl releases`: what it prints, what it refuses, and with which exit code."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from fleetctl.base.errors import ExitCode
from fleetctl.cli.main import fleetctl

INVENTORY = """\
fleet: small
tiers:
  db: {hosts: ["db[001-002]"]}
  web: {hosts: [web001]}
"""


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with an inventory and something to release, the store beside it."""
    (tmp_path / "inventory.yaml").write_text(INVENTORY)
    (tmp_path / "app").mkdir()
    (tmp_path / "app" / "readme").write_text("one\n")
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("FLEETCTL_INVENTORY", raising=False)
    monkeypatch.setenv("FLEETCTL_RELEASES", str(tmp_path / "store"))
    return tmp_path


def fleet(*words: str) -> Result:
    return CliRunner().invoke(fleetctl, ["releases", *words])


def rows(*words: str) -> list[dict[str, object]]:
    result = fleet(*words, "--output", "json")
    assert result.exit_code == 0, result.output
    found = json.loads(result.stdout)
    assert isinstance(found, list)
    return found


def test_a_release_is_added_listed_pinned_and_shown(here: Path) -> None:
    """The whole way from a folder to a pin, as a program reads it."""
    (added,) = rows("add", "app", "--id", "v1")
    assert (added["id"], added["new"], added["files"]) == ("v1", True, 1)
    assert rows("pin", "db", "v1") == [{"tier": "db", "from": None, "to": "v1"}]
    (listed,) = rows("list")
    assert listed["pinned"] == ["db"]
    (shown,) = rows("show", "v1")
    assert Path(str(shown["artifact"])).is_file()
    assert (here / "inventory.pins.yaml").is_file()


def test_a_new_pin_says_what_it_replaces(here: Path) -> None:
    """From -> to is shown, and the way back stands in the file."""
    fleet("add", "app", "--id", "v1")
    (here / "app" / "readme").write_text("two\n")
    fleet("add", "app", "--id", "v2")
    fleet("pin", "db", "v1")
    result = fleet("pin", "db", "v2", "--note", "ticket 7")
    assert result.stdout.split() == ["TIER", "FROM", "TO", "db", "v1", "v2"]
    assert 'was: "v1"' in (here / "inventory.pins.yaml").read_text()
    assert "unchanged" in fleet("pin", "db", "v2").stderr


def test_a_release_is_pinned_to_several_tiers_with_one_command(here: Path) -> None:
    """The weekly push pins once, not once a tier; a typo among them pins nothing."""
    fleet("add", "app", "--id", "v1")
    assert fleet("pin", "db,wbe", "v1").exit_code == ExitCode.USAGE
    assert not (here / "inventory.pins.yaml").exists()
    assert rows("pin", "db,web", "v1") == [
        {"tier": "db", "from": None, "to": "v1"},
        {"tier": "web", "from": None, "to": "v1"},
    ]
    assert "unchanged" in fleet("pin", "all", "v1").stderr


def test_adding_the_same_content_again_says_so(here: Path) -> None:
    """Nothing is written twice, and nobody wonders why."""
    fleet("add", "app", "--id", "v1")
    result = fleet("add", "app")
    assert result.stderr == "already here as v1: the same content\n"
    assert "also here as v1" in fleet("add", "app", "--id", "v1b").stderr
    assert len(rows("list")) == 2


@pytest.mark.parametrize(
    ("words", "code", "said"),
    [
        (("add",), ExitCode.USAGE, "name either PATH or --git REPO"),
        (("add", "app", "--git", "."), ExitCode.USAGE, "name either PATH or --git REPO"),
        (("add", "app", "--ref", "v1"), ExitCode.USAGE, "--ref belongs to --git"),
        (("add", "app", "--id", "a/b"), ExitCode.USAGE, "cannot name a release"),
        (("add", "nothing"), ExitCode.USAGE, "no folder and no tar archive"),
        (("add", "inventory.yaml"), ExitCode.INPUT_INVALID, "no tar archive"),
        (("show", "web-1.5"), ExitCode.USAGE, 'did you mean "web-1.4"?'),
        (("pin", "dbs", "web-1.4"), ExitCode.USAGE, 'did you mean "db"?'),
        (("pin", "db", "web-1.5"), ExitCode.USAGE, 'did you mean "web-1.4"?'),
        (("add", "other", "--id", "web-1.4"), ExitCode.REFUSED, "another content"),
        (("list", "-i", "nothing.yaml"), ExitCode.USAGE, "nothing.yaml"),
    ],
)
def test_what_is_refused_says_why(
    here: Path, words: tuple[str, ...], code: ExitCode, said: str
) -> None:
    """Every refusal has its own exit code, changes nothing, and names what was meant."""
    fleet("add", "app", "--id", "web-1.4")
    (here / "other").mkdir()
    (here / "other" / "x").write_text("x")
    result = fleet(*words)
    assert result.exit_code == code
    assert said in result.stderr
    assert [row["id"] for row in rows("list")] == ["web-1.4"]
    assert not (here / "inventory.pins.yaml").exists()


def test_a_damaged_release_is_neither_shown_nor_pinned(here: Path) -> None:
    """What could not be deployed must not become anybody's pin."""
    fleet("add", "app", "--id", "v1")
    (here / "store" / "v1" / "artifact.tar.gz").write_bytes(b"x")
    for words in (("show", "v1"), ("pin", "db", "v1")):
        result = fleet(*words)
        assert result.exit_code == ExitCode.REFUSED
        assert "damaged" in result.stderr


def test_without_an_inventory_releases_can_still_be_kept(
    here: Path, tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A build machine adds and lists releases; only pinning needs a fleet."""
    monkeypatch.chdir(tmp_path_factory.mktemp("elsewhere"))
    assert rows("add", str(here / "app"), "--id", "v1")[0]["new"]
    assert rows("list")[0]["pinned"] == []
    assert fleet("pin", "db", "v1").exit_code == ExitCode.USAGE
