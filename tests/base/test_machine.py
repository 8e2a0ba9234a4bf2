"""A transition table says what is legal and refuses everything else."""

from __future__ import annotations

from enum import StrEnum

import pytest

from fleetctl.base.machine import IllegalTransition, Machine


class Light(StrEnum):
    RED = "red"
    GREEN = "green"


class Press(StrEnum):
    GO = "go"
    STOP = "stop"


LIGHT = Machine(
    name="light",
    initial=Light.RED,
    terminal=frozenset({Light.GREEN}),
    arrows={(Light.RED, Press.GO): Light.GREEN},
)


def test_an_arrow_of_the_table_is_followed() -> None:
    """The state after an event is the one the table names."""
    assert LIGHT.advance(Light.RED, Press.GO) is Light.GREEN


def test_an_arrow_that_is_not_there_is_refused_by_name() -> None:
    """An illegal event is our bug and says which machine, event and state."""
    with pytest.raises(IllegalTransition, match="light: stop is not legal in state red"):
        LIGHT.advance(Light.RED, Press.STOP)
