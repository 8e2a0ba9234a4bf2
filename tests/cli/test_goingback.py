"""What a way back is refused for before anything is touched, and what is said of it."""

from __future__ import annotations

from pathlib import Path

import pytest

from fleetctl.base.errors import Refused
from fleetctl.cli.assemble import Wish
from fleetctl.cli.goingback import Back, plan_back
from fleetctl.cli.selection import Choice
from fleetctl.journal.rows import RunRow
from fleetctl.journal.store import Journal
from fleetctl.releases.pins import write_pins
from fleetctl.releases.store import ReleaseStore

INVENTORY = """\
fleet: small
playbook: book.yaml
tiers:
  web: { hosts: "web[001-003]" }
  db: { hosts: "db[001-004]" }
"""
BOOK = """\
title: Small push
variables: { word: hello }
phases:
  - name: web
    hosts: tier=web
    steps:
      - run: echo {{var.word}}
        name: greet
      - deploy: { to: /srv/app }
"""


class World:
    """A small fleet on disk whose web hosts run r2."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        (folder / "fleet.yaml").write_text(INVENTORY)
        (folder / "book.yaml").write_text(BOOK)
        (folder / "app").mkdir()
        store = ReleaseStore(folder / "store")
        for number in (1, 2, 3):
            (folder / "app" / "version").write_text(str(number))
            store.add(folder / "app", f"r{number}", schema=number)
        write_pins(folder / "fleet.pins.yaml", ["web"], "r2")
        back = self.back("r1", "web")
        live = dict.fromkeys(("web001", "web002", "web003"), "r2")
        row = RunRow("run1", "small", "t", "", "me", 1e9, (), 3)
        with Journal(folder / "journal.db") as journal:
            journal.create_run(row, back.plan, [])
            journal.append("run1", 1, 1e9, [b"{}"], live=live, ended=0)

    def back(self, to: str, *tiers: str) -> Back:
        choice = Choice(str(self.folder / "fleet.yaml"), tier=tiers)
        wish = Wish(choice, journal=str(self.folder / "journal.db"),
                    releases_dir=str(self.folder / "store"))  # fmt: skip
        back = plan_back(wish, None, to)
        assert back is not None
        return back


@pytest.fixture
def world(tmp_path: Path) -> World:
    return World(tmp_path)


def test_the_plan_says_what_stays(world: World) -> None:
    """Steps and pins that are not taken back are named before anybody confirms."""
    back = world.back("r1", "web")
    assert back.plan.title == "Roll back web to r1"
    assert back.plan.live == dict.fromkeys(back.targets, "r2")
    assert [phase.release for phase in back.plan.phases] == ["r1"]
    assert back.notes[0] == "steps not taken back: greet (web)"
    assert back.notes[1].startswith("pins stay: web to r2; the next push deploys that again")


def test_a_release_that_is_not_here_is_refused(world: World) -> None:
    """With the hosts that are to have it."""
    with pytest.raises(Refused, match=r"these releases are not here: r0 of web\[001-003\]"):
        world.back("r0", "web")


def test_hosts_no_phase_deploys_to_are_refused(world: World) -> None:
    """They would stay on the release that is taken back, and nobody would be told."""
    with pytest.raises(Refused, match=r"deploys to db\[001-004\]"):
        world.back("r1", "web", "db")


def test_a_release_of_a_newer_schema_is_no_way_back(world: World) -> None:
    """Schemas are not looked at on the way back, so it must not lead forward."""
    with pytest.raises(Refused, match="r3 needs schema 3, and r2, which web001 runs now, 2"):
        world.back("r3", "web")
