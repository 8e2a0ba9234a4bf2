"""The words, glyphs and colours of pools."""

from __future__ import annotations

from fleetctl.cli.overseers import Silent
from fleetctl.pools.overseer import views
from fleetctl.pools.words import HOST_LOOKS, LOOKS, WRONG, look_of


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
