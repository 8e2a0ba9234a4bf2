"""Going back after a push, on real SSH servers: the earlier release, last phase first."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from fleetctl.base.errors import ExitCode
from fleetctl.releases.pins import pins_path, write_pins
from fleetctl.releases.store import ReleaseStore
from tests.cli.program import Program
from tests.labfixture import StartLab

pytestmark = pytest.mark.slow

HOSTS = ("repo001", "repo002", "web001", "web002")
PLAYBOOK = """\
title: Saturday push
phases:
  - name: repo
    hosts: tier=repo
    steps:
      - run: echo stop >> log && touch stopped
        restore: rm -f stopped
        restored_by: start the daemons
      - deploy: { to: app, restart: 'echo "$FLEETCTL_RELEASE" >> log' }
      - run: echo start >> log && rm -f stopped
        name: start the daemons
  - name: web
    hosts: tier=web
    gates:
      - approval: { question: Upgrade?, default: approve }
        when: before
        timeout: 100ms
    steps:
      - run: echo migrate >> log
        name: migrate
      - deploy: { to: app, restart: 'echo "$FLEETCTL_RELEASE" >> log' }
"""


def prepared(folder: Path, start: StartLab) -> Program:
    """Two releases; r1 runs on all hosts but web002."""
    program = Program(folder, start({"repo": HOSTS[:2], "web": HOSTS[2:]}))
    program.write("push.yaml", PLAYBOOK)
    for release in ("r1", "r2"):
        program.write(f"{release}/version", release)
        ReleaseStore(folder / "releases").add(folder / release, release)
    pins = pins_path(program.lab.inventory)
    write_pins(pins, ("repo", "web"), "r1")
    push(program, "--exclude", "web002")
    write_pins(pins, ("repo", "web"), "r2")
    return program


def push(program: Program, *words: str) -> None:
    done = program.here("push", "push.yaml", "--yes", *words)
    assert done.returncode == 0, done.stderr


def running(program: Program) -> list[str]:
    links = [program.lab.home(host) / "app/current" for host in HOSTS]
    return [link.readlink().name if link.is_symlink() else "" for link in links]


def test_a_run_is_taken_back_in_reverse_order(tmp_path: Path, lab_fleet: StartLab) -> None:
    """Every changed host runs what it ran before; what stays and the pins are told; a run again."""
    program = prepared(tmp_path, lab_fleet)
    push(program, "--exclude", "web002")
    assert running(program) == ["r2", "r2", "r2", ""]
    done = program.here("rollback", "last", "--yes")
    said = done.stdout + done.stderr
    assert done.returncode == 0, said
    assert running(program) == ["r1", "r1", "r1", ""]
    assert re.search(r"^Roll back \S+: Saturday push: 3 hosts", said, re.MULTILINE)
    assert said.index("1. web: ") < said.index("2. repo: ")
    assert "r2 -> r1: repo, web" in said
    assert "steps not taken back: migrate (web)" in said
    assert "approvals not asked again: web" in said
    assert "next: fleetctl releases pin repo,web r1" in said
    assert program.lines("repo001", "log") == ["stop", "r1", "start", "stop", "r2", "start",
                                               "stop", "r1", "start"]  # fmt: skip
    assert program.lines("web001", "log") == ["migrate", "r1", "migrate", "r2", "r1"]
    listed = program.here("runs", "list")
    assert "Roll back" in listed.stdout


def test_what_cannot_be_known_is_refused(tmp_path: Path, lab_fleet: StartLab) -> None:
    """A host without an earlier release, a changed playbook; the rest goes back when told so."""
    program = prepared(tmp_path, lab_fleet)
    push(program)
    done = program.here("rollback", "last", "--yes")
    assert done.returncode == ExitCode.REFUSED, done.stderr
    assert "nobody knows what web002 ran" in done.stderr
    program.write("push.yaml", PLAYBOOK + "# changed\n")
    done = program.here("rollback", "last", "--yes", "--exclude", "web002")
    assert done.returncode == ExitCode.REFUSED, done.stderr
    assert "the playbook was changed since" in done.stderr
    assert running(program) == ["r2"] * 4
    done = program.here("rollback", "--tier", "web", "--to", "r1", "--yes", "--pin",
                        "--playbook", "push.yaml")  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert "pinned: web to r1" in done.stdout + done.stderr
    assert running(program) == ["r2", "r2", "r1", "r1"]
    done = program.here("rollback", "--tier", "repo", "--yes", "--playbook", "push.yaml")
    assert done.returncode == 0, done.stderr
    assert running(program) == ["r1"] * 4
