"""A release is told as read back only as long as nothing has changed the host since it was read."""

from __future__ import annotations

import pytest

from fleetctl.base.outcome import Outcome
from fleetctl.rollout import records as r
from fleetctl.rollout.readback import last_words
from fleetctl.rollout.state import RunState
from tests.rollout.builders import a_phase, a_plan, a_step

STEPS = [
    a_step("switch", undo="back"),
    a_step("live", reads_release=True, expects="r2"),
    a_step("after", undo="off"),
]
KEYS = tuple(step.key for step in STEPS)


def state_after(*ends: r.StepSettled, undone: tuple[str, ...] = ()) -> RunState:
    """The run after these ends of steps on web001; then those of `undone` are undone."""
    state = RunState(a_plan(a_phase([["web001"]], STEPS, name="web")))
    state.apply(r.RunOpened("R", "d", 1, "ann", (), 1))
    for record in (r.PhaseBegan("web"), r.BatchBegan("web", 0), r.HostBegan("web", "web001", 1)):
        state.apply(record)
    state.apply(r.SegmentSent("web", "web001", 1, KEYS))
    for end in ends:
        state.apply(end)
    if undone:
        state.apply(r.SegmentSent("web", "web001", 2, undone, undo=True))
        for key in undone:
            state.apply(r.StepSettled("web", "web001", key, Outcome.CHANGED, 0, undo=True))
    return state


def end(key: str, outcome: Outcome, status: int = 0, said: bytes = b"") -> r.StepSettled:
    """The end of a step on web001."""
    return r.StepSettled("web", "web001", key, outcome, status, stdout=said)


SWITCHED = end("switch", Outcome.CHANGED)
READ = end("live", Outcome.OK, said=b"r2\n")
FAILED = end("after", Outcome.FAILED, 1)


def test_what_was_read_stands_while_later_steps_fail() -> None:
    """A step behind the reading changes nothing about which release is live."""
    assert state_after(SWITCHED, READ, FAILED).host_run("web", "web001").release == "r2"


def test_another_release_than_planned_is_what_the_host_runs() -> None:
    """The step fails, and what it read is known all the same; a broken reading knows nothing."""
    other = end("live", Outcome.FAILED, 0, b"r1\n")
    broken = end("live", Outcome.FAILED, 1, b"no such file\n")
    assert state_after(SWITCHED, other).host_run("web", "web001").release == "r1"
    assert state_after(SWITCHED, broken).host_run("web", "web001").release == ""


def test_an_undone_switch_takes_what_was_read_with_it() -> None:
    """The host would else be told to run, read back, what was just taken from it."""
    state = state_after(SWITCHED, READ, FAILED, undone=("switch",))
    assert state.host_run("web", "web001").release == ""


@pytest.mark.parametrize(
    ("said", "words"),
    [
        (b"first\n2 failed: a/task\nhint: look there\n\n", "2 failed: a/task"),
        (b"hint: look there\n", "hint: look there"),
        (b"disk full", "disk full"),
        (b"\n", ""),
    ],
)
def test_why_a_step_failed_is_not_told_by_its_hint(said: bytes, words: str) -> None:
    """The cause is what hosts are grouped by and what a person reads first."""
    assert last_words(said) == words
