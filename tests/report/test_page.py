"""The report's page: what it says, that it holds nothing live, and that names cannot break it."""

from __future__ import annotations

import re

import msgspec

from fleetctl.plan.history import History, Sample
from fleetctl.report.chart import draw_charts
from fleetctl.report.page import render_page
from fleetctl.report.story import RunStory
from fleetctl.rollout import records as r
from tests.report.weekend import Troubles, Weekend, samples, weekend_plan, weekend_story


def usual() -> History:
    """Three earlier Saturdays."""
    earlier = list(samples(weekend_story()))
    return History(
        Sample(title, tier, host, run, seconds)
        for run in (1, 2, 3)
        for title, tier, host, seconds in earlier
    )


def test_a_good_run_says_so_once() -> None:
    """The sentence at the top is the exit code in words, and every host is accounted for."""
    page = render_page(weekend_story(), usual())
    assert "All verified: 44 hosts, 44 of them changed" in page
    assert "44 of 44 accounted for: 44 changed" in page
    assert "live releases read back: 44 run 2026-11-22-bb" in page
    assert "What failed" not in page
    assert "Slower than usual" not in page


def test_failures_are_folded_and_say_what_the_hosts_run() -> None:
    """Two hosts that failed alike are told once, with the last lines and what is not known."""
    page = render_page(weekend_story(Troubles(failing=("repo002", "repo003"))), History())
    assert page.count('class="failure"') == 1
    assert "2 hosts failed at “upgrade the schemas” in phase repo, same error" in page
    assert "ERROR 1114 (HY000): The table &#39;file&#39; is full" in page
    assert "what it runs is not known; last read back 2026-11-15-aa" in page
    assert "42 of 44 accounted for" in page


def test_slow_hosts_are_told_against_their_own_median() -> None:
    """`repo004: 4x its own median`."""
    page = render_page(weekend_story(Troubles(slow=("repo004",))), usual())
    assert re.search(r"repo004: 4x its own median at `upgrade the schemas` \(\d+ s -&gt; ", page)


def test_who_approved_what_is_told() -> None:
    """The approval with its question, its answer and the person."""
    page = render_page(weekend_story(), History())
    assert (
        "Upgrade the databases?” of db, before it: approved, after 41 s (by ben@laptop 7)" in page
    )


def _saying(record: r.StepSettled, text: str) -> r.StepSettled:
    return msgspec.structs.replace(record, stderr=text.encode(), cause=text)


def test_nothing_on_the_page_is_live() -> None:
    """No script, no address to load from, and markup in what hosts said stays text."""
    plan = weekend_plan({"db": 2})
    evil = "</pre><script>alert(1)</script><img src=http://127.0.0.1/x onerror=alert(1)>"
    told = Weekend(plan, Troubles(failing=("db001", "db002"))).play()
    hostile = [
        entry._replace(record=_saying(entry.record, evil))
        if isinstance(entry.record, r.StepSettled) and entry.record.outcome.lost
        else entry
        for entry in told
    ]
    page = render_page(RunStory(plan).take(hostile), History())
    assert "<script" not in page
    assert "<img" not in page
    assert not re.search(r"""(src|href)\s*=\s*["'](?!data:)""", page)
    assert "&lt;script&gt;alert(1)" in page


def test_every_bar_lies_within_its_chart_and_every_host_has_a_row() -> None:
    """44 hosts make one chart, 200 several; nothing is drawn outside."""
    for tiers in ({"db": 16, "repo": 16, "web": 12}, {"db": 120, "repo": 80}):
        story = weekend_story(tiers=tiers)
        charts = draw_charts(story)
        names = [label.told for chart in charts for label in chart.labels if label.look == "name"]
        assert sorted(names) == sorted(story.plan.hosts)
        assert len(charts) == -(-len(names) // 48)
        for chart in charts:
            for box in (*chart.bands, *chart.boxes):
                assert box.x >= 0
                assert box.y >= 0
                assert box.width > 0
                assert box.x + box.width <= chart.width
                assert box.y + box.height <= chart.height
