"""Steps done for each item of a host's list: from the playbook to the plan, and what is refused."""

from __future__ import annotations

import subprocess

import pytest

from fleetctl.base.errors import FleetError, InputError
from fleetctl.cli.planview import plan_lines
from fleetctl.plan.model import Plan
from fleetctl.plan.render import render_step
from fleetctl.plan.save import decode_plan, encode_plan
from fleetctl.playbook.operations import Foreach, Listing
from tests.plan.fleets import phase, plan_of

EACH = "foreach: {list: bin/instances --pending, concurrency: 4, noun: instance, timeout: 20s}"
STEP = "{run: [bin/upgrade, '{{item}}'], check: 'bin/done {{item}}', timeout: 10m, " + EACH + "}"
HOSTILE = ["it's", 'say "no"', "a b", "-rf", "$(touch x)", "`id`", "\\", "*", "{{item}}", "é"]


def planned(step: str, budget: str = "0") -> Plan:
    return plan_of(phase(f"name: up\nhosts: tier=db\nbudget: {budget}\nsteps: [{step}]"))


def test_one_authored_step_is_two() -> None:
    """The list is a step of its own, right before the one that acts; each has its own deadline."""
    listing, each = planned(STEP).phases[0].steps
    assert (listing.key, each.key) == ("p1-s01-run.list", "p1-s01-run")
    assert listing.operation == Listing("bin/instances --pending")
    assert (listing.timeout_s, each.timeout_s) == (20.0, 600.0)
    assert listing.retry is not None
    assert each.retry is None
    assert isinstance(each.operation, Foreach)
    assert (each.operation.concurrency, each.operation.noun) == (4, "instance")


def test_options_hold_for_the_items() -> None:
    """Retry and secrecy are the acting step's, not the list's, whose output must be read."""
    step = "{run: 'x {{item}}', idempotent: true, retry: 3, secret: true, foreach: {list: l}}"
    listing, each = planned(step).phases[0].steps
    assert each.retry is not None
    assert each.retry.attempts == 3
    assert (listing.secret, each.secret) == (False, True)


def test_a_plan_with_items_is_saved_and_told() -> None:
    """It survives being saved, and says what losing items does and how many are at work."""
    plan = planned(STEP, "{phase: 1, items: 2}")
    assert decode_plan(encode_plan(plan), "x") == plan
    text = "\n".join(plan_lines(plan))
    assert "2 lost instances: goes on; 3: stops" in text
    assert "each instance the host lists, 4 at once" in text
    assert "1 lost instance: stops" in "\n".join(plan_lines(planned(STEP)))


@pytest.mark.parametrize("item", HOSTILE)
@pytest.mark.parametrize(
    "run",
    ["printf %s {{item}}", "printf %s \"{{item}}\"", "v={{item}}; printf %s \"$v\"",
     "printf %s \"$(printf %s {{item}})\"", ["printf", "%s", "{{item}}"],
     "printf %s 'a{{item}}' | cut -c 2-"],
)  # fmt: skip
def test_an_item_arrives_as_itself(run: str | list[str], item: str) -> None:
    """Whatever the host calls an item, and wherever the author names it, it is one plain word."""
    plan = planned(f"{{run: {run!r}, foreach: {{list: l}}}}".replace("\\'", "''"))
    found = render_step(plan, plan.phases[0], plan.phases[0].steps[1], "db001")
    assert isinstance(found, Foreach)
    said = subprocess.run(
        ["sh", "-c", found.act], env={"FLEETCTL_ITEM": item}, capture_output=True, check=True
    )
    assert said.stdout.decode().removesuffix("\n") == item


@pytest.mark.parametrize(
    ("step", "words", "column"),
    [
        ("{run: 'x {{item}}'}", "{{item}} names nothing here", 19),
        ("{run: 'x', name: '{{item}}', foreach: {list: l}}", "{{item}} names nothing here", 30),
        ("{run: x, foreach: {list: 'l {{item}}'}}", "{{item}} names nothing here", 38),
        ("{run: x, foreach: {lst: l}}", 'unknown key "lst"', 32),
        ("{run: x, foreach: {list: ''}}", "the command is empty", 38),
        ("{run: x, foreach: {list: l, concurrency: 0}}", "concurrency is a count from 1 to", 54),
        ("{run: x, undo: y, foreach: {list: l}}", "a step with foreach takes no undo", 28),
        ("{run: x, once: fleet, foreach: {list: l}}", "a step with foreach takes no once", 28),
        ("{wait: 3s, foreach: {list: l}}", "a step of kind wait takes no foreach", 33),
    ],
)
def test_mistakes_are_told_with_their_place(step: str, words: str, column: int) -> None:
    """What cannot be done for each item is refused where it is written, before anything runs."""
    with pytest.raises(FleetError) as caught:
        planned(step)
    assert words in str(caught.value)
    assert isinstance(caught.value, InputError)
    assert (caught.value.location.line, caught.value.location.column) == (6, column)


def test_a_negative_budget_is_refused() -> None:
    """Fewer than no items cannot be lost."""
    with pytest.raises(FleetError, match="cannot be negative"):
        planned(STEP, "{items: -1}")
