"""Secrets in plans: names and sources, never values, and the same plan as ever without them."""

from __future__ import annotations

import pytest

from fleetctl.base.errors import FleetError
from fleetctl.plan.digest import canonical
from fleetctl.plan.model import Plan
from fleetctl.plan.render import render_step
from fleetctl.plan.save import decode_plan, encode_plan
from fleetctl.plan.words import given_words, secret_words, secrets_of
from fleetctl.playbook.operations import Exec, SecretExec
from tests.plan.fleets import plan_of

STEP = "{run: 'mysql {{host.name}}', undo: 'x', secrets: {stdin: pw, files: {KEY_FILE: key}}}"
PLAYBOOK = """\
title: t
secrets: {pw: {env: SOME_PASSWORD}, key: {file: key.pem}, unused: {env: NOT_SET}}
phases:
  - {name: web, hosts: tier=web, steps: [%s]}
"""


def secretive(step: str) -> Plan:
    return plan_of(PLAYBOOK % step)


def test_a_plan_names_what_is_given() -> None:
    """Plan and saved plan say which secret goes where and whence it comes, in words too."""
    plan = secretive(STEP)
    assert decode_plan(encode_plan(plan), "x") == plan
    assert given_words(plan.phases[0].steps[0]) == "pw on stdin, key in $KEY_FILE"
    assert [secret_words(name, source) for name, source in secrets_of(plan).items()] == [
        "pw: environment variable SOME_PASSWORD",
        "key: file /books/key.pem",
    ]


def test_rendering_keeps_them() -> None:
    """A step filled in for a host still has its secrets to be given."""
    plan = secretive(STEP)
    phase = plan.phases[0]
    host = phase.batches[0][0]
    found = render_step(plan, phase, phase.steps[0], host)
    assert isinstance(found, SecretExec)
    assert host in found.act
    assert [use.name for use in found.secrets] == ["pw", "key"]


def test_plans_without_secrets_are_as_before() -> None:
    """A step without secrets is written as ever, so that old plans keep their digest."""
    plan = secretive("{run: 'true'}")
    assert type(plan.phases[0].steps[0].operation) is Exec
    assert b"secret" not in canonical(plan).replace(b'"secret":false', b"")


@pytest.mark.parametrize("step", ["{wait: 3s, secrets: {stdin: pw}}"])
def test_only_commands_take_secrets(step: str) -> None:
    """A kind of step that could not be given a secret says so."""
    with pytest.raises(FleetError, match="takes no secrets"):
        secretive(step)
