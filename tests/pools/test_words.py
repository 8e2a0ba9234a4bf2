"""The words, glyphs and colours of pools."""

from __future__ import annotations

from pathlib import Path

from fleetctl.cli.overseers import Silent
from fleetctl.pools.overseer import views
from fleetctl.pools.overseer.answers import figures
from fleetctl.pools.overseer.loop import Overseer
from fleetctl.pools.words import FAULTS, HOST_LOOKS, LOOKS, WRONG, faults_of, look_of


def test_sleep_and_errors_share_nothing() -> None:
    """HIBERNATING and what rests after an error differ in word, glyph, ASCII mark and colour."""
    asleep = LOOKS["hibernating"]
    for word in (*WRONG, "restarting"):
        other = LOOKS[word]
        for mine, its in zip(asleep[:4], other[:4], strict=True):
            assert mine != its
        assert asleep.tone.colour != other.tone.colour


def test_every_word_of_an_overseer_has_a_look() -> None:
    """No state of a pool is shown as unknown only because nobody thought of it."""
    spoken = {word for _, word in views.WORDS} | {"PAUSED", "DRAINING", "DRAINED", "RESTARTING"}
    spoken.add(views.HELD)
    assert {word.lower() for word in spoken} <= set(LOOKS)
    assert look_of("HIBERNATING") is LOOKS["hibernating"]
    assert look_of("no such word") is LOOKS["unknown"]


def test_marks_are_ascii_and_tell_pool_words_apart() -> None:
    """Without Unicode no two states of pools look alike; busy is how a running one shows."""
    marks = [look.mark for word, look in LOOKS.items() if word != "busy"]
    assert len(set(marks)) == len(marks)
    assert all(mark.isascii() for mark in marks)
    glyphs = [look.glyph for word, look in LOOKS.items() if word != "busy"]
    assert len(set(glyphs)) == len(glyphs)


def test_every_state_of_a_silent_host_has_a_look() -> None:
    """The states of `Silent` are all known, and none of them looks well."""
    for state in ("unreachable", "unknown", "absent", "stopped", "refused"):
        assert HOST_LOOKS[state].tone is not HOST_LOOKS["told"].tone
        assert Silent(state, "").outcome.lost


def test_every_figure_of_an_overseer_that_fails_is_a_fault(tmp_path: Path) -> None:
    """A new way to fail cannot go unshown; without a zygote daemons are started all the same."""
    overseer = Overseer(str(tmp_path), str(tmp_path))
    own = figures(overseer)
    overseer.epoll.close()
    assert {name for name in own if name.endswith("_failing")} - set(FAULTS) == {"zygotes_failing"}
    assert faults_of(own) == ()
    assert faults_of({"sockets_failing": 2.0, "pools": 4.0}) == ("a socket cannot be opened",)
