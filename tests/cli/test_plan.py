"""`fleetctl plan`: what it prints, saves, and refuses."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import NamedTuple

import pytest
from click.testing import CliRunner, Result

from fleetctl.cli.main import fleetctl
from fleetctl.cli.planview import plan_lines
from fleetctl.journal.rows import RunRow
from fleetctl.journal.store import Journal
from fleetctl.plan.model import Plan
from fleetctl.plan.save import decode_plan
from fleetctl.releases.pins import write_pins
from fleetctl.releases.store import ReleaseStore
from tests.lab.rehearsal.plans import a_plan

ROOT = Path(__file__).resolve().parents[2]
GOLDEN = Path(__file__).parent / "golden"
INVENTORY = """\
fleet: small
playbook: book.yaml
defaults: { via: hop001 }
tiers:
  hop:
    hosts: hop001
  web:
    hosts: web[001-003]
    floor: 1
  db:
    hosts: db[001-004]
    limit: 2
    tags: { shard: [s1, s2], pair: { each: 2, values: "p[1-2]" } }
"""
BOOK = """\
title: Small push
variables: { word: hello }
phases:
  - name: db
    hosts: tier=db
    batches: [1, 50%]
    budget: 1
    steps:
      - deploy: { to: /srv/app }
  - name: web
    hosts: tier=web
    gates:
      - http: http://{{host.address}}/
    steps:
      - run: echo {{var.word}} {{host.name}}
"""


class World(NamedTuple):
    """A small fleet on disk, and the command that looks at it."""

    folder: Path

    def plan(self, *words: str) -> Result:
        """`fleetctl plan WORDS` in this world."""
        return CliRunner().invoke(fleetctl, ["plan", *self.places, *words], prog_name="fleetctl")

    @property
    def places(self) -> list[str]:
        return ["-i", str(self.folder / "fleet.yaml"), "--releases", str(self.folder / "store"),
                "--journal", str(self.folder / "journal.db")]  # fmt: skip


@pytest.fixture
def world(tmp_path: Path) -> World:
    """Two tiers, a playbook, one release pinned to db."""
    (tmp_path / "fleet.yaml").write_text(INVENTORY)
    (tmp_path / "book.yaml").write_text(BOOK)
    (tmp_path / "app").mkdir()
    (tmp_path / "app" / "file").write_text("content\n")
    store = ReleaseStore(tmp_path / "store")
    for release in ("r1", "r2"):
        (tmp_path / "app" / "version").write_text(release)
        store.add(tmp_path / "app", release)
    write_pins(tmp_path / "fleet.pins.yaml", ["db"], "r2", at_s=1e9)
    return World(tmp_path)


def _masked(text: str) -> str:
    """Without the digest, which holds this machine's paths."""
    return re.sub(r"(   plan        )[0-9a-f]{12}\n", r"\1DIGEST\n", text)


def _taught(world: World, plan: Plan, live: dict[str, str]) -> None:
    """A run that read these releases back."""
    row = RunRow(id="run1", fleet="small", title="t", digest="", by="me", opened_s=1e9, words=(),
                 hosts=4)  # fmt: skip
    with Journal(world.folder / "journal.db") as journal:
        journal.create_run(row, plan, [])
        journal.append("run1", 1, 1e9, [b"{}"], live=live, ended=0)


def test_the_small_plan(world: World) -> None:
    """The whole picture: releases, bounds, budgets, batches, steps, gates."""
    result = world.plan()
    assert result.exit_code == 0, result.output
    assert _masked(result.stdout) == (GOLDEN / "small-push.txt").read_text()


def test_the_saturday_push_fits_a_screen(tmp_path: Path) -> None:
    """44 hosts and eight phases are read at once; nothing is left out for it."""
    store = ReleaseStore(tmp_path / "store")
    (tmp_path / "app").mkdir()
    (tmp_path / "app" / "file").write_text("content\n")
    store.add(tmp_path / "app", "2026-11-22-5e1f0c3", schema=2)
    words = ["plan", str(ROOT / "playbooks/saturday-push.yaml"), "--release", "2026-11-22-5e1f0c3",
             "-i", str(ROOT / "inventory/phacility.yaml"), "--releases", str(store.folder),
             "--journal", str(tmp_path / "journal.db")]  # fmt: skip
    result = CliRunner().invoke(fleetctl, words, prog_name="fleetctl")
    assert result.exit_code == 0, result.output
    assert _masked(result.stdout) == (GOLDEN / "saturday-push.txt").read_text()
    assert len(result.stdout.splitlines()) <= 80
    assert not (tmp_path / "journal.db").exists()


@pytest.mark.parametrize("width", [60, 80, 110])
def test_a_plan_fits_the_terminal(width: int) -> None:
    """No line is wider than there is room, but for a word that is; it goes on under itself."""
    lines = list(plan_lines(a_plan(), width))
    assert max(map(len, lines)) <= width
    assert [line.rstrip() for line in lines] == lines
    assert len(lines) > len(list(plan_lines(a_plan(), 500)))


def test_rows_of_hosts_for_programs(world: World) -> None:
    """`--output json` is an array of objects, one a host and phase, in the order of the work."""
    rows = json.loads(world.plan("-o", "json").stdout)
    order = ["db001", "db002", "db003", "db004", "web001", "web002", "web003"]
    assert sorted(row["host"] for row in rows) == order
    assert [row["batch"] for row in rows] == [1, 2, 2, 3, 1, 1, 2]
    assert rows[0] | {"steps": []} == {
        "phase": "db", "batch": 1, "host": "db001", "tier": "db", "from": None, "to": "r2",
        "noop": False, "steps": [],
    }  # fmt: skip
    assert len(rows) == 7
    by_host = world.plan("--hosts").stdout.splitlines()
    assert len(by_host) == 8


def test_no_ops_and_where_hosts_come_from_are_shown(world: World) -> None:
    """Who has the release already stays in the plan, marked."""
    assert world.plan("--save", str(world.folder / "p.json")).exit_code == 0
    plan = decode_plan((world.folder / "p.json").read_bytes(), "p.json")
    _taught(world, plan, {"db001": "r1", "db002": "r2", "db003": "r1", "db004": "r1"})
    shown = world.plan().stdout
    assert "r1 -> r2: db (1 host has it already)" in shown
    assert "(no-op: db002)" in shown
    rows = {row["host"]: row for row in json.loads(world.plan("-o", "json").stdout)}
    assert (rows["db002"]["noop"], rows["db001"]["from"], rows["db001"]["noop"]) == (
        True, "r1", False,
    )  # fmt: skip


def test_a_saved_plan_is_shown_again(world: World) -> None:
    """What was saved is what comes back, while nothing changed."""
    saved = world.folder / "p.json"
    assert world.plan("--save", str(saved)).exit_code == 0
    _taught(world, decode_plan(saved.read_bytes(), "p.json"), {"hop001": "r1", "db001": "r1"})
    first = world.plan("--tier", "db", "--save", str(saved))
    assert (first.exit_code, first.stderr.split(":")[0]) == (0, "saved; run it with")
    again = world.plan("--show", str(saved))
    assert (again.exit_code, again.stdout) == (0, first.stdout)


@pytest.mark.parametrize("changed", ["book.yaml", "fleet.yaml", "pin", "live", "artifact"])
def test_a_stale_plan_is_refused_by_name(world: World, changed: str) -> None:
    """Playbook, inventory, pin, artifact, live releases: whichever changed is named, exit 8."""
    saved = world.folder / "p.json"
    assert world.plan("--save", str(saved)).exit_code == 0
    named = changed
    if changed == "pin":
        write_pins(world.folder / "fleet.pins.yaml", ["db"], "r1", at_s=2e9)
        named = "pin db"
    elif changed == "live":
        _taught(world, decode_plan(saved.read_bytes(), "p.json"), {"db001": "r1"})
        named = "live releases"
    elif changed == "artifact":
        (world.folder / "store" / "r2" / "artifact.tar.gz").write_bytes(b"other")
        named = "artifact.tar.gz"
    else:
        path = world.folder / changed
        path.write_text(path.read_text().replace("limit: 2", "limit: 3").replace("hello", "hallo"))
    result = world.plan("--show", str(saved))
    assert result.exit_code == 8
    assert "this plan is stale" in result.stderr
    assert named in result.stderr


def test_comments_do_not_make_a_plan_stale(world: World) -> None:
    """An inventory that means the same is the same."""
    saved = world.folder / "p.json"
    assert world.plan("--save", str(saved)).exit_code == 0
    inventory = world.folder / "fleet.yaml"
    inventory.write_text("# looked at, nothing changed\n" + inventory.read_text())
    assert world.plan("--show", str(saved)).exit_code == 0


@pytest.mark.parametrize(
    ("words", "exit_code", "told"),
    [
        (["--tier", "dbb"], 2, "dbb"),
        (["--release", "r9"], 2, 'no release "r9"'),
        (["--release", "dbb=r1"], 2, 'did you mean "db"?'),
        (["--var", "wrod=x"], 2, 'did you mean "word"?'),
        (["--var", "word"], 2, "NAME=VALUE"),
        (["--batch", "0"], 2, "--batch"),
        (["--batch", "200%"], 2, "more than 100%"),
        (["--max-failures", "some"], 2, "--max-failures"),
        (["--throttle", "fast"], 2, "--throttle"),
        (["--phase", "dbs"], 2, 'did you mean "db"?'),
        (["nowhere.yaml"], 5, "cannot read the playbook"),
        (["--show", "nowhere.json"], 2, "cannot read"),
        (["--show", "x", "--tier", "db"], 2, "takes no playbook and no hosts"),
    ],
)
def test_a_word_that_means_nothing_is_refused(
    world: World, words: list[str], exit_code: int, told: str
) -> None:
    """Every flag is checked before anything else happens, and what was meant is said."""
    result = world.plan(*words)
    assert (result.exit_code, result.stdout) == (exit_code, "")
    assert told in result.stderr


def test_flags_narrow_the_plan(world: World) -> None:
    """Batches, budgets and pace of the command line reach the plan."""
    shown = world.plan("--tier", "db", "--batch", "1", "--fanout", "1", "--max-failures", "0",
                       "--throttle", "6/min", "--release", "db=r1").stdout  # fmt: skip
    assert "batch 1-4" in shown
    assert "at most 1 in flight, 6 starts a minute" in shown
    assert shown.count("1 lost host: stops") == 2
    assert "not known -> r1: db" in shown
    assert "web" not in shown


def test_the_schema_is_printed() -> None:
    """`--schema` needs no inventory."""
    result = CliRunner().invoke(fleetctl, ["plan", "--schema"], prog_name="fleetctl")
    assert json.loads(result.stdout)["title"] == "fleetctl playbook"
