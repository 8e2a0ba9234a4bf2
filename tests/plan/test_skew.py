"""Code that needs a schema comes after the phase that brings it: told before anything runs."""

from __future__ import annotations

from typing import Any

import pytest
from msgspec import UNSET
from msgspec.structs import replace

from fleetctl.base.errors import FleetError, InputError
from fleetctl.cli.planview import plan_lines
from fleetctl.plan.compile import compile_plan
from fleetctl.plan.model import Plan, SchemaGuard
from fleetctl.playbook.kinds import Artifact
from tests.plan.fleets import request_of

UP = "{schema-upgrade: {engine: sqlite, migrations: m, instances: {file: i}%s}}"
DEPLOY = "{deploy: {to: app%s}}"
NEEDS_2 = DEPLOY % ", requires: {schema: 2}"
RELEASES = {"db": "r2", "web": "r2"}


def book(*phases: str) -> str:
    lines = [f"  - {{{phase}}}" for phase in phases]
    return "\n".join(["title: t", "phases:", *lines])


def phase(name: str, step: str, more: str = "") -> str:
    return f"name: {name}, hosts: tier={name}, steps: [{step}]{more}"


def plan_of(text: str, schema: int = 0, **more: Any) -> Plan:
    def artifact(release: str) -> Artifact:
        return Artifact(release, f"/releases/{release}", "0" * 64, 10, schema=schema)

    return compile_plan(replace(request_of(text, releases=RELEASES, **more), artifact=artifact))


def test_the_schema_comes_before_the_code_that_needs_it() -> None:
    """Both phases say so in the plan, and a person sees it before saying yes."""
    plan = plan_of(book(phase("db", UP % ", to: 2"), phase("web", NEEDS_2)))
    assert [one.schema for one in plan.phases] == [
        SchemaGuard(upgrades=True, to=2),
        SchemaGuard(needs=2),
    ]
    text = "\n".join(plan_lines(plan))
    assert "brings every instance to 2" in text
    assert "r2 needs 2, brought by db" in text
    bare = plan_of(book(phase("web", DEPLOY % ""))).phases[0]
    assert bare.schema is UNSET


@pytest.mark.parametrize(
    ("phases", "why"),
    [
        ((phase("web", NEEDS_2),), "no phase upgrades schemas"),
        ((phase("db", UP % ", to: 1"), phase("web", NEEDS_2)), "phase db brings them to 1"),
        ((phase("web", NEEDS_2), phase("db", UP % ", to: 2")), "phase db does, and comes later"),
        (
            (phase("db", UP % ", to: 2"), phase("web", NEEDS_2, ", needs: []")),
            "this one would start even if that one failed",
        ),
    ],
)
def test_code_without_its_schema_is_refused(phases: tuple[str, ...], why: str) -> None:
    """The message names the phase, the release, the number, why, and where it is written."""
    with pytest.raises(FleetError) as caught:
        plan_of(book(*phases))
    assert "phase web deploys r2, which needs schema 2" in str(caught.value)
    assert why in str(caught.value.why)
    assert isinstance(caught.value, InputError)
    line = next(one for one in book(*phases).splitlines() if "name: web" in one)
    assert caught.value.location.line == 1 + book(*phases).splitlines().index(line)
    assert caught.value.location.column == 1 + line.index("2}")


def test_a_schema_further_on_is_no_trouble() -> None:
    """Expand first, contract later: the code of the week before runs on it too."""
    for to in (", to: 3", ""):
        plan_of(book(phase("db", UP % to), phase("web", NEEDS_2)))


def test_a_part_of_the_playbook_says_what_it_leaves_out() -> None:
    """Deploying one tier alone is allowed; the plan says that nobody upgrades here."""
    text = book(phase("db", UP % ", to: 2"), phase("web", NEEDS_2))
    plan = plan_of(text, phases=["web"])
    assert "which this plan does not bring" in "\n".join(plan_lines(plan))


def test_the_release_may_say_the_number() -> None:
    """`release` stands for the number the release was added with."""
    text = book(
        f"name: db, hosts: tier=db, steps: [{DEPLOY % ''}, {UP % ', to: release'}]",
        phase("web", DEPLOY % ", requires: {schema: release}"),
    )
    plan = plan_of(text, schema=7)
    assert [one.schema for one in plan.phases] == [
        SchemaGuard(upgrades=True, to=7),
        SchemaGuard(needs=7),
    ]
    with pytest.raises(FleetError, match="r2 does not say which schema it needs"):
        plan_of(text)
    with pytest.raises(FleetError, match="this phase deploys none"):
        plan_of(book(phase("db", UP % ", to: release")))
