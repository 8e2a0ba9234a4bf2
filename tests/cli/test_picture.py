"""The live picture fits the terminal and always says whether it is safe to leave."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fleetctl.base.outcome import Outcome
from fleetctl.cli.picture import Glance, draw, safe_line
from fleetctl.plan.history import History, Sample
from fleetctl.rollout import records as r
from tests.cli.samples import DB, DB_STEPS, START_S, Story

AT_60_S = Glance(now_s=START_S + 60)


def _text(story: Story, glance: Glance = AT_60_S) -> str:
    return "\n".join(line.text for line in draw(story.view(), glance)) + "\n"


def _halfway() -> Story:
    story = Story().open().tell(r.BatchBegan("db", 0)).send("db", DB[:1]).after(20)
    story.finish("db", DB[:1]).tell(r.BatchEnded("db", 0), r.BatchBegan("db", 1)).after(20)
    story.send("db", DB[1:5]).after(10).fail("db002", "disk full\n")
    story.tell(r.StepSettled("db", "db003", DB_STEPS[0].key, Outcome.CHANGED, 0))
    return story.tell(r.OrderLost("db", "db004", 4, True, "silence", "no answer for 30 s"))


def test_the_picture_halfway() -> None:
    """Phases, counts, hosts at work, what is lost, and the line that is always true."""
    assert _text(_halfway()) == (
        "Saturday push  run 01RUN  1 min 00 s, about 1 min 00 s left\n"
        "db             running batch 2/3     2 of 16    1 changed, 1 failed\n"
        "web            to do                 0 of 4\n"
        "  db004        schema upgrade             20 s  connection lost (silence)\n"
        "  db005        schema upgrade             20 s\n"
        "  db003        switch to r2               10 s\n"
        "lost 1 host; 3 more and the run stops\n"
        "3 hosts mid `schema upgrade` and 1 more, 1 of them not answering\n"
    )


def test_nothing_in_flight_is_safe_to_leave() -> None:
    """Only then does it say so."""
    story = Story().open().send("db", DB[:3])
    assert "safe" not in safe_line(story.view(), AT_60_S)
    assert safe_line(story.finish("db", DB[:3]).view(), AT_60_S) == (
        "safe to leave: nothing in flight"
    )


def test_the_time_until_it_is_safe_is_that_of_the_slowest_host() -> None:
    """Taken from earlier runs."""
    view = Story().open().send("db", DB[:2]).view()
    expected = {DB_STEPS[0].key: 90.0, DB_STEPS[1].key: 5.0, DB_STEPS[2].key: 5.0}
    assert safe_line(view, AT_60_S._replace(expected_s=expected)) == (
        "2 hosts mid `schema upgrade`, about 40 s"
    )
    late = AT_60_S._replace(expected_s=expected, now_s=START_S + 500)
    assert safe_line(view, late) == "2 hosts mid `schema upgrade`, longer than before"


def test_a_stop_is_shown_until_the_end() -> None:
    """Whoever looks sees at once that nothing new starts, and why."""
    story = Story().open().tell(r.StopOrdered("drain", "Ctrl-C", "ann@desk"))
    assert "stopping (drain): Ctrl-C; nothing new starts" in _text(story)


@pytest.mark.parametrize(("width", "height"), [(80, 24), (40, 10), (200, 60)])
def test_the_picture_fits(width: int, height: int) -> None:
    """However many hosts are at work, nothing wraps and nothing scrolls."""
    story = _halfway().tell(r.BatchBegan("db", 2)).send("db", DB[5:])
    lines = draw(story.view(), Glance(START_S + 60, width, height))
    assert len(lines) < height
    assert max(len(line.text) for line in lines) <= width
    assert "mid" in lines[-1].text


@given(st.text(max_size=200))
def test_what_a_host_says_stays_on_its_line(said: str) -> None:
    """A line of a host can neither move the cursor nor break the picture."""
    view = Story().open().send("db", DB[:1]).view()
    view.said("db001", said)
    lines = draw(view, AT_60_S)
    assert all(line.text.isprintable() and len(line.text) <= 80 for line in lines)
    assert len(lines) == 5


def test_a_host_that_takes_too_long_is_told_against_its_own_median() -> None:
    """`4x its own median` stands beside it while it is at it, and not before."""
    view = Story().open().send("db", DB[:1]).view()
    history = History(Sample("schema upgrade", "db", "db001", run, 15.0) for run in (1, 2, 3))
    soon = draw(view, AT_60_S._replace(history=history, now_s=START_S + 20))
    late = draw(view, AT_60_S._replace(history=history))
    assert not any("median" in line.text for line in soon)
    assert any("4x its own median (15 s)" in line.text for line in late)


def test_what_a_late_host_says_has_room_before_how_late_it_is() -> None:
    """Who is waited for, and until when, is more than how long that took in other runs."""
    view = Story().open().send("db", DB[:1]).view()
    view.said("db001", "1 busy: a/task; until 23:10")
    history = History(Sample("schema upgrade", "db", "db001", run, 15.0) for run in (1, 2, 3))
    drawn = draw(view, AT_60_S._replace(history=history))
    assert any("1 busy: a/task; until 23:10" in line.text for line in drawn)
