"""The facts of a run, in the journal's words: past tense, append-only, enough to rebuild the state.

`RunState.apply(record)` is the only way a run's state changes, live and in replay. Changing a
record is a change of the journal's format.
"""

from __future__ import annotations

from typing import Literal

import msgspec

from fleetctl.base.outcome import Outcome
from fleetctl.transport.protocol import REFUSALS


class RunOpened(msgspec.Struct, frozen=True, tag="run-opened"):
    """First record: who asked for what."""

    run: str
    digest: str
    fence: int
    by: str
    """user@machine pid"""
    words: tuple[str, ...]
    """The command line, secrets already taken out."""
    seed: int
    """All chance of the run (jitter) comes from this."""
    check_only: bool = False
    under: str = ""
    """The run one of whose steps or gates started this one: its fence is used, and not raised."""
    until_s: float = 0.0
    """Unix time of the end of its window: nothing new starts after that; 0: it has none."""


class Told(msgspec.Struct, frozen=True):
    """What a person who looked says of the unknown step of a host."""

    host: str
    word: Literal["done", "again"]
    """done: it had its effect. again: it had none, or is to have it once more."""
    item: str = ""
    """Of the host's foreach steps; empty: the step itself, and all unknown items of it."""


class RunResumed(msgspec.Struct, frozen=True, tag="run-resumed"):
    """A controller took the run up again under a newer fence."""

    fence: int
    by: str
    only_failed: bool = False
    under: str = ""
    taken_from: str = ""
    """Who drove it before, when it was taken over with what was carried of its journal."""
    told: tuple[Told, ...] = ()
    """Holds for steps unknown at this point, and only where the host itself does not know."""
    until_s: float = 0.0
    """The end of this leg's window."""


class PhaseBegan(msgspec.Struct, frozen=True, tag="phase-began"):
    """What the phase needs has ended well; its first gates come next."""

    phase: str


class BatchBegan(msgspec.Struct, frozen=True, tag="batch-began"):
    """Hosts of this batch may be started from here on."""

    phase: str
    batch: int
    """Counts from 0 within the phase."""


class FoundDown(msgspec.Struct, frozen=True, tag="found-down"):
    """Hosts of guarded tiers that did not answer the preflight; they count against the floor."""

    hosts: tuple[str, ...]


class HostBegan(msgspec.Struct, frozen=True, tag="host-began"):
    """Written before the first order of this attempt is sent."""

    phase: str
    host: str
    attempt: int


class SegmentSent(msgspec.Struct, frozen=True, tag="segment-sent"):
    """Written before these steps are sent; until each has ended its effect is not known."""

    phase: str
    host: str
    ticket: int
    keys: tuple[str, ...]
    undo: bool = False
    """Their undos are sent, in this order."""
    restore: bool = False
    """Their restores are sent, in this order."""


class StepSettled(msgspec.Struct, frozen=True, tag="step-settled"):
    """A step on a host has its outcome."""

    phase: str
    host: str
    key: str
    outcome: Outcome
    exit_status: int | None = None
    duration_s: float = 0.0
    stdout: bytes = b""
    stderr: bytes = b""
    """Bounded: head and tail of what it said."""
    replayed: bool = False
    undo: bool = False
    cause: str = ""
    restore: bool = False


class ItemsListed(msgspec.Struct, frozen=True, tag="items-listed"):
    """What a host lists for a foreach step; holds for the whole run."""

    phase: str
    host: str
    key: str
    """Of the foreach step."""
    items: tuple[str, ...]


class ItemsSent(msgspec.Struct, frozen=True, tag="items-sent"):
    """Written with the SegmentSent of a round: until each has ended its effect is not known."""

    phase: str
    host: str
    key: str
    round: int
    """Which try of the step it is."""
    items: tuple[str, ...]


class ItemSettled(msgspec.Struct, frozen=True, tag="item-settled"):
    """An item of a foreach step has its outcome on a host."""

    phase: str
    host: str
    key: str
    item: str
    outcome: Outcome
    exit_status: int | None = None
    duration_s: float = 0.0
    said: bytes = b""
    """The last of both its streams."""
    replayed: bool = False
    cause: str = ""
    again: bool = False
    """It is tried again, so this outcome is not its last and spends no budget."""


class RoundEnded(msgspec.Struct, frozen=True, tag="round-ended"):
    """A round of items is over and more are to be sent, those of it without an end among them."""

    phase: str
    host: str
    key: str
    duration_s: float = 0.0
    mute: bool = False
    """The host told no end of some, and not that they were not begun: the record of each there
    says what became of it, when they are sent again."""


class OrderLost(msgspec.Struct, frozen=True, tag="order-lost"):
    """The connection went before the order's end was told, or the host refused the order."""

    phase: str
    host: str
    ticket: int
    sent: bool
    cause: str
    detail: str

    @property
    def what(self) -> str:
        """`refused` where the host said so itself over a connection that is well."""
        return "refused" if self.cause in REFUSALS else "connection lost"


class AskSent(msgspec.Struct, frozen=True, tag="ask-sent"):
    """Written before a host is asked what became of these steps."""

    phase: str
    host: str
    ticket: int
    keys: tuple[str, ...]


class AskAnswered(msgspec.Struct, frozen=True, tag="ask-answered"):
    """What the host's answer says about steps that have no end of their own."""

    phase: str
    host: str
    ticket: int
    absent: tuple[str, ...] = ()
    """Never begun: they may be sent as if nothing had been."""
    again: tuple[str, ...] = ()
    """Begun and gone without an end, but idempotent, guarded by a check, or to be run again as a
    person says: sent as a new try."""


class RetryPlanned(msgspec.Struct, frozen=True, tag="retry-planned"):
    """The host will be tried again after a delay: reconnecting, or an idempotent step."""

    phase: str
    host: str
    after_s: float
    reason: Literal["connect", "step", "ask", "items"]
    key: str = ""
    try_no: int = 1


class HostSettled(msgspec.Struct, frozen=True, tag="host-settled"):
    """The host's work in this phase is over."""

    phase: str
    host: str
    outcome: Outcome
    release: str = ""
    """Live release, read back; empty when the phase reads none."""
    key: str = ""
    """The step it ended on, when it did not end well."""
    cause: str = ""
    halted: bool = False
    """The run stopped before this host's work was over, or begun; a resume goes on with it."""
    owes: str = ""
    """What has not been put back there, and why: the end of `cause`."""


class RestoreBegan(msgspec.Struct, frozen=True, tag="restore-began"):
    """A resume takes a settled host up for what it is owed, before anything else."""

    phase: str
    host: str


class RollbackOrdered(msgspec.Struct, frozen=True, tag="rollback-ordered"):
    """The whole batch goes back: what was done on hosts that are done or at work is undone."""

    phase: str
    batch: int
    cause: str


class HostReopened(msgspec.Struct, frozen=True, tag="host-reopened"):
    """What it was owed is done, and the run goes on with it when its turn comes."""

    phase: str
    host: str


class GateAsked(msgspec.Struct, frozen=True, tag="gate-asked"):
    """A gate is being asked; it is asked again until it holds or its time is up."""

    phase: str
    batch: int
    """-1: the gates before the phase."""
    key: str


class GateSettled(msgspec.Struct, frozen=True, tag="gate-settled"):
    """A gate has held, or will not."""

    phase: str
    batch: int
    key: str
    passed: bool
    by: str = ""
    """Who approved or refused, for approvals."""
    cause: str = ""


class QuestionAsked(msgspec.Struct, frozen=True, tag="question-asked"):
    """A person is asked to choose; a resume asks anew what was not answered."""

    key: str
    """Names it while it is open: the gate's key, or what asks says."""
    about: Literal["gate", "manual", "failure"]
    """Who goes on with the answer."""
    phase: str
    text: str
    choices: tuple[str, ...]
    default: str
    """The choice that is taken when nobody has answered after `within_s`."""
    within_s: float
    batch: int = -1
    """-1: before the phase."""
    host: str = ""
    """The one host it is about; empty: the phase or the batch."""
    boxes: tuple[str, ...] = ()
    """Ticked one by one; `done` is no answer before all are."""
    command: str = ""
    """Shown to be copied."""
    who: str = ""
    """Who is to answer, in the author's words."""


class BoxTicked(msgspec.Struct, frozen=True, tag="box-ticked"):
    """A person ticked a box of an open question; it stays ticked, also over a resume."""

    key: str
    box: int
    """Counts from 1."""
    by: str


class QuestionAnswered(msgspec.Struct, frozen=True, tag="question-answered"):
    """A question has its answer: a person's, or its default."""

    key: str
    choice: str
    by: str = ""
    """user@machine pid; empty exactly when the default was taken."""
    why: str = ""
    """What the person adds; with the default, that nobody answered."""

    @property
    def defaulted(self) -> bool:
        """Whether nobody answered in time."""
        return not self.by


class BatchEnded(msgspec.Struct, frozen=True, tag="batch-ended"):
    """Every host of the batch is settled and every gate after it has held."""

    phase: str
    batch: int


class PhaseEnded(msgspec.Struct, frozen=True, tag="phase-ended"):
    """Every batch is over; not passed: left out, as a phase it needs did not end well."""

    phase: str
    passed: bool


class WordTaken(msgspec.Struct, frozen=True, tag="word-taken"):
    """What a person or the system told the run, also when it was stopping already."""

    word: Literal["drain", "kill", "abort", "leave"]
    """leave: the controller goes at once, and leaves what runs on the hosts to itself."""
    by: str
    """user@machine pid"""
    means: str
    """The signal, or the command given in another terminal."""


class ViewDropped(msgspec.Struct, frozen=True, tag="view-dropped"):
    """Somebody who watched sees no more; the run does not depend on it."""

    view: str
    cause: str


class StopOrdered(msgspec.Struct, frozen=True, tag="stop-ordered"):
    """Nothing new starts after this record: a budget, a gate, a person, the journal's disk."""

    reason: Literal[
        "budget", "gate", "floor", "window", "failure", "drain", "kill", "fence", "abort", "journal"
    ]
    cause: str
    by: str = ""


class RunEnded(msgspec.Struct, frozen=True, tag="run-ended"):
    """Last record (until a resume)."""

    exit_code: int
    cause: str = ""


Record = (
    RunOpened | RunResumed | PhaseBegan | BatchBegan | FoundDown | HostBegan | SegmentSent
    | StepSettled | OrderLost | AskSent | AskAnswered | RetryPlanned | HostSettled
    | GateAsked | GateSettled | QuestionAsked | BoxTicked | QuestionAnswered
    | BatchEnded | PhaseEnded | WordTaken | ViewDropped | StopOrdered | RunEnded
    | ItemsListed | ItemsSent | ItemSettled | RoundEnded
    | RestoreBegan | RollbackOrdered | HostReopened
)  # fmt: skip
