"""The transition tables of a run: what may follow what. Policy lives in the reducer.

A resume does not leave a terminal state: it begins a new leg of the run, in which what is taken
up again starts from its table's first state (see `hostrun.HostRun.reopen`).
"""

from __future__ import annotations

from enum import StrEnum

from fleetctl.base.machine import Machine


class StepState(StrEnum):
    """A step on a host. `sent` means: until its end is told, its effect is not known."""

    TODO = "todo"
    SENT = "sent"
    DONE = "done"
    CHECKED = "checked"
    PASSED = "passed"
    """Nothing was sent for it: a pause, what a person did, or a step that ran once elsewhere."""
    FAILED = "failed"
    UNKNOWN = "unknown"
    UNDOING = "undoing"
    UNDONE = "undone"
    UNDO_FAILED = "undo failed"
    UNDO_UNKNOWN = "undo unknown"


class StepEvent(StrEnum):
    """What can happen to a step on a host."""

    SEND = "send"
    ACT = "act"
    CHECK = "check"
    PASS = "pass"  # noqa: S105
    FAIL = "fail"
    LOSE = "lose"
    ABSENT = "absent"
    RETRY = "retry"
    STILL_FAILED = "still failed"
    """Its undo was never begun, and the step itself had failed before."""
    UNDO = "undo"
    REDO = "redo"
    REASK = "reask"
    ROUND = "round"
    """A round of its items is over, and more are to come."""
    REOPEN = "reopen"
    """Items of it that were lost are tried again."""


WELL = frozenset({StepState.DONE, StepState.CHECKED, StepState.PASSED})
"""Step states that let a host go on to its next step."""

STEP: Machine[StepState, StepEvent] = Machine(
    "step",
    StepState.TODO,
    frozenset({StepState.CHECKED, StepState.PASSED}),
    {
        (StepState.TODO, StepEvent.SEND): StepState.SENT,
        (StepState.TODO, StepEvent.PASS): StepState.PASSED,
        (StepState.TODO, StepEvent.FAIL): StepState.FAILED,
        (StepState.SENT, StepEvent.ACT): StepState.DONE,
        (StepState.SENT, StepEvent.CHECK): StepState.CHECKED,
        (StepState.SENT, StepEvent.FAIL): StepState.FAILED,
        (StepState.SENT, StepEvent.LOSE): StepState.UNKNOWN,
        (StepState.SENT, StepEvent.ABSENT): StepState.TODO,
        (StepState.SENT, StepEvent.ROUND): StepState.TODO,
        (StepState.FAILED, StepEvent.RETRY): StepState.TODO,
        (StepState.UNKNOWN, StepEvent.REASK): StepState.SENT,
        (StepState.DONE, StepEvent.REOPEN): StepState.TODO,
        (StepState.DONE, StepEvent.UNDO): StepState.UNDOING,
        (StepState.FAILED, StepEvent.UNDO): StepState.UNDOING,
        (StepState.UNDOING, StepEvent.ACT): StepState.UNDONE,
        (StepState.UNDOING, StepEvent.FAIL): StepState.UNDO_FAILED,
        (StepState.UNDOING, StepEvent.LOSE): StepState.UNDO_UNKNOWN,
        (StepState.UNDOING, StepEvent.ABSENT): StepState.DONE,
        (StepState.UNDOING, StepEvent.STILL_FAILED): StepState.FAILED,
        (StepState.UNDO_UNKNOWN, StepEvent.REASK): StepState.UNDOING,
        (StepState.UNDONE, StepEvent.REDO): StepState.TODO,
        (StepState.UNDO_FAILED, StepEvent.REDO): StepState.TODO,
    },
)


class ItemState(StrEnum):
    """An item of a foreach step on a host; `sent` means the same as for a step."""

    TODO = "todo"
    SENT = "sent"
    DONE = "done"
    SKIPPED = "skipped"
    """Its check said that nothing is to be done."""
    FAILED = "failed"
    TIMED_OUT = "timed out"
    UNKNOWN = "unknown"


class ItemEvent(StrEnum):
    """What can happen to an item on a host."""

    SEND = "send"
    ACT = "act"
    CHECK = "check"
    FAIL = "fail"
    TIME_OUT = "time out"
    LOSE = "lose"
    ABSENT = "absent"
    """Its round is over, or is to be sent again, and it has no end."""
    RETRY = "retry"
    REASK = "reask"
    """Its host is asked again what became of its round."""


LOST_ITEM = frozenset({ItemState.FAILED, ItemState.TIMED_OUT, ItemState.UNKNOWN})
"""Item states that spend the budget for items."""

ITEM: Machine[ItemState, ItemEvent] = Machine(
    "item",
    ItemState.TODO,
    frozenset({ItemState.DONE, ItemState.SKIPPED}),
    {
        (ItemState.TODO, ItemEvent.SEND): ItemState.SENT,
        (ItemState.SENT, ItemEvent.ACT): ItemState.DONE,
        (ItemState.SENT, ItemEvent.CHECK): ItemState.SKIPPED,
        (ItemState.SENT, ItemEvent.FAIL): ItemState.FAILED,
        (ItemState.SENT, ItemEvent.TIME_OUT): ItemState.TIMED_OUT,
        (ItemState.SENT, ItemEvent.LOSE): ItemState.UNKNOWN,
        (ItemState.SENT, ItemEvent.ABSENT): ItemState.TODO,
        (ItemState.FAILED, ItemEvent.RETRY): ItemState.TODO,
        (ItemState.TIMED_OUT, ItemEvent.RETRY): ItemState.TODO,
        (ItemState.UNKNOWN, ItemEvent.RETRY): ItemState.TODO,
        (ItemState.UNKNOWN, ItemEvent.REASK): ItemState.SENT,
    },
)


class HostState(StrEnum):
    """A host in a phase. Between `ready` and `settled` it is in flight."""

    PENDING = "pending"
    READY = "ready"
    """At a step boundary; nothing is out."""
    SENT = "sent"
    """An order is out."""
    DOUBT = "in doubt"
    """An order was lost after it was sent; the host must be asked before anything else."""
    ASKED = "asked"
    SETTLED = "settled"


class HostEvent(StrEnum):
    """What can happen to a host in a phase."""

    BEGIN = "begin"
    BEGIN_IN_DOUBT = "begin in doubt"
    SEND = "send"
    CLOSE = "close"
    """Every step of the order has an end."""
    LOSE = "lose"
    ASK = "ask"
    SETTLE = "settle"
    REOPEN = "reopen"
    """What it was owed is done; it goes on when its turn comes."""


HOST: Machine[HostState, HostEvent] = Machine(
    "host run",
    HostState.PENDING,
    frozenset({HostState.SETTLED}),
    {
        (HostState.PENDING, HostEvent.BEGIN): HostState.READY,
        (HostState.PENDING, HostEvent.BEGIN_IN_DOUBT): HostState.DOUBT,
        (HostState.PENDING, HostEvent.SETTLE): HostState.SETTLED,
        (HostState.READY, HostEvent.SEND): HostState.SENT,
        (HostState.READY, HostEvent.SETTLE): HostState.SETTLED,
        (HostState.READY, HostEvent.REOPEN): HostState.PENDING,
        (HostState.SENT, HostEvent.CLOSE): HostState.READY,
        (HostState.SENT, HostEvent.LOSE): HostState.DOUBT,
        (HostState.DOUBT, HostEvent.ASK): HostState.ASKED,
        (HostState.DOUBT, HostEvent.CLOSE): HostState.READY,
        (HostState.ASKED, HostEvent.CLOSE): HostState.READY,
        (HostState.ASKED, HostEvent.LOSE): HostState.DOUBT,
    },
)


class PhaseState(StrEnum):
    """A phase; it fails only when a phase it needs did not pass."""

    PENDING = "pending"
    RUNNING = "running"
    PASSED = "passed"
    FAILED = "failed"


class PhaseEvent(StrEnum):
    """What can happen to a phase."""

    BEGIN = "begin"
    PASS = "pass"  # noqa: S105
    FAIL = "fail"


PHASE: Machine[PhaseState, PhaseEvent] = Machine(
    "phase",
    PhaseState.PENDING,
    frozenset({PhaseState.PASSED, PhaseState.FAILED}),
    {
        (PhaseState.PENDING, PhaseEvent.BEGIN): PhaseState.RUNNING,
        (PhaseState.PENDING, PhaseEvent.FAIL): PhaseState.FAILED,
        (PhaseState.RUNNING, PhaseEvent.PASS): PhaseState.PASSED,
    },
)


class BatchState(StrEnum):
    """A batch; it ends when its hosts are settled and its gates are open."""

    PENDING = "pending"
    RUNNING = "running"
    ENDED = "ended"


class BatchEvent(StrEnum):
    """What can happen to a batch."""

    BEGIN = "begin"
    END = "end"


BATCH: Machine[BatchState, BatchEvent] = Machine(
    "batch",
    BatchState.PENDING,
    frozenset({BatchState.ENDED}),
    {
        (BatchState.PENDING, BatchEvent.BEGIN): BatchState.RUNNING,
        (BatchState.RUNNING, BatchEvent.END): BatchState.ENDED,
    },
)


class GateState(StrEnum):
    """A gate at one place of the run: before a phase, or after one batch."""

    SHUT = "shut"
    ASKED = "asked"
    OPEN = "open"
    REFUSED = "refused"


class GateEvent(StrEnum):
    """What can happen to a gate."""

    ASK = "ask"
    PASS = "pass"  # noqa: S105
    REFUSE = "refuse"


GATE: Machine[GateState, GateEvent] = Machine(
    "gate",
    GateState.SHUT,
    frozenset({GateState.OPEN, GateState.REFUSED}),
    {
        (GateState.SHUT, GateEvent.ASK): GateState.ASKED,
        (GateState.ASKED, GateEvent.PASS): GateState.OPEN,
        (GateState.ASKED, GateEvent.REFUSE): GateState.REFUSED,
    },
)


class LegState(StrEnum):
    """What one controller does with a run, from its opening or resuming to its end."""

    RUNNING = "running"
    STOPPING = "stopping"
    ENDED = "ended"


class LegEvent(StrEnum):
    """What can happen to a leg of a run."""

    STOP = "stop"
    END = "end"


LEG: Machine[LegState, LegEvent] = Machine(
    "run",
    LegState.RUNNING,
    frozenset({LegState.ENDED}),
    {
        (LegState.RUNNING, LegEvent.STOP): LegState.STOPPING,
        (LegState.RUNNING, LegEvent.END): LegState.ENDED,
        (LegState.STOPPING, LegEvent.STOP): LegState.STOPPING,
        (LegState.STOPPING, LegEvent.END): LegState.ENDED,
    },
)
