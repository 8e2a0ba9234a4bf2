"""Steps a person does, from the file to the plan."""

from __future__ import annotations

import pytest

from fleetctl.base.errors import FleetError
from fleetctl.cli.planview import plan_lines
from fleetctl.plan.model import Plan
from fleetctl.plan.save import decode_plan, encode_plan
from fleetctl.playbook.operations import Approval, Manual
from tests.plan.fleets import phase, plan_of


def planned(step: str, hosts: str = "hosts: tier=db") -> Plan:
    return plan_of(phase(f"name: up\n{hosts}\nsteps: [{step}]"))


@pytest.mark.parametrize(("step", "once"), [
    ("{manual: look}", "fleet"),
    ("{manual: look, once: batch}", "batch"),
    ("{manual: 'look at {{fleet.name}}'}", "fleet"),
    ("{manual: 'look at {{host.name}}'}", ""),
    ("{manual: {command: 'ssh {{host.address}}'}}", ""),
    ("{manual: {text: look, check: ['{{host.name}} is up']}}", ""),
])  # fmt: skip
def test_a_person_is_asked_once_unless_a_host_is_named(step: str, once: str) -> None:
    """What reads the same for every host is asked once; a day is the patience."""
    [made] = planned(step).phases[0].steps
    assert made.once == once
    assert made.timeout_s == 24 * 3600


def test_no_host_of_a_phase_by_hand_is_reached() -> None:
    """Nothing is leased or looked at for it; with one step that is sent, it is."""
    by_hand = planned("{manual: look}")
    assert (by_hand.keepers, by_hand.guards, by_hand.carried_on) == ({}, (), ())
    sent = planned("{manual: look}, {run: 'true'}")
    assert sent.keepers
    assert sent.guards


def test_a_phase_without_hosts_asks_step_by_step() -> None:
    """It has no batches; each step is a gate before it, which a saved plan keeps."""
    plan = planned("{manual: one}, {manual: {command: two, default: skipped}, timeout: 5m}", "")
    [made] = plan.phases
    assert made.batches == ()
    assert [(gate.key, gate.when, gate.timeout_s) for gate in made.gates] == [
        ("p1-s01-manual", "before", 86400.0), ("p1-s02-manual", "before", 300.0),
    ]  # fmt: skip
    assert made.gates[1].probe == Manual("Type this:", (), "two", "", "skipped")
    assert decode_plan(encode_plan(plan), "x") == plan
    assert "1. up: a person does it" in "\n".join(plan_lines(plan))


def test_an_approval_without_a_default_is_the_plan_it_was() -> None:
    """Saved plans of before keep their digest."""
    plan = plan_of(phase("name: up\nhosts: tier=db\ngates: [{approval: Go?}]\n"
                         "steps: [{run: 'true'}]"))  # fmt: skip
    assert plan.phases[0].gates[0].probe == Approval("Go?")
    assert b'"default"' not in encode_plan(plan)


@pytest.mark.parametrize(("hosts", "step", "what"), [
    ("hosts: tier=db", "{manual: 'look at {{host.name}}', once: fleet}", "names {{host.name}}"),
    ("hosts: tier=db", "{manual: look, idempotent: true}", "takes no idempotent"),
    ("hosts: tier=db", "{manual: look, undo: x}", "takes no undo"),
    ("hosts: tier=db", "{manual: {}}", "is not said"),
    ("hosts: tier=db", "{manual: {text: x, check: ['']}}", "without a text"),
    ("hosts: tier=db", "{manual: {text: x, defalt: skipped}}", 'did you mean "default"'),
    ("", "{run: 'true'}", "names no hosts, and has a step that needs one"),
    ("", "{manual: 'look at {{host.name}}'}", "{{host.name}} has no value"),
    ("", "{manual: look, once: batch}", "once says nothing"),
    ("limit: 4", "{manual: look}", "limit says nothing"),
])  # fmt: skip
def test_what_cannot_be_asked_is_told_with_its_place(hosts: str, step: str, what: str) -> None:
    """Before anything starts, with line and column."""
    with pytest.raises(FleetError) as caught:
        planned(step, hosts)
    told = str(caught.value)
    assert what in told
    assert "p.yaml:" in told
