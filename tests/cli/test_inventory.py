"""`fleetctl inventory`: what is printed, where, and how it ends."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from fleetctl.cli.main import fleetctl
from fleetctl.inventory.load import load_fleet

PHACILITY = str(Path(__file__).resolve().parents[2] / "inventory" / "phacility.yaml")
INI = "[web]\nweb1\nweb2 ansible_become=yes\n"


def run(*args: str, **environ: str) -> Result:
    """One command line, run in this process."""
    env = {"FLEETCTL_INVENTORY": None, **environ}
    return CliRunner().invoke(fleetctl, ["inventory", *args], prog_name="fleetctl", env=env)


def test_list_prints_an_array_of_objects() -> None:
    """json is an array with name, tier, address, tags and via of every host."""
    rows = json.loads(run("list", "-i", PHACILITY, "--output", "json").stdout)
    assert len(rows) == 44
    assert rows[9] == {
        "name": "db001",
        "tier": "db",
        "address": "db001.phacility.example",
        "tags": {"zone": "a", "shard": "s001", "pair": "db01"},
        "via": "bastion001",
    }


def test_the_environment_names_the_inventory() -> None:
    """FLEETCTL_INVENTORY stands in for the flag, and the flag wins over it."""
    result = run("list", "--folded", "--tier", "web", FLEETCTL_INVENTORY=PHACILITY)
    assert result.stdout == "web[001-004]\n"
    result = run("list", "--folded", "--tier", "web", "-i", PHACILITY, FLEETCTL_INVENTORY="none")
    assert result.stdout == "web[001-004]\n"


def test_the_inventory_is_found_upwards(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The nearest folder with an inventory wins; two in one folder are a question."""
    deep = tmp_path / "a" / "b"
    deep.mkdir(parents=True)
    (tmp_path / "inventory").mkdir()
    (tmp_path / "inventory" / "x.yaml").write_text("fleet: f\ntiers: {t: {hosts: far}}\n")
    (tmp_path / "inventory" / "x.pins.yaml").write_text("{}\n")
    monkeypatch.chdir(deep)
    assert run("list", "--folded").stdout == "far\n"
    (tmp_path / "a" / "inventory.yaml").write_text("fleet: f\ntiers: {t: {hosts: near}}\n")
    assert run("list", "--folded").stdout == "near\n"
    (tmp_path / "inventory" / "y.yaml").write_text("fleet: f\ntiers: {t: {hosts: other}}\n")
    monkeypatch.chdir(tmp_path)
    result = run("list", "--folded")
    assert (result.exit_code, result.stdout) == (2, "")
    assert "there are 2 inventories" in result.stderr
    assert "x.yaml, y.yaml" in result.stderr


def test_no_inventory_is_a_usage_error(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing is assumed when there is none, or the one named is not there."""
    monkeypatch.chdir(tmp_path)
    assert run("list").exit_code == 2
    result = run("list", "-i", "none.yaml")
    assert (result.exit_code, result.stdout) == (2, "")
    assert "there is no inventory none.yaml" in result.stderr
    (tmp_path / "acme.yaml").write_text("")
    assert 'did you mean "acme.yaml"?' in run("list", "-i", "acne.yaml").stderr


def test_a_wrong_inventory_ends_with_5(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """All its mistakes go to stderr with their places; stdout stays empty."""
    monkeypatch.chdir(tmp_path)
    Path("i.yaml").write_text("fleet: f\ntiers: {t: {hosts: [a, a], floor: 120%}}\n")
    result = run("check", "-i", "i.yaml")
    assert (result.exit_code, result.stdout) == (5, "")
    assert "i.yaml:2:24" in result.stderr
    assert "i.yaml:2:35" in result.stderr


def test_a_typo_on_the_command_line_ends_with_2() -> None:
    """The nearest match is named; nothing is listed."""
    result = run("list", "-i", PHACILITY, "--tier", "dbb")
    assert (result.exit_code, result.stdout) == (2, "")
    assert 'did you mean "db"?' in result.stderr


def test_show_has_defaults_applied() -> None:
    """Everything known of the host: its login, its tier's amounts, its variables."""
    (row,) = json.loads(run("show", "db003", "-i", PHACILITY, "--output", "json").stdout)
    assert row["user"] == "deploy"
    assert row["limit"] == "8"
    assert row["timeout_s"] == 600.0
    assert row["variables"]["root"] == "/srv/phabricator"
    assert "pair=db02" in run("show", "db003", "-i", PHACILITY).stdout


def test_check_tells_the_tiers_and_what_is_left_behind(tmp_path: Path) -> None:
    """Tiers on stdout; what a foreign inventory loses on stderr, with its place."""
    (tmp_path / "h.ini").write_text(INI)
    result = run("check", "-i", str(tmp_path / "h.ini"), "--output", "json")
    assert json.loads(result.stdout)[0]["names"] == "web[1-2]"
    assert "h.ini:3:6: ansible_become has no meaning here" in result.stderr
    assert "1 thing in" in run("list", "-i", str(tmp_path / "h.ini")).stderr


def test_check_tells_what_is_probably_not_meant(tmp_path: Path) -> None:
    """A floor that blocks every push, a pair of one, a playbook that is not there."""
    path = tmp_path / "i.yaml"
    path.write_text(
        "fleet: f\nplaybook: none.yaml\n"
        "tiers: {t: {hosts: 'a[1-3]', floor: 100%, tags: {pair: [x, y]}}}\n"
    )
    told = run("check", "-i", str(path)).stderr
    assert "keeps all 3 of its hosts up" in told
    assert "pairs with one host only: y" in told or "pairs with one host only: a2" in told
    assert f"there is no {tmp_path / 'none.yaml'} yet" in told


def test_import_writes_a_file_once(tmp_path: Path) -> None:
    """The native file has the same hosts; a file that is there already is never written over."""
    (tmp_path / "h.ini").write_text(INI)
    there = tmp_path / "native.yaml"
    args = ("import", str(tmp_path / "h.ini"), "--to", str(there))
    assert run(*args, "--name", "mine").exit_code == 0
    fleet = load_fleet(there)
    assert (fleet.name, list(fleet.hosts)) == ("mine", ["web1", "web2"])
    result = run(*args)
    assert result.exit_code == 8
    assert "exists already" in result.stderr


def test_schema_is_json() -> None:
    """Editors can be pointed at what it prints."""
    assert json.loads(run("schema").stdout)["title"] == "fleetctl inventory"


def test_check_tells_what_is_wrong_with_the_specs_of_pools(tmp_path: Path) -> None:
    """A folder that is missing, at its place here; then a mistake in it, at its place there."""
    file = tmp_path / "i.yaml"
    file.write_text("fleet: f\ntiers:\n  r:\n    hosts: r[1-2]\n    pools:\n      specs: pools\n")
    result = run("check", "-i", str(file))
    assert (result.exit_code, result.stdout) == (5, "")
    assert f"there is no folder {tmp_path}/pools of spec files" in result.stderr
    assert f"{tmp_path}/i.yaml:6:14" in result.stderr
    (tmp_path / "pools").mkdir()
    assert run("check", "-i", str(file)).exit_code == 5
    (tmp_path / "pools" / "a.toml").write_text('[kind.k]\ncommand = ["x"]\nmax = 0\n')
    result = run("check", "-i", str(file))
    assert result.exit_code == 5
    assert result.stderr.count("max must be 1 to 1000, not 0") == 1
    assert f"{tmp_path}/pools/a.toml:3:1" in result.stderr
    assert "no mistakes" not in result.stderr
    (tmp_path / "pools" / "a.toml").write_text('[kind.k]\ncommand = ["x"]\n')
    assert run("check", "-i", str(file)).exit_code == 0
