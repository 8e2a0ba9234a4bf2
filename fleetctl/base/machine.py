"""Transition tables: what may follow what, and nothing else.

A table holds no guards. Policy decides *which* event to emit; the table only says what is legal.
"""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum
from typing import Final, Generic, TypeVar

from fleetctl.base.errors import InternalError

State = TypeVar("State", bound=StrEnum)
Event = TypeVar("Event", bound=StrEnum)


class IllegalTransition(InternalError):
    """An event reached a state that does not know it: a bug live, a corrupt journal in replay."""


class Machine(Generic[State, Event]):
    """A named table of arrows `(state, event) -> state` with its first and its last states."""

    def __init__(
        self,
        name: str,
        initial: State,
        terminal: frozenset[State],
        arrows: Mapping[tuple[State, Event], State],
    ) -> None:
        self.name: Final = name
        self.initial: Final = initial
        self.terminal: Final = terminal
        self.arrows: Final = arrows

    def advance(self, state: State, event: Event) -> State:
        """The state after `event`; raises IllegalTransition when there is no such arrow."""
        after = self.arrows.get((state, event))
        if after is None:
            raise IllegalTransition(f"{self.name}: {event} is not legal in state {state}")
        return after
