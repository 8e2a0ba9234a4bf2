"""A run is told from its records alone, whatever kinds of records there are."""

from __future__ import annotations

import msgspec

from fleetctl.base.durations import format_duration
from fleetctl.base.outcome import Outcome
from fleetctl.journal.rows import StoredRecord
from fleetctl.plan.history import History
from fleetctl.report.facts import headline
from fleetctl.report.page import render_page
from fleetctl.report.reading import Entry, Unfamiliar, decoded
from fleetctl.report.story import RunStory
from fleetctl.rollout import records as r
from fleetctl.rollout.runlog import encode_record
from tests.report.weekend import START_S, Troubles, Weekend, weekend_plan, weekend_story


def test_every_host_has_its_steps_in_the_order_of_time() -> None:
    """Bars of a host follow one another and lie within the run."""
    story = weekend_story(Troubles(retried=("db004",), lost=("db007",)))
    for host in story.hosts.values():
        times = [at for span in host.spans for at in (span.begin_s, span.end_s)]
        assert times == sorted(times)
        assert story.began_s <= times[0]
        assert times[-1] <= story.now_s
    kinds = {host.host: {span.kind for span in host.spans} for host in story.hosts.values()}
    assert kinds["db004"] == {"step", "pause", "held"}
    assert kinds["db007"] >= {"step", "doubt"}
    assert story.outcomes() == dict.fromkeys(story.plan.hosts, Outcome.CHANGED)


def test_a_failure_stops_the_story_and_leaves_the_rest_untouched() -> None:
    """Hosts no phase has begun are skipped once the run has ended."""
    story = weekend_story(Troubles(failing=("repo002", "repo003")))
    assert story.outcomes()["repo002"] is Outcome.FAILED
    assert story.outcomes()["web001"] is Outcome.SKIPPED
    assert story.stop is not None


def test_daemons_that_another_run_holds_are_the_headline_when_all_else_is_well() -> None:
    """Nothing failed, and it is no success: the page says what is amiss, not that a host failed."""
    plan = weekend_plan({"db": 2})
    said = b'{"pools":3,"left":0,"held_by":{"gone-1":3}}\n'
    entries = [
        one._replace(record=msgspec.structs.replace(one.record, stdout=said))
        if isinstance(one.record, r.StepSettled) and one.record.host == "db001"
        else one
        for one in Weekend(plan).play()
    ]
    told = RunStory(plan).take(entries)
    assert headline(told) == "All verified, but daemons of 1 host are held back by another run"
    page = render_page(told, History())
    assert "3 pools held back by run gone-1: db001 (1)" in page


def test_a_story_that_has_not_ended_says_how_far_it_is_told() -> None:
    """In a person's measure: a time of the run, no number of a clock."""
    plan = weekend_plan()
    story = RunStory(plan).take(Weekend(plan).play()[:-1])
    after = format_duration(story.now_s - story.began_s)
    assert headline(story) == (
        f"Has not ended: what follows is told up to its record {after} after it began"
    )
    page = render_page(story, History())
    assert '<dd>none</dd><dd class="small">it has not ended</dd>' in page
    assert "an outcome is unknown" not in page


def test_a_record_of_a_newer_kind_shows_under_its_name() -> None:
    """Neither a kind this program does not know nor a new field breaks a report."""
    told = Weekend(weekend_plan({"db": 2})).play()
    bodies = [StoredRecord(entry.seq, entry.wall_s, encode_record(entry.record))  # type: ignore[arg-type]
              for entry in told]  # fmt: skip
    newer = {"type": "moon-seen", "phase": "db", "host": "db001", "quarter": 3}
    odd = {"type": "host-settled", "phase": "db", "host": "db001", "outcome": "elated"}
    extra = [
        StoredRecord(len(told) + 1 + at, START_S + 900, msgspec.msgpack.encode(each))
        for at, each in enumerate((newer, odd))
    ]
    entries = list(decoded([*bodies, *extra]))
    assert entries[: len(told)] == told
    assert isinstance(entries[-1].record, Unfamiliar)
    page = render_page(RunStory(weekend_plan({"db": 2})).take(entries), History())
    assert "db001: moon seen: phase db, quarter 3" in page
    assert "db001: host settled: phase db, outcome elated" in page


def test_a_resumed_run_is_told_in_legs() -> None:
    """The time between two controllers is left out of what the run took."""
    plan = weekend_plan({"db": 1})
    opened = r.RunOpened("1", "d", 1, "ann@desk 1", (), 1)
    entries = [
        Entry(1, 0.0, opened),
        Entry(2, 1.0, r.PhaseBegan("db")),
        Entry(3, 1.0, r.BatchBegan("db", 0)),
        Entry(4, 2.0, r.HostBegan("db", "db001", 1)),
        Entry(5, 1000.0, r.RunResumed(2, "ben@desk 1", only_failed=True)),
        Entry(6, 1003.0, r.RunEnded(3)),
    ]
    story = RunStory(plan).take(entries)
    assert story.worked_s == 5.0
    assert [leg.how for leg in story.legs] == ["opened", "resumed, failed hosts only"]
    assert story.outcomes() == {"db001": None}


def test_a_run_of_any_length_has_a_page() -> None:
    """A report may be asked for at any record of a run: none may break it."""
    plan = weekend_plan({"secure": 2, "db": 5})
    told = Weekend(plan, Troubles(retried=("db004",), lost=("db002",))).play()
    for length in range(len(told)):
        assert render_page(RunStory(plan).take(told[:length]), History()).endswith("</html>")
