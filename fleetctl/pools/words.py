"""How states of pools and slots are shown: one word, glyph and colour each, for every view.

The word alone carries the meaning; glyph and colour only help the eye, and where colour or Unicode
is missing nothing is lost. Sleep and rest after an error never share any of the three.
"""

from __future__ import annotations

from collections.abc import Mapping
from enum import Enum
from typing import NamedTuple


class Tone(Enum):
    """What a state means to whoever looks; the value is what a web page may paint it with.

    The colours are those of Okabe and Ito, which people with any colour vision can tell apart.
    """

    WELL = "#009e73"
    ASLEEP = "#0072b2"
    MOVING = "#56b4e9"
    HELD = "#cc79a7"
    RESTS = "#e69f00"
    WRONG = "#d55e00"
    UNKNOWN = "#999999"

    @property
    def colour(self) -> str:
        """Its name on a terminal, for click and rich alike."""
        return _TERMINAL[self]


_TERMINAL = {
    Tone.WELL: "green",
    Tone.ASLEEP: "blue",
    Tone.MOVING: "cyan",
    Tone.HELD: "magenta",
    Tone.RESTS: "yellow",
    Tone.WRONG: "red",
    Tone.UNKNOWN: "bright_black",
}


class Look(NamedTuple):
    """How one state is shown."""

    label: str
    """In running text; in capitals it is the pool's word."""
    glyph: str
    mark: str
    """The glyph where only ASCII can be shown."""
    tone: Tone
    meaning: str


# The order is that of every listing: what works, what sleeps, what is held, what is wrong.
LOOKS = {
    "running": Look("running", "●", "+", Tone.WELL, "a process works, or would at once"),
    "busy": Look("busy", "●", "+", Tone.WELL, "a process works on a task"),
    "idle": Look("idle", "○", "o", Tone.WELL, "a process has nothing to do"),
    "starting": Look("starting", "▲", "^", Tone.MOVING, "a process is not ready yet"),
    "restarting": Look("restarting", "↻", "~", Tone.MOVING, "replaced for new specs; no error"),
    "stopping": Look("stopping", "▽", "v", Tone.MOVING, "a process is being ended"),
    "hibernating": Look("hibernating", "☾", "z", Tone.ASLEEP, "asleep on purpose until woken"),
    "draining": Look("draining", "◧", "%", Tone.HELD, "held; what is busy finishes first"),
    "drained": Look("drained", "□", "_", Tone.HELD, "held, and no process is left"),
    "held": Look("held", "⊘", "#", Tone.HELD, "held for a run: nothing starts until it lets go"),
    "paused": Look("paused", "‖", "=", Tone.HELD, "held: nothing starts until it is resumed"),
    "backoff": Look("backoff", "!", "!", Tone.RESTS, "restarting after an error, at a known time"),
    "failed": Look("failed", "✖", "X", Tone.WRONG, "given up after errors until the next probe"),
    "empty": Look("empty", "·", ".", Tone.MOVING, "no process, and none is due"),
    "unknown": Look("unknown", "?", "?", Tone.UNKNOWN, "its host did not tell; never zero"),
}
WRONG = ("backoff", "failed")
"""States that mean something is wrong."""

FAULTS = {
    "lookouts_failing": "a source of attention fails",
    "sockets_failing": "a socket cannot be opened",
    "log_failing": "its log cannot be written",
}
"""Figures of an overseer that say, when they are not zero, that it is in trouble itself."""


def faults_of(own: Mapping[str, float]) -> tuple[str, ...]:
    """What is wrong with an overseer, by its own figures."""
    return tuple(words for figure, words in FAULTS.items() if own.get(figure))


HOST_LOOKS = {
    "told": Look("told", "✓", "*", Tone.WELL, "its overseer answered"),
    "unreachable": Look("unreachable", "?", "?", Tone.UNKNOWN, "the host cannot be reached"),
    "unknown": Look("unknown", "?", "?", Tone.UNKNOWN, "it was asked, and no answer came"),
    "stopped": Look("stopped", "✖", "X", Tone.WRONG, "an overseer is installed and answers nobody"),
    "absent": Look("absent", "✖", "X", Tone.WRONG, "no overseer is installed"),
    "refused": Look("refused", "✖", "X", Tone.WRONG, "the overseer refused the question"),
}
"""Whether a host's overseer told anything: `told`, or the state of a `Silent` one."""


def look_of(word: str) -> Look:
    """How a state or a pool's word, in any case, is shown; one we do not know is unknown."""
    return LOOKS.get(word.lower(), LOOKS["unknown"])
