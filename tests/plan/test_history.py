"""What earlier runs say about time: medians of the host, else of its tier, and how sure that is."""

from __future__ import annotations

import pytest

from fleetctl.plan.estimate import estimate
from fleetctl.plan.history import History, Sample, Usual, is_slow, names_of
from tests.report.weekend import weekend_plan

SATURDAYS = [
    Sample("restart", "repo", f"repo00{host}", run, seconds)
    for run in (1, 2, 3, 4)
    for host, seconds in ((1, 10.0 + run), (2, 12.0), (3, 40.0))
]


def test_a_hosts_own_median_counts_before_its_tiers() -> None:
    """A host that is always slow is not slow; one nothing is known of is held against its tier."""
    history = History(SATURDAYS)
    assert history.usual("restart", "repo", "repo003") == Usual(40.0, 4, "its own")
    assert history.usual("restart", "repo", "repo009") == Usual(12.5, 12, "its tier's")
    assert history.usual("restart", "web", "web001") is None


def test_too_few_times_say_nothing() -> None:
    """Two earlier runs of a host are no habit."""
    history = History(SATURDAYS[:2])
    assert history.usual("restart", "repo", "repo001") is None
    assert history.expected_s("restart", "repo") == 11.5


@pytest.mark.parametrize(
    ("seconds", "usual_s", "slow"),
    [(48, 12, True), (4.9, 0.1, False), (5.2, 0.1, True), (23, 12, False), (60, 50, False)],
)
def test_noise_is_not_slow(seconds: float, usual_s: float, slow: bool) -> None:
    """Slow is at least twice as long, and at least five seconds longer."""
    assert is_slow(seconds, Usual(usual_s, 5, "its own")) is slow


def test_times_outlive_the_release() -> None:
    """The next release's steps are the same steps: their titles are kept without its name."""
    plan = weekend_plan({"db": 2})
    assert plan.phases[0].steps[2].title == "switch to 2026-11-22-bb"
    assert names_of(plan)["p1-s03-deploy.switch"] == "switch to RELEASE"


def test_an_estimate_says_how_sure_it_is() -> None:
    """From how many runs, between what, and what there is no history of."""
    plan = weekend_plan({"db": 3})
    assert estimate(plan, History()) == (None, "no history yet")
    names = sorted(set(names_of(plan).values()))
    one = [Sample(name, "db", "db001", 1, 10.0) for name in names]
    assert estimate(plan, History(one)).basis == "from one earlier run"
    two = one + [Sample(name, "db", "db001", 2, 20.0) for name in names]
    guess = estimate(plan, History(two))
    assert guess.basis == "from 2 earlier runs, 1 min 50 s to 3 min 30 s in them"
    gap = estimate(
        plan, History([sample for sample in two if sample.name != "upgrade the schemas"])
    )
    assert gap.basis.endswith("without `upgrade the schemas`: no history yet")
    assert gap.seconds is not None
    assert guess.seconds is not None
    assert gap.seconds < guess.seconds


def test_a_slow_host_sets_the_pace_of_its_batch() -> None:
    """Its own times are used, not its tier's."""
    plan = weekend_plan({"db": 3})
    names = set(names_of(plan).values())
    hosts = ("db001", "db002", "db003")
    runs = [(host, run) for host in hosts for run in (1, 2, 3)]
    even = [Sample(name, "db", host, run, 1.0) for name in names for host, run in runs]
    uneven = [one._replace(seconds=9.0) if one.host == "db002" else one for one in even]
    calm, slow = estimate(plan, History(even)), estimate(plan, History(uneven))
    assert calm.seconds is not None
    assert slow.seconds == calm.seconds + 8.0 * len(names)
