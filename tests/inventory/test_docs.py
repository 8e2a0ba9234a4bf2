"""docs/inventory.md and the schema: what is written there is true."""

from __future__ import annotations

import json
import re
from pathlib import Path

import jsonschema
import pytest
import yaml

from fleetctl.inventory.load import load_fleet
from fleetctl.inventory.model import Fleet
from fleetctl.inventory.schema import inventory_schema
from fleetctl.inventory.select import Selection, parse, pick, pick_all

ROOT = Path(__file__).resolve().parents[2]
GUIDE = (ROOT / "docs" / "inventory.md").read_text(encoding="utf-8")


def example(kind: str, folder: Path) -> Fleet:
    """The fleet of the guide's first example of this kind."""
    block = re.search(rf"^```{kind}\n(.*?)^```", GUIDE, re.MULTILINE | re.DOTALL)
    assert block is not None
    (folder / f"i.{kind}").write_text(block[1])
    return load_fleet(folder / f"i.{kind}")


def test_the_native_example_means_what_its_comments_say(tmp_path: Path) -> None:
    """Addresses, tags and limits come out as the guide says."""
    fleet = example("yaml", tmp_path)
    rows = {h.name: (h.address, h.tags.get("zone"), h.pair) for h in fleet.hosts.values()}
    assert rows["web002"] == ("web002.example.com", "b", "")
    assert rows["db003"] == ("db003.example.com", "a", "p2")
    assert rows["db004"] == ("10.0.0.14", "b", "p2")
    assert fleet.tiers["web"].floor == "50%"


def test_every_selector_of_the_guide_picks_hosts(tmp_path: Path) -> None:
    """Each selector of the table is read and matches hosts of the example."""
    fleet = example("yaml", tmp_path)
    table = GUIDE.partition("| selector | picks |")[2].partition("\n\n")[0]
    cells = [line.split("|")[1] for line in table.splitlines() if line.startswith("| `")]
    selectors = [text for cell in cells for text in re.findall(r"`([^`]+)`", cell)]
    assert len(selectors) == 11
    for text in selectors:
        assert pick(fleet, parse(text), lambda path: "web001  # one\n"), text


def test_the_folded_line_is_what_list_prints(tmp_path: Path) -> None:
    """The output quoted in the guide is the output."""
    from fleetctl.base.hostrange import fold

    names = pick_all(example("yaml", tmp_path), Selection(limit="zone=a"))
    assert f"--folded   {fold(names)}\n" in GUIDE


def test_the_foreign_example_means_what_the_guide_says(tmp_path: Path) -> None:
    """Tiers, tags and logins of the Ansible example."""
    fleet = example("ini", tmp_path)
    assert set(fleet.tiers) == {"web", "db"}
    db1 = fleet.hosts["db1"]
    assert (db1.address, db1.login.port, db1.login.user) == ("10.0.0.1", 2222, "deploy")
    assert db1.tags == {"production": "yes"}


def test_the_shipped_schema_is_the_one_the_types_give() -> None:
    """`fleetctl inventory schema > docs/inventory.schema.json` renews it."""
    shipped = json.loads((ROOT / "docs" / "inventory.schema.json").read_text(encoding="utf-8"))
    assert shipped == inventory_schema()


def test_the_shipped_inventory_satisfies_the_schema() -> None:
    """Editors show no mistake in the inventory we ship."""
    data = yaml.safe_load((ROOT / "inventory" / "phacility.yaml").read_text(encoding="utf-8"))
    validator = jsonschema.Draft202012Validator(inventory_schema())
    validator.check_schema(inventory_schema())
    assert [error.message for error in validator.iter_errors(data)] == []


@pytest.mark.parametrize(
    "wrong",
    [
        {"flet": "f"},
        {"tiers": {"db": {"hosts": "a", "prot": 1}}},
        {"tiers": {"db": {"hosts": {"a": {"port": 70000}}}}},
        {"tiers": {"db": {"hosts": "a", "transport": "telnet"}}},
    ],
)
def test_the_schema_refuses_what_we_refuse(wrong: dict[str, object]) -> None:
    """Editors underline unknown keys and wrong values, not only wrong types."""
    data = {"fleet": "f", "tiers": {"db": {"hosts": "a"}}, **wrong}
    assert not jsonschema.Draft202012Validator(inventory_schema()).is_valid(data)
