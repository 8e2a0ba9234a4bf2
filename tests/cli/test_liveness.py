"""A host is asked which release it runs by a text that only reads."""

from __future__ import annotations

import subprocess
from pathlib import Path

from fleetctl.cli.liveness import reading_plan, reading_scripts, reading_text
from fleetctl.inventory.load import load_fleet
from fleetctl.playbook.load import read_playbook
from fleetctl.playbook.steps.deploy import Deploy

INVENTORY = """\
fleet: acme
tiers:
  db: {hosts: ["db[001-002]"]}
  web: {hosts: [web001]}
"""
PLAYBOOK = """\
title: push
phases:
  - name: db
    hosts: tier=db
    gates: [{approval: Go on?}]
    steps:
      - run: [touch, /should/never/happen]
      - deploy: {to: "srv/{{host.name}}", live: "echo app says $FLEETCTL_RELEASE"}
  - name: web
    hosts: tier=web
    steps: [{run: "true"}]
"""


def _said(text: str, home: Path) -> str:
    done = subprocess.run(["sh", "-c", text], env={"HOME": str(home), "PATH": "/usr/bin:/bin"},
                          capture_output=True, text=True, timeout=90, check=True)  # fmt: skip
    return done.stdout.strip()


def _deployed(home: Path) -> None:
    (home / "srv" / "releases" / "r7").mkdir(parents=True)
    (home / "srv" / "current").symlink_to("releases/r7")


def test_the_link_says_the_release(tmp_path: Path) -> None:
    """Relative folders are below the login's home; a host never deployed to says nothing."""
    text = reading_text(Deploy(to="~/srv/"))
    assert _said(text, tmp_path) == ""
    _deployed(tmp_path)
    assert _said(text, tmp_path) == "r7"
    assert _said(reading_text(Deploy(to=str(tmp_path / "srv"))), tmp_path) == "r7"


def test_the_application_has_the_last_word(tmp_path: Path) -> None:
    """A link that moved without a restart is drift, so the author's `live` is asked."""
    _deployed(tmp_path)
    assert _said(reading_text(Deploy(to="srv", live="echo noise; echo r6")), tmp_path) == "r6"


def test_only_hosts_some_phase_deploys_to_are_asked_and_nothing_else_is_run(
    tmp_path: Path,
) -> None:
    """Status runs no step of the playbook, only the reading."""
    (tmp_path / "inventory.yaml").write_text(INVENTORY)
    fleet = load_fleet(tmp_path / "inventory.yaml")
    plan = reading_plan(fleet, read_playbook(PLAYBOOK, "p.yaml", str(tmp_path)), list(fleet.hosts))
    assert plan is not None
    scripts = reading_scripts(plan)
    assert sorted(scripts) == ["db001", "db002"]
    assert all("never" not in script for script in scripts.values())
    assert "srv/db002" in scripts["db002"]
    assert all(len(phase.steps) == 1 and not phase.gates for phase in plan.phases)


def test_a_gate_that_names_the_release_needs_no_pin_to_be_read_past(tmp_path: Path) -> None:
    """Which release a host runs can be asked before any is pinned."""
    (tmp_path / "inventory.yaml").write_text(INVENTORY)
    gated = PLAYBOOK.replace("{approval: Go on?}", '{approval: "Go on with {{release.id}}?"}')
    fleet = load_fleet(tmp_path / "inventory.yaml")
    plan = reading_plan(fleet, read_playbook(gated, "push.yaml", str(tmp_path)), ["db001"])
    assert plan is not None
    assert set(reading_scripts(plan)) == {"db001"}
