"""Who keeps a run from beginning is named."""

from __future__ import annotations

from fleetctl.rollout.silence import Silence


def test_hosts_that_do_not_answer_are_named_ever_more_rarely() -> None:
    """After three seconds, then each time twice as much has passed; nobody silent: not a word."""
    silence = Silence()
    told = [
        (now_s, words)
        for now_s in range(100, 131)
        if (words := silence.words({"db002", "db001"}, float(now_s)))
    ]
    assert [now_s for now_s, _ in told] == [103, 106, 112, 124]
    assert told[0][1] == "asking db[001-002] whether they are up: no answer for 3.0 s"
    assert silence.words((), 131.0) == ""


def test_a_second_asking_is_counted_from_its_own_beginning() -> None:
    """What was slow once is not told again at once."""
    silence = Silence()
    silence.words({"a"}, 0.0)
    silence.words((), 1.0)
    assert silence.words({"a"}, 5.0) == ""
    assert silence.words({"a"}, 8.0) == "asking a whether it is up: no answer for 3.0 s"
