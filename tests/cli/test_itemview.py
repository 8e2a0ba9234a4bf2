"""Items of foreach steps in the recap, the picture and the lines of a run."""

from __future__ import annotations

from msgspec.structs import replace

from fleetctl.base.outcome import Outcome
from fleetctl.cli.itemview import item_counts, lost_lines, round_words, tallies, unknown_lines
from fleetctl.cli.progress import RunView
from fleetctl.cli.telling import Teller
from fleetctl.plan.model import Plan, PlanStep
from fleetctl.playbook.operations import Foreach, Listing
from fleetctl.rollout import records as r
from tests.cli import samples

EACH = PlanStep("up", "upgrade", Foreach("x", noun="instance"), 60.0)
ITEMS = ("a b", "c", "d", "e")


def plan() -> Plan:
    """The sample's plan with a step for each instance."""
    whole = samples.plan()
    listing = PlanStep("up.list", "list", Listing("l"), 60.0)
    first = replace(whole.phases[0], steps=(listing, EACH), gates=())
    return replace(whole, phases=(first, *whole.phases[1:]))


def view(*records: r.Record) -> RunView:
    """db001 in its first round, and what came after."""
    begun: tuple[r.Record, ...] = (
        r.RunOpened("r1", "d", 1, "ann", (), 0),
        r.HostBegan("db", "db001", 1),
        r.ItemsListed("db", "db001", "up", ITEMS),
        r.SegmentSent("db", "db001", 1, ("up",)),
        r.ItemsSent("db", "db001", "up", 1, ITEMS[:3]),
    )
    found = RunView(plan())
    for record in (*begun, *records):
        found.apply(record, samples.START_S)
    return found


def settled(item: str, outcome: Outcome, *, again: bool = False) -> r.ItemSettled:
    return r.ItemSettled(
        "db", "db001", "up", item, outcome, 3, 1.0, b"no such\n", cause="exit 3", again=again
    )


def test_the_picture_says_how_far_a_host_is() -> None:
    """Items with an end, of all that are listed; one that is tried again has none."""
    found = view(
        settled("a b", Outcome.CHANGED), settled("c", Outcome.FAILED, again=True),
        r.SegmentSent("db", "db001", 2, ("up",)),
    )  # fmt: skip
    assert round_words(found.hosts["db", "db001"]) == "1/4"


def test_between_rounds_nothing_is_in_flight() -> None:
    """After a round the host is safe to leave until the next one is sent."""
    found = view(r.RoundEnded("db", "db001", "up"))
    assert found.in_flight() == []


def test_every_item_is_accounted_for() -> None:
    """The account counts known ends; lost items are folded, named, and taken up by a resume."""
    found = view(
        settled("a b", Outcome.FAILED), settled("c", Outcome.CHANGED), settled("d", Outcome.UNKNOWN)
    )
    (tally,) = tallies(found)
    assert tally.words == "2 of 4 instances accounted for: 1 changed, 1 failed, 1 unknown"
    lines = list(lost_lines(found))
    assert "1 instance failed at `upgrade`, on db001" in lines
    assert "  db001 a b" in lines
    assert "  see: fleetctl runs logs r1 --host db001 --item 'a b'" in lines
    assert "--done db001:d" in "".join(unknown_lines(found))
    host = found.hosts["db", "db001"]
    assert item_counts(host) == {"listed": 4, "changed": 1, "failed": 1, "unknown": 1}
    found.apply(r.HostSettled("db", "db001", Outcome.CHANGED), samples.START_S)
    assert "db001" in found.to_do(only_failed=True)


def test_a_line_for_each_lost_item() -> None:
    """Lists and lost items are told as they come; items done are not, there may be thousands."""
    found = view()
    teller = Teller(found)
    listed = r.ItemsListed("db", "db001", "up", ITEMS)
    assert teller.line(listed) == "db001 lists 4 instances for `upgrade`"
    assert teller.line(settled("c", Outcome.CHANGED)) == ""
    assert teller.line(settled("c", Outcome.FAILED, again=True)) == (
        "db001 c failed at `upgrade`: exit 3; it is tried again"
    )
