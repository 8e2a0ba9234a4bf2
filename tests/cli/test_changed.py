"""What a run is found to have changed, from its records alone."""

from __future__ import annotations

import pytest

from fleetctl.base.outcome import Outcome
from fleetctl.cli.changed import changed_by
from fleetctl.plan.model import Plan
from fleetctl.rollout import records as r
from tests.plan.fleets import phase, plan_of

KEYS = tuple(
    f"p1-s01-deploy.{part}" for part in ("prepare", "upload", "unpack", "switch", "verify")
)
UPLOAD, SWITCH = KEYS[1], KEYS[3]
SENT = r.SegmentSent("web", "web001", 1, KEYS)


def a_plan() -> Plan:
    text = "name: web\nhosts: tier=web\nsteps: [{deploy: {to: app}}]"
    return plan_of(phase(text), releases={"web": "r2"})


def settled(key: str, outcome: Outcome, undo: bool = False) -> r.StepSettled:
    return r.StepSettled("web", "web001", key, outcome, undo=undo)


@pytest.mark.parametrize(
    ("records", "changed"),
    [
        ([SENT, settled(SWITCH, Outcome.CHANGED)], True),
        ([SENT, settled(SWITCH, Outcome.CHANGED), settled(KEYS[4], Outcome.FAILED)], True),
        ([SENT, settled(SWITCH, Outcome.SKIPPED)], False),
        ([SENT, settled(UPLOAD, Outcome.FAILED)], False),
        ([SENT, settled(SWITCH, Outcome.UNKNOWN)], True),
        ([SENT], True),
        ([SENT, settled(UPLOAD, Outcome.UNKNOWN)], True),
        ([SENT, r.OrderLost("web", "web001", 1, sent=False, cause="refused", detail="")], False),
        ([SENT, r.AskAnswered("web", "web001", 1, absent=(SWITCH,))], False),
        ([SENT, settled(SWITCH, Outcome.CHANGED), settled(SWITCH, Outcome.CHANGED, undo=True)],
         False),
        ([SENT, settled(SWITCH, Outcome.CHANGED), settled(SWITCH, Outcome.FAILED, undo=True)],
         True),
        # Failed after its switch, was resumed, and found it done.
        ([SENT, settled(SWITCH, Outcome.CHANGED), SENT, settled(SWITCH, Outcome.SKIPPED)], True),
    ],
)  # fmt: skip
def test_a_host_is_changed_when_it_was_switched_or_nobody_knows(
    records: list[r.Record], changed: bool
) -> None:
    """What was never begun, was so already or was taken back is not changed."""
    found = changed_by(a_plan(), records)
    assert found.hosts == (frozenset({"web001"}) if changed else frozenset())


def test_a_run_of_checks_alone_changed_nothing() -> None:
    """Its steps are settled as if they had run, and none did."""
    opened = r.RunOpened("run", "digest", 1, "me", (), 0, check_only=True)
    found = changed_by(a_plan(), [opened, SENT, settled(SWITCH, Outcome.CHANGED)])
    assert found.hosts == frozenset()
    assert found.check_only


def test_upgraded_instances_are_counted_once() -> None:
    """Those that were behind and are not, each once, with the migration they are at."""
    text = """\
name: db
hosts: tier=db
steps:
  - schema-upgrade:
      engine: mariadb
      migrations: app/schema
      to: 2
      instances: { command: ls instances }
      server: { defaults_file: ~/.my.cnf }
"""
    plan = plan_of(phase(text))
    key = plan.phases[0].steps[-1].key
    ends = [("a", Outcome.CHANGED), ("b", Outcome.SKIPPED), ("c", Outcome.FAILED)]
    records = [r.ItemSettled("db", "db001", key, item, outcome) for item, outcome in [*ends, *ends]]
    found = changed_by(plan, records)
    assert (found.items, found.schema) == (1, 2)
