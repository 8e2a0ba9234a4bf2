"""What a schema-upgrade step comes down to, and what is refused."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from fleetctl.base.errors import FleetError
from fleetctl.plan.model import Plan
from fleetctl.plan.render import render_step
from fleetctl.playbook.operations import Exec, Foreach, Listing, Put
from tests.plan.fleets import plan_of

OF_SQLITE = "engine: sqlite, migrations: app/migrations, instances: {file: list}"
OWN = "pending: [bin/pending], upgrade: [bin/upgrade, '{{item}}', '{{host.name}}']"


def planned(value: str, options: str = "timeout: 7m") -> Plan:
    step = f"{{schema-upgrade: {{{value}}}, {options}}}"
    return plan_of(f"title: t\nphases:\n  - {{name: up, hosts: tier=db, steps: [{step}]}}")


@pytest.fixture(autouse=True)
def _own_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))


def test_the_program_is_laid_down_before_it_lists_and_upgrades() -> None:
    """Four steps; only the last has the author's deadline for each instance and acts on items."""
    plan = planned(OF_SQLITE + ", concurrency: 3, to: 2")
    put, unpack, listing, each = plan.phases[0].steps
    assert isinstance(put.operation, Put)
    assert Path(put.operation.source).is_file()
    assert type(unpack.operation) is Exec
    assert isinstance(listing.operation, Listing)
    assert isinstance(each.operation, Foreach)
    assert (each.operation.concurrency, each.operation.noun) == (3, "instance")
    assert each.title == "upgrade the schema to 2"
    assert each.timeout_s == 420.0
    assert listing.timeout_s != 420.0


def test_the_applications_own_commands_need_no_program() -> None:
    """Its list and its upgrade, nothing laid down; not sent again unless the author says so."""
    listing, each = planned(OWN).phases[0].steps
    assert isinstance(listing.operation, Listing)
    assert isinstance(each.operation, Foreach)
    assert each.retry is None
    assert planned(OWN, "idempotent: true").phases[0].steps[1].retry is not None


def test_the_engine_may_be_a_variable() -> None:
    """The same playbook serves the fleet's MariaDB and a lab's SQLite: the program holds both."""
    step = "{schema-upgrade: {engine: '{{var.kind}}', migrations: m, instances: {file: i}}}"
    plan = plan_of(
        "title: t\nvariables: {kind: sqlite}\n"
        f"phases:\n  - {{name: up, hosts: tier=db, steps: [{step}]}}"
    )
    _, _, listing, _ = (
        render_step(plan, plan.phases[0], one, "db001") for one in plan.phases[0].steps
    )
    assert isinstance(listing, Listing)
    assert "'kind=sqlite'" in listing.act


@pytest.mark.parametrize(("backup", "told"), [("true", "upgraded i1"), ("false", "")])
def test_an_instance_whose_backup_fails_is_not_upgraded(backup: str, told: str) -> None:
    """The backup comes first; without it nothing is touched, and the reason is said."""
    plan = planned(f"pending: [p], upgrade: [echo, upgraded, '{{{{item}}}}'], backup: '{backup}'")
    operation = render_step(plan, plan.phases[0], plan.phases[0].steps[1], "db001")
    assert isinstance(operation, Foreach)
    done = subprocess.run(
        ["sh", "-c", operation.act], env={"FLEETCTL_ITEM": "i1"}, capture_output=True, text=True,
        check=False,
    )  # fmt: skip
    assert done.stdout.strip() == told
    assert ("the backup failed" in done.stderr) == (not told)


@pytest.mark.parametrize(
    ("value", "words"),
    [
        ("migrations: m", "give it an engine"),
        ("pending: [p]", "give it an engine"),
        ("engine: sqlite, instances: {file: i}", "migrations: the folder"),
        ("engine: sqlite, migrations: m", "exactly one of query, file and command"),
        ("engine: sqlite, migrations: m, instances: {query: q}", "sqlite has no server"),
        (OF_SQLITE + ", upgrade: [x]", "take one away"),
        (OWN + ", server: {user: x}", "only with an engine"),
        (
            "engine: oracle, migrations: m, instances: {file: i}",
            "'oracle' is none we know; known: ",
        ),
        ("engine: maraidb, migrations: m, instances: {file: i}", 'did you mean "mariadb"'),
        (OF_SQLITE + ", to: 0", ">= 1"),
        (OF_SQLITE + ", concurrency: 100", "<= 64"),
    ],
)
def test_mistakes_are_told_before_anything_runs(value: str, words: str) -> None:
    """What would only fail on hosts is refused where it is written."""
    with pytest.raises(FleetError, match=words):
        planned(value)


@pytest.mark.parametrize("options", ["once: shard", "undo: x", "restore: x"])
@pytest.mark.parametrize("value", [OF_SQLITE, OWN])
def test_options_that_make_no_sense_for_instances_are_refused(value: str, options: str) -> None:
    """Who lists also upgrades, and a schema is not taken back."""
    word = options.partition(":")[0]
    with pytest.raises(FleetError, match=f"a step of kind schema-upgrade takes no {word}"):
        planned(value, options)


def test_a_password_cannot_stand_in_the_playbook() -> None:
    """What a program is started with can be read on its host: the key does not exist."""
    with pytest.raises(FleetError, match='unknown key "password"'):
        planned("engine: mariadb, migrations: m, instances: {file: i}, server: {password: x}")


def test_unpacking_says_what_the_host_lacks(tmp_path: Path) -> None:
    """A host without Python, or with an old one, is told so before any instance is touched."""
    plan = planned(OF_SQLITE + ", python: no-such-python")
    unpack = plan.phases[0].steps[1].operation
    assert isinstance(unpack, Exec)
    done = subprocess.run(
        ["sh", "-c", unpack.act], env={"HOME": str(tmp_path), "PATH": "/usr/bin:/bin"},
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 1
    assert "need Python 3.10 or later on this host, and there is none" in done.stderr
