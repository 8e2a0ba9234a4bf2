"""Named limits and rates, from the file to the plan; what cannot be meant is told by its place."""

from __future__ import annotations

import pytest

from fleetctl.base.errors import FleetError
from fleetctl.cli.planview import plan_lines
from fleetctl.plan.history import History, Sample
from fleetctl.plan.model import Plan
from fleetctl.plan.save import decode_plan, encode_plan
from fleetctl.playbook.operations import NamedLimit
from tests.plan.fleets import plan_of

LIMITS = "limits: { admin-api: 8, mail: 4/s, slow: 30/min }\n"
EACH = "foreach: { list: ls, concurrency: 4 }"


def planned(step: str, phase: str = "", limits: str = LIMITS) -> Plan:
    steps = f"    steps:\n      - {step}\n      - wait: 1s\n      - run: last\n"
    return plan_of(f"title: t\n{limits}phases:\n  - name: up\n    hosts: tier=db\n{phase}{steps}")


def test_limits_are_counts_and_rates() -> None:
    """A count is at once, a rate is a second's; a saved plan keeps them, and shows them."""
    plan = planned("{ run: x, uses: [admin-api, mail] }")
    assert plan.limits == {
        "admin-api": NamedLimit(at_once=8), "mail": NamedLimit(per_s=4.0),
        "slow": NamedLimit(per_s=0.5),
    }  # fmt: skip
    assert plan.phases[0].steps[0].uses == {"admin-api": 1, "mail": 1}
    assert decode_plan(encode_plan(plan), "x") == plan
    told = "\n".join(plan_lines(plan))
    assert "admin-api: 8 at once, mail: 4 starts a second, slow: 30 starts a minute" in told
    assert "x [uses admin-api, mail]" in told


def test_a_phase_uses_it_for_all_that_is_sent() -> None:
    """A step's own weight wins; pauses use nothing; without names the plan is what it was."""
    plan = planned("{ run: x, uses: { admin-api: 3 } }", "    uses: [admin-api, slow]\n")
    assert [step.uses or {} for step in plan.phases[0].steps] == [
        {"admin-api": 3, "slow": 1}, {}, {"admin-api": 1, "slow": 1},
    ]  # fmt: skip
    bare = planned("{ run: x }", limits="")
    assert b"uses" not in encode_plan(bare)
    assert b"limits" not in encode_plan(bare)


def test_a_foreach_step_weighs_what_runs_at_once() -> None:
    """Its list runs once a host, its items as many as may run there at once."""
    listing, each, *_ = (
        planned(f"{{ run: 'x {{{{item}}}}', uses: {{admin-api: 2}}, {EACH} }}").phases[0].steps
    )
    assert (listing.uses, each.uses) == ({"admin-api": 2}, {"admin-api": 8})


@pytest.mark.parametrize(("text", "per_min"), [("4/s", 240), ("8/min", 8), ("120/h", 2)])
def test_a_throttle_may_be_said_in_any_time(text: str, per_min: float) -> None:
    """Starts a second, a minute or an hour."""
    plan = planned("{ run: x }", f"    throttle: {text}\n    limit: 8\n")
    assert plan.phases[0].throttle_per_min == per_min
    assert plan.phases[0].limit == 8


@pytest.mark.parametrize(("step", "limits", "what"), [
    ("{ run: x, uses: [admin-apu] }", LIMITS, 'no limit is named "admin-apu"\n  hint: did'),
    ("{ run: x, uses: { mial: 1 } }", LIMITS, 'p.yaml:7:33: no limit is named "mial"'),
    ("{ run: x, uses: [mail] }", "", "hint: declare it: `limits: {NAME: 8}`"),
    ("{ run: x, uses: { mail: 0 } }", LIMITS, "a weight counts from 1"),
    ("{ wait: 2s, uses: [mail] }", LIMITS, "of kind wait uses nothing on hosts"),
    ("{ run: x, uses: { admin-api: 9 } }", LIMITS, "takes 9 of admin-api on each host, and"),
    (f"{{ run: x, uses: {{admin-api: 3}}, {EACH} }}", LIMITS, "takes 12 of admin-api on each host"),
    ("{ run: x }", "limits: { a: 0 }\n", "2:14: a limit of 0 would never"),
    ("{ run: x }", "limits: { a: many }\n", "expected a count such as 8, or a rate such as 4/s"),
    ("{ run: x }", "limits: { a: 4/week }\n", "no rate"),
    ("{ run: x }", "limits: { 'a b': 4 }\n", "cannot be the name of a limit"),
])  # fmt: skip
def test_what_cannot_be_meant_is_told(step: str, limits: str, what: str) -> None:
    """Before anything starts, with the place and what was probably meant."""
    with pytest.raises(FleetError) as caught:
        planned(step, limits=limits)
    assert what in str(caught.value)


def test_the_estimate_knows_what_is_shared() -> None:
    """Eight hosts at once, and a limit of two, or two starts a minute: the limit sets the pace."""
    history = History([Sample("x", "db", "db001", 1, 10.0)])
    text = "title: t\nlimits: { api: %s }\nphases:\n  - name: up\n    hosts: tier=db\n    steps:\n"
    step = "      - { run: x, uses: [api] }\n"
    free = plan_of(text % 100 + step, history=history)
    two = plan_of(text % 2 + step, history=history)
    slow = plan_of(text % "2/min" + step, history=history)
    assert [len(batch) for batch in free.phases[0].batches] == [4, 4]
    assert (free.estimate_s, two.estimate_s, slow.estimate_s) == (20.0, 40.0, 240.0)
