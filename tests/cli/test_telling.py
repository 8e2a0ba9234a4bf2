"""Every record a person cares about is one line of plain words."""

from __future__ import annotations

from fleetctl.base.outcome import Outcome
from fleetctl.cli.progress import RunView
from fleetctl.cli.telling import Teller
from fleetctl.rollout import records as r
from tests.cli.samples import DB, DB_STEPS, Story, plan


def _lines(story: Story) -> list[str]:
    view = RunView(plan())
    teller = Teller(view)
    lines = []
    for _, wall_s, record in story.entries:
        view.apply(record, wall_s)
        lines.append(teller.line(record))
    return [line for line in lines if line]


def test_a_host_that_refuses_is_not_called_lost() -> None:
    """Its connection is well, and it said itself why it does nothing."""
    story = Story().open().tell(r.BatchBegan("db", 0)).send("db", DB[:1])
    story.tell(r.OrderLost("db", "db001", 3, False, "disk", "cannot write in .fleetctl"))
    told = "db001 refused (disk: cannot write in .fleetctl); nothing was sent"
    assert told.replace("sent", "done") in _lines(story)


def test_a_run_reads_as_a_story() -> None:
    """Begin, batches, hosts, trouble, gates, stop: in order, with names folded."""
    story = Story().open().tell(r.BatchBegan("db", 0), r.BatchBegan("db", 1)).send("db", DB[:3])
    story.after(2).finish("db", DB[:1]).fail("db002", "first\ndisk full\n", step=1)
    story.tell(
        r.OrderLost("db", "db003", 3, True, "silence", "no answer for 30 s"),
        r.RetryPlanned("db", "db003", 2.0, "ask"),
        r.HostSettled("db", "db003", Outcome.UNKNOWN, "", DB_STEPS[0].key, "no answer"),
        r.GateAsked("db", 1, "p1-g01-approval"),
        r.QuestionAsked(
            "p1-g01-approval", "gate", "db", "Go on?", ("approve", "refuse"), "refuse", 60.0, 1
        ),
        r.QuestionAnswered("p1-g01-approval", "refuse", "ann", "not today"),
        r.GateSettled("db", 1, "p1-g01-approval", False, "ann", "not today"),
        r.StopOrdered("gate", "Go on?", "ann"),
        r.PhaseEnded("db", False),
        r.RunEnded(6),
    )
    assert _lines(story) == [
        "run 01RUN opened: Saturday push, 20 hosts",
        "phase db: 16 hosts in 3 batches",
        "phase db batch 1 of 3: 1 host: db001",
        "phase db batch 2 of 3: 4 hosts: db[002-005]",
        "db001 changed, runs r2 (db, 2.0 s)",
        "db002 failed at `switch to r2`: exit 1: disk full",
        "db002 failed (db, 2.0 s): exit 1",
        "db003 connection lost (silence: no answer for 30 s); what it did is not known yet",
        "db003 ask again in 2.0 s (try 1)",
        "db003 unknown (db, 2.0 s): no answer",
        "gate `Go on?` of phase db: asking",
        "a person is asked: Go on?; 1 min 00 s without an answer means refuse; "
        "answer with: fleetctl runs approve 01RUN",
        "refuse by ann (not today): Go on?",
        "gate `Go on?` of phase db does NOT hold (by ann): not today",
        "stop (gate by ann): Go on?; nothing new starts",
        "phase db stopped: 1 changed, 1 failed, 1 unknown",
    ]


def test_who_a_resume_comes_to_is_timed_from_then_on() -> None:
    """A host that was left out when the run stopped has not been at work since."""
    story = Story().open()
    story.tell(r.HostSettled("db", "db001", Outcome.SKIPPED, cause="not begun", halted=True))
    story.after(600).send("db", DB[:1]).after(2).finish("db", DB[:1])
    assert "db001 changed, runs r2 (db, 2.0 s)" in _lines(story)
