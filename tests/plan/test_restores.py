"""Steps that put their host back: from the playbook to the plan, and what is refused."""

from __future__ import annotations

import pytest

from fleetctl.base.errors import FleetError
from fleetctl.cli.planview import plan_lines
from fleetctl.plan.model import Plan
from fleetctl.playbook.operations import Exec
from tests.plan.fleets import phase, plan_of

DAEMONS = "{systemd: [app, worker], up: {tcp: 8080}}"


def planned(*steps: str) -> Plan:
    listed = "".join(f"\n  - {step}" for step in steps)
    return plan_of(phase(f"name: up\nhosts: tier=db\nsteps:{listed}"))


def test_a_step_names_the_one_that_puts_its_host_back() -> None:
    """By its name; the plan holds the key of its last part."""
    plan = planned(
        "{run: lb-drain, restore: [lb-enable, '{{host.name}}'], restored_by: in again}",
        "{run: lb-enable, name: in again}",
    )
    drain, enable = plan.phases[0].steps
    assert isinstance(drain.operation, Exec)
    assert "{{host.name}}" in drain.operation.restore
    assert drain.restored_by == enable.key


def test_a_stop_is_owed_and_a_restart_only_where_it_fails() -> None:
    """The plan says who puts the host back; what is not running is left alone, and said so."""
    plan = planned(f"{{stop: {DAEMONS}, restored_by: on}}", f"{{start: {DAEMONS}, name: on}}",
                   f"{{restart: {DAEMONS}}}", "{run: drain, restore: enable}")  # fmt: skip
    stop, start, restart, _ = plan.phases[0].steps
    assert (stop.restored_by, restart.restored_by) == (start.key, restart.key)
    assert restart.undo_last
    told = " ".join(" ".join(plan_lines(plan)).split())
    assert 'stop app, worker [put back by "on", or on every other way out]' in told
    assert "restart app, worker (what runs, one after another) >" in told
    assert "drain [put back in the end, on every way out]" in told


@pytest.mark.parametrize(
    ("steps", "words"),
    [
        (["{run: a, restore: b, undo: c}"], "a step has undo or restore, not both"),
        (["{run: a, restore: b, once: fleet}"], "a step that runs once has no restore"),
        (["{run: a, restored_by: b}"], "restored_by without restore"),
        (["{run: a, restore: b, restored_by: strat}", "{run: c, name: start}"],
         'no later step of the phase is named "strat"'),
        (["{run: a, restore: b, restored_by: c}", "{run: c, name: c, once: fleet}"],
         '"c" runs once, so it puts no other host back'),
        (["{run: a, restore: b, restored_by: c}", "{run: c, name: c, restore: d}"],
         '"c" is put back itself, so it ends nothing'),
        (["{wait: 3s, restore: b}"], "a step of kind wait takes no restore"),
        (["{run: 'x {{item}}', restore: b, foreach: {list: l}}"],
         "a step with foreach takes no restore"),
        (["{stop: {systemd: []}}"], "say exactly one of systemd and command"),
        (["{restart: {systemd: app, up: {tpc: 1}}}"], 'unknown key "tpc"'),
    ],
)  # fmt: skip
def test_mistakes_are_told_before_anything_runs(steps: list[str], words: str) -> None:
    """What cannot be meant is refused where it is written."""
    with pytest.raises(FleetError) as caught:
        planned(*steps)
    assert words in str(caught.value)
