"""What a watcher is told follows from the records, and from nothing else."""

from __future__ import annotations

from fleetctl.base.outcome import Outcome
from fleetctl.cli.progress import remaining_s
from fleetctl.rollout import records as r
from tests.cli.samples import DB, DB_STEPS, WEB, Story


def test_a_host_is_in_flight_from_sending_to_the_end_of_its_last_step() -> None:
    """Between those two, and only then, something of ours may run there."""
    story = Story().open().tell(r.HostBegan("db", "db001", 1))
    assert story.view().in_flight() == []
    story.tell(r.SegmentSent("db", "db001", 1, tuple(step.key for step in DB_STEPS)))
    for left in (3, 2, 1):
        assert [len(host.pending) for host in story.view().in_flight()] == [left]
        story.tell(r.StepSettled("db", "db001", DB_STEPS[3 - left].key, Outcome.OK, 0))
    assert story.view().in_flight() == []


def test_a_failed_step_ends_the_segment() -> None:
    """The steps after it were not begun, so nothing is running."""
    story = Story().open().send("db", DB[:1])
    story.tell(r.StepSettled("db", "db001", DB_STEPS[0].key, Outcome.FAILED, 1))
    assert story.view().in_flight() == []


def test_a_lost_order_that_was_sent_stays_in_flight() -> None:
    """No answer is not an end: the host may still be at it."""
    story = Story().open().send("db", DB[:2])
    story.tell(
        r.OrderLost("db", "db001", 1, True, "silence", "30 s"),
        r.OrderLost("db", "db002", 2, False, "connect", "refused"),
    )
    assert [(host.host, host.lost_sent) for host in story.view().in_flight()] == [("db001", True)]


def test_a_host_of_two_phases_counts_with_its_worst_outcome() -> None:
    """One host is one host in the account, however many phases work on it."""
    story = Story().open().send("db", DB).finish("db", DB[1:]).fail("db001", "no")
    story.tell(r.PhaseEnded("db", True), r.PhaseBegan("web")).send("web", WEB).finish("web", WEB)
    outcomes = story.view().outcomes()
    assert outcomes["db001"] is Outcome.FAILED
    assert sum(outcome is Outcome.CHANGED for outcome in outcomes.values()) == 19


def test_a_begun_host_without_an_end_is_never_accounted_for() -> None:
    """Not even the end of the run gives it an outcome; untouched hosts are skipped by it."""
    view = Story().open().send("db", DB[:1]).tell(r.RunEnded(6, "stopped")).view()
    assert view.outcomes()["db001"] is None
    assert view.outcomes()["web001"] is Outcome.SKIPPED
    assert view.untouched() == [*DB[1:], *WEB]


def test_the_time_left_of_a_host_is_the_sum_of_its_open_steps() -> None:
    """A step never seen before makes it unknown rather than nought."""
    (host,) = Story().open().send("db", DB[:1]).view().in_flight()
    expected = {DB_STEPS[0].key: 30.0, DB_STEPS[1].key: 5.0, DB_STEPS[2].key: 5.0}
    assert remaining_s(host, expected, host.sent_s + 10) == 30.0
    assert remaining_s(host, expected, host.sent_s + 100) == -60.0
    assert remaining_s(host, {DB_STEPS[0].key: 30.0}, host.sent_s) is None


def test_a_resume_lifts_the_stop() -> None:
    """What stopped the run before is not what stops it now."""
    story = (
        Story()
        .open()
        .tell(r.StopOrdered("drain", "Ctrl-C", "ann"), r.PhaseEnded("db", False), r.RunEnded(130))
    )
    assert story.view().phases["db"].word == "stopped"
    view = story.tell(r.RunResumed(8, "ann@desk 43")).view()
    assert (view.stop, view.ended, view.phases["db"].word) == (None, None, "running")


def test_the_time_between_two_controllers_is_not_counted() -> None:
    """A run resumed on Monday has not taken two days."""
    story = Story().open().after(10).tell(r.BatchBegan("db", 0)).after(1000)  # killed with -9
    view = story.tell(r.RunResumed(8, "ann")).after(5).tell(r.RunEnded(130)).view()
    assert view.elapsed_s(view.now_s + 99) == 15
    view = story.after(1000).tell(r.RunResumed(9, "ann")).view()
    assert view.elapsed_s(view.now_s + 7) == 22


def test_a_resume_takes_up_halted_hosts_or_lost_ones() -> None:
    """The two kinds of resume work on different hosts, and both on what was cut off."""
    story = Story().open().send("db", DB[:1]).finish("db", DB[:1]).fail("db002", "no")
    story.tell(
        r.HostSettled("db", "db003", Outcome.SKIPPED, cause="its pair was lost"),
        *(r.HostSettled("db", host, Outcome.SKIPPED, halted=True) for host in DB[3:]),
        *(r.HostSettled("web", host, Outcome.SKIPPED, halted=True) for host in WEB),
        r.RunEnded(6),
    )
    assert story.view().to_do(only_failed=True) == ["db002", "db003"]
    assert story.view().to_do(only_failed=False) == [*DB[3:], *WEB]
    view = story.tell(r.RunResumed(8, "ann", only_failed=True)).view()
    assert view.outcomes()["db002"] is None
    assert view.outcomes()["db004"] is Outcome.SKIPPED
