"""What hosts list shows by itself: how many, which are lost and why; and what people did."""

from __future__ import annotations

from fleetctl.base.outcome import Outcome
from fleetctl.plan.history import History
from fleetctl.plan.model import Budget, Plan, PlanPhase, PlanStep
from fleetctl.playbook.operations import Foreach, Listing
from fleetctl.report.items import item_failures, item_rows, tally_words
from fleetctl.report.page import render_page
from fleetctl.report.reading import Entry
from fleetctl.report.story import RunStory
from fleetctl.report.summary import summary_lines
from fleetctl.rollout import records as r
from tests.rollout.builders import a_host

HOSTS = ("db001", "db002")
LOST = {"bolt": "exit 1: disk full on 7", "zeta": "exit 1: disk full on 9"}


def _plan() -> Plan:
    listing = PlanStep("up.list", "list instances", Listing("ls"), 60.0)
    each = PlanStep("up", "upgrade", Foreach("up {{item}}", noun="instance"), 60.0)
    phase = PlanPhase("db", (), (HOSTS,), (listing, each), (), Budget(), 8)
    hosts = {name: a_host(name, "db") for name in HOSTS}
    return Plan("acme", "Upgrade", hosts, (phase,), (), Budget(), {}, {}, {})


def _story() -> RunStory:
    told: list[r.Record] = [r.RunOpened("R", "d", 1, "ann@desk 1", (), 1), r.PhaseBegan("db"),
                            r.BatchBegan("db", 0)]  # fmt: skip
    for host in HOSTS:
        items = ("acme", "bolt", "zeta")
        told += [
            r.HostBegan("db", host, 1),
            r.SegmentSent("db", host, 1, ("up.list", "up")),
            r.StepSettled("db", host, "up.list", Outcome.OK, 0),
            r.ItemsListed("db", host, "up", items),
            r.ItemsSent("db", host, "up", 1, items),
        ]
        for item in items:
            lost = host == "db002" and item in LOST
            outcome = Outcome.FAILED if lost else Outcome.CHANGED
            cause = LOST[item] if lost else ""
            told.append(
                r.ItemSettled("db", host, "up", item, outcome, 0, 2.0, b"said", cause=cause)
            )
        told.append(r.RoundEnded("db", host, "up", 6.0))
        told.append(
            r.HostSettled("db", host, Outcome.CHANGED, owes="daemons are off" * (host == "db002"))
        )
    told += [
        r.QuestionAsked("q", "manual", "db", "Take the banner down", ("done", "skip"), "failed",
                        60.0, boxes=("banner", "mail")),
        r.BoxTicked("q", 2, "ben@lap 2"),
        r.QuestionAnswered("q", "done", "ben@lap 2"),
        r.RunEnded(1),
    ]  # fmt: skip
    entries = [Entry(seq, 100.0 + seq, record) for seq, record in enumerate(told, 1)]
    return RunStory(_plan()).take(entries)


def test_items_are_counted_by_host_and_named_when_lost() -> None:
    """`db002: 1 of 3 instances well, 2 failed: bolt, zeta`."""
    rows = item_rows(_story())
    assert [(row.host, row.words, row.lost) for row in rows] == [
        ("db001", "3 of 3 instances well", False),
        ("db002", "1 of 3 instances well, 2 failed: bolt, zeta", True),
    ]
    assert list(tally_words(_story())) == [
        "db: 6 of 6 instances accounted for: 4 changed, 2 failed"
    ]  # fmt: skip


def test_lost_items_are_folded_by_cause() -> None:
    """Numbers in what they say do not part them."""
    (failure,) = item_failures(_story())
    assert failure.words == "2 instances failed at “upgrade”, same error, on db002"
    assert failure.named == "db002 bolt, db002 zeta"


def test_the_page_tells_items_people_and_what_is_not_put_back() -> None:
    """Each where it is looked for, and in the text for chat as well."""
    page = render_page(_story(), History())
    assert "✕ db002: 1 of 3 instances well, 2 failed: bolt, zeta" in page
    assert "NOT PUT BACK: daemons are off (db002)" in page
    assert "ticked by ben@lap 2: mail" in page
    assert "manual of db: done by ben@lap 2, after 2.0 s: Take the banner down" in page
    assert "upgrade: a round" in page
    text = "\n".join(summary_lines(_story(), []))
    assert "NOT PUT BACK: daemons are off (db002)" in text
    assert "- 2 instances failed at “upgrade”, same error, on db002: db002 bolt, db002 zeta" in text
