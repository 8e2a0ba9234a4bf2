"""A run that leaves code beside schemas it cannot be sure of says so at its end."""

from __future__ import annotations

import msgspec
import pytest
from msgspec import UNSET

from fleetctl.base.outcome import Outcome
from fleetctl.cli.progress import RunView
from fleetctl.cli.recap import recap
from fleetctl.cli.skew import skew_lines
from fleetctl.plan.model import Plan, SchemaGuard
from fleetctl.rollout import records as r
from tests.cli.samples import DB, WEB, Story, plan

HEAD = "SKEW: web[001-004] run r2, which needs schema 42; not known to be at it:"
KEY = "p1-s02-schema-upgrade"


def planned(to: int = 42, upgrades: bool = True) -> Plan:
    """The sample plan: db brings schemas to `to`, web deploys r2, which needs 42."""
    made = plan()
    db, web = made.phases
    guard = SchemaGuard(upgrades=True, to=to) if upgrades else UNSET
    return msgspec.structs.replace(made, phases=(
        msgspec.structs.replace(db, schema=guard),
        msgspec.structs.replace(web, release="r2", schema=SchemaGuard(needs=42)),
    ))  # fmt: skip


def ended(story: Story, made: Plan, release: str = "r2") -> RunView:
    """The web hosts were read back, then the run ended."""
    story.tell(r.PhaseBegan("web")).send("web", WEB)
    story.tell(*(r.HostSettled("web", host, Outcome.CHANGED, release) for host in WEB))
    return RunView(made).take(story.tell(r.RunEnded(0)).entries)


def test_all_upgraded_is_no_skew() -> None:
    """Nothing is said when every host of the phase that upgrades ended well."""
    view = ended(Story().open().send("db", DB).finish("db", DB), planned())
    assert skew_lines(view) == []
    assert "SKEW" not in "\n".join(recap(view))


def test_a_lost_host_and_lost_instances_are_named() -> None:
    """The budget let the run go on; what is not sure to be upgraded is told, host by host."""
    story = Story().open().send("db", DB).finish("db", DB[:-2]).fail(DB[-2], "no")
    story.tell(
        r.ItemsListed("db", "db004", KEY, ("acme", "good", "hooli", "initech")),
        r.ItemSettled("db", "db004", KEY, "acme", Outcome.FAILED, 1, said=b"acme is at 40\nno\n"),
        r.ItemSettled("db", "db004", KEY, "good", Outcome.CHANGED, 0),
        r.ItemSettled("db", "db004", KEY, "initech", Outcome.UNKNOWN),
    )
    story.tell(
        r.ItemsListed("db", "db005", KEY, ("hal", "wayne")),
        r.ItemSettled("db", "db005", KEY, "hal", Outcome.FAILED, 1, said=b"hal is at 41\n"),
        r.ItemSettled("db", "db005", KEY, "wayne", Outcome.FAILED, 1, said=b"wayne is at 39\n"),
    )
    view = ended(story, planned())
    assert skew_lines(view) == [
        HEAD,
        "  3 instances on db004: acme, hooli, initech (fleetctl schema status --host db004)",
        "  2 instances on db005 at 39 to 41: hal, wayne (fleetctl schema status --host db005)",
        "  instances on db015: it was lost in phase db (fleetctl schema status --host db015)",
        "  all instances on db016: phase db did not come to it"
        " (fleetctl schema status --host db016)",
    ]
    assert HEAD in recap(view)


def test_a_run_that_upgrades_nothing_says_that_it_does_not_know() -> None:
    """Deploying one tier is allowed; its end says what was not looked at."""
    view = ended(Story().open(), planned(upgrades=False))
    assert skew_lines(view) == [
        HEAD, "  this run upgraded no schema; ask: fleetctl schema status",
    ]  # fmt: skip


@pytest.mark.parametrize("release", ["r1", ""])
def test_hosts_that_still_run_the_old_code_are_no_skew(release: str) -> None:
    """A new schema serves the release before it; only code that is live needs one."""
    story = Story().open().send("db", DB).fail(DB[0], "no")
    assert skew_lines(ended(story, planned(), release)) == []
