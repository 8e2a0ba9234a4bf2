"""Same as last Saturday? What is told when it is, and when it is not."""

from __future__ import annotations

import msgspec

from fleetctl.plan.model import Plan
from fleetctl.report.difference import Difference, compare, is_same_outcome
from fleetctl.report.story import RunStory
from tests.report.weekend import NONE, Troubles, Weekend, weekend_plan, weekend_story


def of(what: str, found: list[Difference]) -> list[tuple[str, str, str]]:
    """Those of one kind."""
    return [(one.where, one.before, one.now) for one in found if one.what == what]


def story_of(plan: Plan, troubles: Troubles = NONE) -> RunStory:
    """The plan played."""
    return RunStory(plan).take(Weekend(plan, troubles).play())


def test_the_same_run_again_is_no_difference() -> None:
    """Nothing is made up."""
    assert compare(weekend_story(), weekend_story()) == []


def test_another_release_is_told_but_is_the_same_outcome() -> None:
    """Next week's release changes titles and texts of steps; they are the same steps."""
    plan = weekend_plan({"db": 3})
    text = msgspec.json.encode(plan).replace(b"2026-11-22-bb", b"2026-11-29-cc")
    found = compare(story_of(plan), story_of(msgspec.json.decode(text, type=Plan)))
    assert [one for one in found if one.what != "release"] == []
    assert of("release", found) == [("db", "2026-11-22-bb", "2026-11-29-cc")]
    assert is_same_outcome(found)


def test_hosts_that_ended_otherwise_come_first_and_folded() -> None:
    """Who failed this time and not last time, and that the run was stopped."""
    found = compare(weekend_story(), weekend_story(Troubles(failing=("repo002", "repo003"))))
    assert found[0] == Difference("exit", "run", "0", "6")
    assert ("repo[002-003]", "changed", "failed") in of("outcome", found)
    assert not is_same_outcome(found)


def test_slower_hosts_and_more_tries_are_told() -> None:
    """A time is told when it doubled, or halved, and not for noise."""
    troubles = Troubles(slow=("repo004",), retried=("db004",))
    found = compare(weekend_story(), weekend_story(troubles))
    times = [where for where, _, _ in of("time", found)]
    assert times == ["repo004: upgrade the schemas"]
    assert of("tries", found) == [("more tries", "none", "1 on db004")]
    assert is_same_outcome(found)


def test_what_the_plan_does_otherwise_is_told() -> None:
    """Hosts, batches, gates and steps that came or went."""
    before = weekend_plan({"db": 5})
    phase = before.phases[0]
    now = msgspec.structs.replace(
        before,
        phases=(
            msgspec.structs.replace(
                phase, batches=(phase.batches[0], phase.batches[1][:2]), gates=(),
                steps=phase.steps[1:], limit=2,
            ),
        ),
    )  # fmt: skip
    found = compare(story_of(before), story_of(before)) + compare(
        RunStory(before).take([]), RunStory(now).take([])
    )
    assert of("hosts", found) == [("db[004-005]", "worked on", "not in it")]
    assert of("batches", found) == [("db", "1, 4", "1, 2")]
    assert of("gates", found)[0][1:] == (
        "the daemons are up, Secure runs the new release. Upgrade the databases?", "-")  # fmt: skip
    assert of("steps", found) == [("db", "stop the daemons", "-")]
    assert of("pace", found)[0][2].startswith("2 at once")
