"""The transition tables are whole: nothing unreachable, no way out of an end, no trap."""

from __future__ import annotations

from typing import Any

import pytest

from fleetctl.base.machine import IllegalTransition, Machine
from fleetctl.rollout.duties import DUTY
from fleetctl.rollout.tables import BATCH, GATE, HOST, ITEM, LEG, PHASE, STEP

TABLES: list[tuple[Machine[Any, Any], int]] = [
    (STEP, 22), (ITEM, 11), (HOST, 12), (PHASE, 3), (BATCH, 2), (GATE, 3), (LEG, 4),
    (DUTY, 9),
]  # fmt: skip
"""Each table with the number of its arrows: adding one is a decision, made here as well."""


def after(machine: Machine[Any, Any], start: Any) -> set[Any]:
    """Every state that can follow `start`, itself included."""
    found, edge = {start}, [start]
    while edge:
        state = edge.pop()
        steps = {to for (origin, _), to in machine.arrows.items() if origin is state}
        edge += steps - found
        found |= steps
    return found


@pytest.mark.parametrize(
    ("machine", "arrows"), TABLES, ids=lambda value: getattr(value, "name", "")
)
def test_every_table_is_whole(machine: Machine[Any, Any], arrows: int) -> None:
    """All states are reachable, ends have no exits, and every state can reach an end."""
    states = set(type(machine.initial).__members__.values())
    assert after(machine, machine.initial) == states
    assert not [arrow for arrow in machine.arrows if arrow[0] in machine.terminal]
    assert all(after(machine, state) & machine.terminal for state in states)
    assert len(machine.arrows) == arrows
    assert {state for state, _ in machine.arrows} | machine.terminal == states


@pytest.mark.parametrize(
    ("machine", "state", "event"),
    [
        (STEP, "done", "send"),  # what succeeded is never sent again
        (STEP, "unknown", "send"),  # what is not known is asked for first
        (STEP, "unknown", "retry"),
        (STEP, "sent", "send"),
        (ITEM, "done", "send"),
        (ITEM, "done", "retry"),
        (ITEM, "unknown", "send"),
        (ITEM, "sent", "send"),
        (HOST, "settled", "send"),
        (HOST, "in doubt", "send"),  # nothing is sent to a host in doubt
        (HOST, "pending", "send"),  # begun is recorded before anything is sent
        (DUTY, "none", "send"),  # what was never done is not put back
        (DUTY, "sent", "send"),
        (DUTY, "unknown", "send"),
        (GATE, "shut", "pass"),  # a gate opens only when it was asked
        (GATE, "refused", "pass"),
        (LEG, "stopping", "begin"),
        (LEG, "ended", "stop"),
    ],
)
def test_what_must_never_happen_has_no_arrow(
    machine: Machine[Any, Any], state: str, event: str
) -> None:
    """The arrows that would break a promise are not in the table."""
    states = {str(value): value for value in type(machine.initial)}
    with pytest.raises(IllegalTransition):
        machine.advance(states[state], event)
