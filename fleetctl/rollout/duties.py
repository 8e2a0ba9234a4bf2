"""What a host is owed: steps that say how to put it back as it was, on every way out. Pure."""

from __future__ import annotations

from enum import StrEnum

from fleetctl.base.machine import Machine
from fleetctl.base.outcome import Outcome


class DutyState(StrEnum):
    """Of one step with a `restore` on one host."""

    NONE = "none"
    """Its act never began."""
    OWED = "owed"
    """Its act may have had an effect, and nothing has put the host back since."""
    SENT = "sent"
    """Its restore is out; until its end is told, its effect is not known."""
    RESTORED = "restored"
    FAILED = "failed"
    UNKNOWN = "unknown"


class DutyEvent(StrEnum):
    """What can happen to the duty of one step."""

    OWE = "owe"
    SEND = "send"
    ACT = "act"
    FAIL = "fail"
    LOSE = "lose"
    ABSENT = "absent"
    AGAIN = "again"
    """A new leg tries once more."""


DUTY: Machine[DutyState, DutyEvent] = Machine(
    "duty",
    DutyState.NONE,
    frozenset({DutyState.RESTORED}),
    {
        (DutyState.NONE, DutyEvent.OWE): DutyState.OWED,
        (DutyState.OWED, DutyEvent.OWE): DutyState.OWED,
        (DutyState.OWED, DutyEvent.SEND): DutyState.SENT,
        (DutyState.SENT, DutyEvent.ACT): DutyState.RESTORED,
        (DutyState.SENT, DutyEvent.FAIL): DutyState.FAILED,
        (DutyState.SENT, DutyEvent.LOSE): DutyState.UNKNOWN,
        (DutyState.SENT, DutyEvent.ABSENT): DutyState.OWED,
        (DutyState.FAILED, DutyEvent.AGAIN): DutyState.OWED,
        (DutyState.UNKNOWN, DutyEvent.AGAIN): DutyState.SENT,
    },
)
_ENDS = {
    Outcome.OK: DutyEvent.ACT,
    Outcome.CHANGED: DutyEvent.ACT,
    Outcome.SKIPPED: DutyEvent.ACT,
    Outcome.FAILED: DutyEvent.FAIL,
    Outcome.TIMED_OUT: DutyEvent.FAIL,
    Outcome.UNKNOWN: DutyEvent.LOSE,
}

_WORDS = {
    Outcome.FAILED: "failed",
    Outcome.TIMED_OUT: "timed out",
    Outcome.UNKNOWN: "is not known to have ended",
}
TRIES_MAX = 3
"""Of one restore in one leg, when its host goes down in the middle of it."""


class Duties:
    """Of one host in one phase; only steps that may have begun are in it."""

    __slots__ = ("causes", "doubted", "left", "states", "tries")

    def __init__(self) -> None:
        self.states: dict[int, DutyState] = {}
        """Step index -> where its duty stands."""
        self.tries: dict[int, int] = {}
        """Step index -> the number of its restore's try; each has a name of its own on the host."""
        self.left: dict[int, int] = {}
        """Step index -> tries it has left in this leg."""
        self.causes: dict[int, str] = {}
        """Step index -> why its restore did not succeed."""
        self.doubted: set[int] = set()
        """Steps of which it is not known that they ever had an effect."""

    def act_ended(self, index: int, outcome: Outcome) -> None:
        """The act has its end: what had nothing to do has done nothing."""
        if outcome is Outcome.SKIPPED:
            self.never_begun(index)
        else:
            self.owe(index, doubted=outcome is Outcome.UNKNOWN)

    def owe(self, index: int, *, doubted: bool = False) -> None:
        """The act has begun, or may have."""
        if doubted and self.states.get(index, DUTY.initial) is DutyState.NONE:
            self.doubted.add(index)
        elif not doubted:
            self.doubted.discard(index)
        self._turn(index, DutyEvent.OWE)

    def never_begun(self, index: int) -> None:
        """What was not known to have had an effect had none."""
        if index in self.doubted:
            self.doubted.remove(index)
            del self.states[index]

    def send(self, index: int) -> None:
        """The restore goes out."""
        self._turn(index, DutyEvent.SEND)
        self.tries.setdefault(index, 1)
        self.left.setdefault(index, TRIES_MAX)

    def settle(self, index: int, outcome: Outcome, cause: str) -> None:
        """The restore has ended."""
        self._turn(index, _ENDS[outcome])
        self.causes.pop(index, None)
        if outcome.lost:
            self.causes[index] = f"its restore {_WORDS[outcome]}" + (f": {cause}" if cause else "")

    def forget(self, index: int, *, again: bool = False) -> None:
        """The restore was never begun; `again`: it was, and is sent as a new try."""
        self._turn(index, DutyEvent.ABSENT)
        if again:
            self._renew(index)
            self.left[index] = self.left.get(index, TRIES_MAX) - 1

    def may_run_again(self, index: int) -> bool:
        """A restore that was begun and left without an end is sent again, not for ever."""
        return self.left.get(index, TRIES_MAX) > 1

    def take_up(self) -> list[int]:
        """A new leg begins: failed ones are tried anew; gives those that must be asked for."""
        asked = []
        for index, state in self.states.items():
            self.left.pop(index, None)
            if state is DutyState.FAILED:
                self._turn(index, DutyEvent.AGAIN)
                self._renew(index)
            elif state is DutyState.UNKNOWN:
                self._turn(index, DutyEvent.AGAIN)
                asked.append(index)
            elif state is DutyState.SENT:
                asked.append(index)  # its run stopped again before it could be asked
        return sorted(asked, reverse=True)

    def give_up(self) -> list[int]:
        """Steps that were put back, which begin anew as if they had never been done."""
        found = [index for index, state in self.states.items() if state is DutyState.RESTORED]
        for index in found:
            del self.states[index]
            self._renew(index)
        return found

    def owed(self) -> list[int]:
        """Steps that have not been put back, last first."""
        found = (index for index, state in self.states.items() if state is not DutyState.RESTORED)
        return sorted(found, reverse=True)

    @property
    def unknown(self) -> bool:
        """Whether a restore is not known to have ended."""
        return DutyState.UNKNOWN in self.states.values()

    def _renew(self, index: int) -> None:
        self.tries[index] = self.tries.get(index, 1) + 1

    def _turn(self, index: int, event: DutyEvent) -> None:
        before = self.states.get(index, DUTY.initial)
        self.states[index] = DUTY.advance(before, event)
