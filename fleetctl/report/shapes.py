"""What a chart is drawn of: plain numbers, which the page's template turns into SVG."""

from __future__ import annotations

from typing import NamedTuple


class Box(NamedTuple):
    """A rectangle; `look` names how it is drawn, `told` is read out and shown on hovering."""

    x: float
    y: float
    width: float
    height: float
    look: str
    told: str = ""


class Rule(NamedTuple):
    """A straight line."""

    x1: float
    y1: float
    x2: float
    y2: float
    look: str
    told: str = ""


class Sign(NamedTuple):
    """A small mark around a point; `look` says which."""

    x: float
    y: float
    look: str
    told: str


class Label(NamedTuple):
    """Text at a point, never wider than `room`; cut, it is told whole."""

    x: float
    y: float
    text: str
    look: str = ""
    told: str = ""


class Chart(NamedTuple):
    """One picture, to be drawn in this order."""

    title: str
    width: float
    height: float
    bands: list[Box]
    rules: list[Rule]
    boxes: list[Box]
    signs: list[Sign]
    labels: list[Label]


CHARACTER = 6.2
"""Width of a letter of a label, a little on the safe side."""


def cut(text: str, room: float, letter: float = CHARACTER) -> str:
    """`text`, shortened to fit into `room`; empty when not even three letters do."""
    most = int(room // letter)
    if len(text) <= most:
        return text
    return text[: most - 1] + "…" if most >= 4 else ""
