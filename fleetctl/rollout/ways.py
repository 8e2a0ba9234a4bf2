"""What a host run is told of its way: which way it goes, how often, why it cannot go on."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal, NamedTuple

from fleetctl.base.outcome import Outcome
from fleetctl.rollout.records import HostSettled
from fleetctl.rollout.stages import Recipe
from fleetctl.rollout.tables import HostState, StepEvent, StepState

Way = Literal["on", "undo", "restore"]
"""What an order does with its steps: their acts, their undos, or their restores."""


class Fault(NamedTuple):
    """Why a host cannot go on."""

    outcome: Outcome
    key: str
    cause: str
    restore: bool = False
    """Its steps ended well; what was to put it back did not."""


class Mending(NamedTuple):
    """A settled host taken up for what it is owed: how it was settled, and what comes after."""

    settled: HostSettled
    goes_on: bool
    """The run goes on with it; else it is settled as it was."""


class Tries(NamedTuple):
    """How often a step was tried on a host; each try has a name of its own there.

    Tries up to `forgiven` do not count against the step's retry: a person asked to try again.
    """

    try_no: int = 1
    forgiven: int = 0


FIRST_TRY = Tries()


STEP_EVENTS = {
    Outcome.OK: StepEvent.ACT,
    Outcome.CHANGED: StepEvent.ACT,
    Outcome.SKIPPED: StepEvent.CHECK,
    Outcome.FAILED: StepEvent.FAIL,
    Outcome.TIMED_OUT: StepEvent.FAIL,
    Outcome.UNKNOWN: StepEvent.LOSE,
}
ACT_OPEN = frozenset({StepState.SENT, StepState.UNKNOWN})
UNDO_OPEN = frozenset({StepState.UNDOING, StepState.UNDO_UNKNOWN})
IN_FLIGHT = frozenset({HostState.READY, HostState.SENT, HostState.DOUBT, HostState.ASKED})


def rolled_back(recipe: Recipe, states: Sequence[StepState]) -> Fault:
    """Of a host that had ended well: it was rolled back, and nobody knows how that ended."""
    at = next((index for index, state in enumerate(states) if state in UNDO_OPEN), 0)
    return Fault(Outcome.FAILED, recipe.steps[at].key, "it was rolled back with its batch")


def cut_short(phase: str, host: str) -> Mending:
    """Of a host in flight whose controller went while it was put back."""
    cause = "the controller went while the host was put back"
    settled = HostSettled(phase, host, Outcome.FAILED, cause=cause, halted=True)
    return Mending(settled, goes_on=True)


def is_taken_up(settled: HostSettled, only_failed: bool) -> bool:
    """Whether a resume goes on with a settled host."""
    if only_failed:
        outcome = settled.outcome
        return outcome.lost or (outcome is Outcome.SKIPPED and not settled.halted)
    return settled.halted
