"""What many overseers answered, as one line; which pools the words of a command mean."""

from __future__ import annotations

import pytest
from click.testing import CliRunner

from fleetctl.base.errors import UsageError
from fleetctl.cli.main import fleetctl
from fleetctl.cli.poolread import Seen
from fleetctl.cli.poolrun import _interrupted, patterns_of
from fleetctl.cli.poolsums import added_up, answer_in, sum_line


def test_answers_are_added_up_in_one_line() -> None:
    """Sleepers of any word are asleep; what is busy is said to be left alone; nothing is zero."""
    one = {"pools": 390, "left": 0, "hibernating": 380, "empty": 7, "busy": 3, "names": {}}
    total = added_up([one] * 16)
    assert (
        sum_line(16, total, "hibernate") == "16 hosts, 6,192 pools asleep, 48 busy: sleep when done"
    )
    assert sum_line(1, {"failed": 1}, "wake") == "1 host, 1 failed"
    assert sum_line(2, {}) == "2 hosts, no pools"
    released = added_up([{"pools": 3, "up": 2, "down": 1}], "release r1")
    assert sum_line(1, released, "release r1") == "1 host, 1 pool asleep, 2 running"
    least = {"pools": 3, "busy": 3, "lasting": 2}
    assert sum_line(1, least, "hibernate") == "1 host, 3 busy: 1 sleep when done"
    assert sum_line(1, {"busy": 2, "lasting": 2}, "hibernate") == "1 host, 2 busy"
    assert "slept before" in sum_line(1, {}, "release r1")


def test_whose_work_is_interrupted_is_what_the_overseer_foresees() -> None:
    """Not that of a pool's least, which goes on; one of before tells who is busy."""
    names = {"busy": ["a/k", "b/k"]}
    answer = {"busy": 2, "names": names}
    assert _interrupted(answer) == (2, ["a/k", "b/k"])
    foreseen = {"interrupts": 1, "interrupted": ["b/k"]}
    assert _interrupted({**answer, "foreseen": foreseen}) == (1, ["b/k"])


def test_an_answer_is_found_between_what_else_was_said() -> None:
    """A login's greeting is none; a host that said nothing has none, which is not zero."""
    assert answer_in('welcome\n{"pools":2,"busy":1}\nbye\n') == {"pools": 2, "busy": 1}
    assert answer_in("{broken\n") is None
    assert answer_in("") is None


def test_kinds_pools_and_instances_mean_patterns() -> None:
    """A word alone is a kind; --instance narrows kinds, and cannot narrow what names its own."""
    assert patterns_of(["task", "acme/*"], []) == ["*/task", "acme/*"]
    assert patterns_of([], ["acme", "b*"]) == ["acme/*", "b*/*"]
    assert patterns_of(["task"], ["acme"]) == ["acme/task"]
    assert patterns_of([], []) == []
    with pytest.raises(UsageError, match="names its instance already"):
        patterns_of(["acme/task"], ["bolt"])
    with pytest.raises(UsageError, match="names no pools"):
        patterns_of(["a b"], [])


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (["pause", "task"], "say why"),
        (["drain", "task", "--why", "x", "--for", "soon"], "soon"),
        (["pause", "task", "--reason", "x", "--until", "soon"], '--until "soon" is no time'),
        (["pause", "task", "--why", "x", "--until", "0s"], "0 s is no time"),
        (["--local", "pause", "acme/task", "--reason", "x", "--until", "25:00"], "--until"),
        (["--local", "drain", "acme/task"], "say why"),
        (["drain", "task", "--why", "x", "--for", "1h", "--until", "06:00"], "not both"),
        (["release", "it's"], "no run's id"),
        (["scale"], "say either MIN and MAX"),
        (["scale", "3", "2"], "more than MAX"),
        (["scale", "acme/task"], "say either MIN and MAX"),
        (["scale", "acme/task", "4"], "'acme/task' is no MIN"),
        (["scale", "1", "0"], "'0' is no MAX"),
        (["scale", "--reset", "1", "2"], "say either MIN and MAX, or --reset"),
    ],
)
def test_a_mistake_is_told_before_any_host_is_reached(words: list[str], told: str) -> None:
    """No inventory is even read."""
    done = CliRunner().invoke(fleetctl, ["pools", *words, "--yes"])
    assert done.exit_code != 0
    assert told in str(done.exception) + done.output


def test_an_event_is_shown_once_though_several_are_of_one_moment() -> None:
    """Looks overlap: what was shown is not shown again, what came at the same time is."""
    first, second, third = ({"w": 1.0, "p": name} for name in "abc")
    seen = Seen()
    assert [e["p"] for e in seen.new({"h": {"events": [first, second]}})] == ["a", "b"]
    assert [e["p"] for e in seen.new({"h": {"events": [first, second, third]}})] == ["c"]
    assert seen.new({"h": {"events": [third]}}) == []
