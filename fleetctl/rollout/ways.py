"""What a host run is told of its way: which way it goes, how often, why it cannot go on."""

from __future__ import annotations

from typing import Literal, NamedTuple

from fleetctl.base.outcome import Outcome
from fleetctl.rollout.records import HostSettled

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
