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
    order: tuple[str, ...] = ()
    """The keys of the last order, in its order."""
    cut_off: set[str] = field(default_factory=set)
    """Steps that were begun and left without an end, as far as the host can tell."""
    restored: set[str] = field(default_factory=set)
    """Steps put back since they were done."""
    sent: dict[str, int] = field(default_factory=dict)
    """Key, with its way behind it -> ticket of the last order with it."""
    way: str = ""
    """Of the last order: nothing, `.undo` or `.restore`."""
    owes: str = ""
    """What it was settled with."""
    recalled: bool = False
    """Its batch is rolled back, and it has not been yet."""
    mending: bool = False
    tried: bool = False
    """It was in flight in this leg."""
    troubled: bool = False
    """In this leg an order was lost, or a restore did not end well."""
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

    def reask(self, keys: list[str]) -> None:
        """These are not known; the way of one is the way of all that are asked about."""
        asked: list[str] = []
        way = ""
        for way in (".restore", ".undo", ""):
            asked = [key for key in keys if key == base_of(key) + way]
            if asked:
                break
        self.way = way if asked else ""
        for key in asked:
            self.open[key] = self.sent[key]
            del self.told[key]
        self.lost = bool(self.open)

    def close_if_told(self) -> None:
        if not self.open:
            self.lost = self.asked = False


def way_of(record: object) -> str:
    """What a record's step is called behind its key."""
    if getattr(record, "undo", False):
        return ".undo"
    return ".restore" if getattr(record, "restore", False) else ""


def base_of(key: str) -> str:
    """A step's key without its way, and without the number of its try."""
    return key.partition(".")[0]


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
