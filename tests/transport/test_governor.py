"""The window of connections that may be starting at once."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from fleetctl.transport.governor import QUIET_S, WINDOW_MAX, WINDOW_MIN, Governor


def fill(governor: Governor) -> int:
    """Start all that may start; how many are under way."""
    while governor.may_start():
        governor.started()
    return governor.starting


def test_drop_halves_what_may_be_under_way() -> None:
    """The window follows the crowd that was dropped, not a number from before."""
    governor = Governor(window=64)
    for _ in range(20):
        governor.started()
    governor.dropped(now_s=10.0)
    assert governor.window == 10


def test_one_crowd_is_punished_once() -> None:
    """Drops close together are one event; later ones count again."""
    governor = Governor(window=64)
    fill(governor)
    for _ in range(30):
        governor.dropped(now_s=10.0)
    assert governor.window == 32
    fill(governor)
    governor.dropped(now_s=10.0 + QUIET_S)
    assert governor.window == 16


def test_greetings_widen_the_window_again() -> None:
    """A windowful of greetings lets about one more start."""
    governor = Governor(window=4)
    for _ in range(4):
        governor.started()
        governor.greeted()
    assert 4.8 < governor.window <= 5


def test_other_failures_say_nothing_about_a_crowd() -> None:
    """A refused login does not slow the others down."""
    governor = Governor(window=8)
    governor.started()
    governor.failed()
    assert (governor.window, governor.starting) == (8, 0)


@given(st.lists(st.sampled_from(["start", "greeted", "failed", "dropped"]), max_size=300))
def test_some_start_is_always_possible_and_never_too_many(events: list[str]) -> None:
    """Whatever happens, an idle road lets somebody start, and the window stays in its bounds."""
    governor = Governor()
    for now_s, event in enumerate(events):
        if event == "start" and governor.may_start():
            governor.started()
        elif event == "greeted" and governor.starting:
            governor.greeted()
        elif event == "failed" and governor.starting:
            governor.failed()
        elif event == "dropped" and governor.starting:
            governor.dropped(float(now_s))
        assert WINDOW_MIN <= governor.window <= WINDOW_MAX
        assert governor.starting or governor.may_start()


def test_crowd_at_a_default_sshd_comes_through() -> None:
    """100 hosts at one sshd that drops beyond ten starts: all in after a few rounds."""
    governor, left, rounds = Governor(), 100, 0
    while left:
        rounds += 1
        under_way = min(left, int(governor.window))
        for _ in range(under_way):
            governor.started()
        for place in range(under_way):
            if place < 10:
                governor.greeted()
                left -= 1
            else:
                governor.dropped(float(rounds))
    assert rounds < 30
