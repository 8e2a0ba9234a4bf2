"""What a run's records say, booked a second time and independently of the product's own state."""

from __future__ import annotations

from dataclasses import dataclass, field

from fleetctl.base.outcome import Outcome
from fleetctl.plan.model import PlanPhase

WELL = (Outcome.OK, Outcome.CHANGED, Outcome.SKIPPED)


class Violation(AssertionError):
    """A promise is broken."""


def demand(holds: bool, promise: str, *details: object) -> None:
    """Object when it does not hold."""
    if not holds:
        raise Violation(f"{promise}: {' '.join(map(str, details))}")


@dataclass(slots=True)
class HostBook:
    """One host in one phase."""

    phase: str
    host: str
    batch: int
    in_flight: bool = False
    outcome: Outcome | None = None
    halted: bool = False
    open: dict[str, int] = field(default_factory=dict)
    """Step key -> ticket of the order that holds it and has no end yet."""
    well: set[str] = field(default_factory=set)
    told: dict[str, Outcome] = field(default_factory=dict)
    """Step key -> how it ended last, undone ones left out."""
    sent: dict[tuple[str, bool], int] = field(default_factory=dict)
    """(key, undo) -> ticket of the last order with it."""
    undoing: bool = False
    asked: bool = False
    fault: bool = False
    retrying: bool = False
    lost: bool = False
    """Its order was lost after it was sent."""
    entered: int = -1
    """The furthest step it was sent."""

    @property
    def doubtful(self) -> bool:
        return self.in_flight and (self.lost or self.fault or self.retrying)

    def close_if_told(self) -> None:
        if not self.open:
            self.lost = self.asked = False


class PhaseBook:
    """One phase, with what its plan allows."""

    def __init__(self, plan: PlanPhase) -> None:
        self.plan = plan
        self.index_of = {step.key: n for n, step in enumerate(plan.steps)}
        self.has_barriers = any(step.barrier for step in plan.steps[:-1])
        self.hosts = {
            host: HostBook(plan.name, host, number)
            for number, batch in enumerate(plan.batches)
            for host in batch
        }
        self.gates: dict[tuple[int, str], bool] = {}
        """(batch, gate) -> how it was settled last."""
        self.flying: dict[str, HostBook] = {}
        self.unsettled = [len(batch) for batch in plan.batches]
        self.touched = [0] * len(plan.batches)
        """Hosts of each batch that are settled and were not skipped."""
        self.passed = False
        self.lost = 0
        self.lost_in_batch = [0] * len(plan.batches)

    def barrier_before(self, index: int) -> int:
        """The last step before this one that all must end first; -1 when there is none."""
        steps = self.plan.steps
        return max((n for n in range(index) if steps[n].barrier), default=-1)
