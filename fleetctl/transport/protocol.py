"""Orders in, events out: the seam between the rollout's driver and whatever reaches the hosts.

`Transport.submit` never blocks; each order is answered by events with its `ticket`, the last of
them being exactly one of its final events. Every wait behind it is finite, so a final event always
comes. Three transports serve the same contract tests: ssh, local, simulated.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Literal, Protocol, get_args

import msgspec

from fleetctl.playbook.operations import Exec, Put, SecretUse


class ItemOrder(msgspec.Struct, frozen=True):
    """One item of a round."""

    name: str
    try_no: int = 1
    """A higher number may run again after a failure, or after an end nobody saw."""


class Round(msgspec.Struct, frozen=True):
    """Some items of a foreach step, each done by itself, `concurrency` at once.

    The host keeps a record of each item under `key`, over all rounds of a run: an item recorded as
    ended is told from it, one that still runs is waited for.
    """

    key: str
    """Of the foreach step, whichever try of it this round is."""
    act: str
    check: str
    items: tuple[ItemOrder, ...]
    concurrency: int
    timeout_s: float
    """Of each item."""
    lose: int
    """More items lost than this: no further one of the round begins."""
    done: int = 0
    """Items with an end before this round, and in all: for who watches."""
    total: int = 0
    secrets: tuple[SecretUse, ...] = ()


class StepOrder(msgspec.Struct, frozen=True):
    """One step, rendered for one host."""

    key: str
    operation: Exec | Put | Round
    timeout_s: float
    undo: bool = False
    """Run the operation's `undo` instead of its act; recorded under `key` + `.undo`."""
    try_no: int = 1
    """Counts the tries of an idempotent step; a higher number may run again after a failure."""
    keep_output: bool = True
    wipe: bool = False
    """It holds secrets: nothing of its text and output stays on the host once it is told."""
    whole: bool = False
    """What it says matters as a whole: it is bounded by far more than other steps' output."""


class RunSegment(msgspec.Struct, frozen=True, tag="segment"):
    """Do these steps in order, stop at the first that does not end well.

    On the host, under its lock: refused when `fence` is older than the host's; a step whose record
    says it ended well is not run again but answered from the record (`replayed`).
    Final events: SegmentEnded, Lost, Refused.
    """

    ticket: int
    host: str
    run: str
    fence: int
    steps: tuple[StepOrder, ...]
    under: str = ""
    """The run whose fence that is, when it is not this run's own: a host that obeys it obeys us."""


class Ask(msgspec.Struct, frozen=True, tag="ask"):
    """What became of these steps? Waits for the host's lock, so for a step that still runs.

    Final events: Answered, Lost, Refused.
    """

    ticket: int
    host: str
    run: str
    fence: int
    keys: tuple[str, ...]
    wait_s: float
    """How long to wait for a step that still runs before answering `running`."""
    under: str = ""
    rounds: tuple[str, ...] = ()
    """Those of the keys that are rounds: their items are told as well."""


class Look(msgspec.Struct, frozen=True, tag="look"):
    """Run a read-only sh text, outside any run: no lock, no fence, no record.

    For gates, status, preflight and ad hoc commands. Final events: Looked, Lost.
    """

    ticket: int
    host: str
    script: str
    timeout_s: float


class Kill(msgspec.Struct, frozen=True, tag="kill"):
    """Stop the step running under `run` on the host with all it started: TERM, 3 s, KILL.

    The step's own order then ends by itself. On a host that obeys a newer fence nothing is stopped,
    and nothing is found. Final events: Killed, Lost.
    """

    ticket: int
    host: str
    run: str
    fence: int
    under: str = ""


class Release(msgspec.Struct, frozen=True, tag="release"):
    """The run is done with this host: close its connection. Final event: none."""

    host: str


Order = RunSegment | Ask | Look | Kill | Release


class Output(msgspec.Struct, frozen=True):
    """What a stream carried: all of it when short, else its beginning and end."""

    head: bytes = b""
    tail: bytes = b""
    size: int = 0
    """Bytes in all; more than `len(head) + len(tail)` means the middle was left out."""


class Connected(msgspec.Struct, frozen=True, tag="connected"):
    """The host answered (not final); also sent again after a reconnect."""

    ticket: int
    host: str
    boot: str


class StepBegan(msgspec.Struct, frozen=True, tag="began"):
    """The host says it starts this step (not final; may be left out for speed)."""

    ticket: int
    host: str
    key: str


class Said(msgspec.Struct, frozen=True, tag="said"):
    """A line of the running step, for watching only (not final; lossy)."""

    ticket: int
    host: str
    key: str
    line: str


StepEnd = Literal["acted", "checked", "failed", "timed out", "killed", "running", "interrupted",
                  "absent"]  # fmt: skip
"""acted: its act (or put) ran and exited 0. checked: nothing was to be done. failed: nonzero exit.
timed out / killed: ended by us, the effect may be partial. The last three only in answers to Ask:
running: still at it after `wait_s`. interrupted: it began, and its process is gone without a
record of its end (reboot, KILL): the effect is unknown. absent: it never began."""


class ItemEnd(msgspec.Struct, frozen=True):
    """What became of one item of a round."""

    name: str
    end: StepEnd
    """running: nothing could end it, and it is left alone. Never absent."""
    exit_status: int | None = None
    duration_s: float = 0.0
    said: Output = Output()
    """The last of both its streams; nothing when it is told from the host's record."""
    replayed: bool = False


class StepResult(msgspec.Struct, frozen=True):
    """What became of one step on one host."""

    key: str
    end: StepEnd
    exit_status: int | None = None
    duration_s: float = 0.0
    stdout: Output = Output()
    stderr: Output = Output()
    replayed: bool = False
    """Answered from the host's record; it did not run now."""
    detail: str = ""
    items: tuple[ItemEnd, ...] = ()
    """Of a round: those that have an end, or began and have none. With `all_told` the others of it
    were not begun; without, nobody knows yet."""
    all_told: bool = False


class StepEnded(msgspec.Struct, frozen=True, tag="ended"):
    """One step of a segment has ended (not final)."""

    ticket: int
    host: str
    result: StepResult


class SegmentEnded(msgspec.Struct, frozen=True, tag="segment-ended"):
    """Final: all its steps that were begun have been told by StepEnded."""

    ticket: int
    host: str


class Answered(msgspec.Struct, frozen=True, tag="answered"):
    """Final answer to Ask, one result a key, in the order asked."""

    ticket: int
    host: str
    boot: str
    results: tuple[StepResult, ...]


class Looked(msgspec.Struct, frozen=True, tag="looked"):
    """Final answer to Look."""

    ticket: int
    host: str
    exit_status: int | None
    """None: it did not end within its deadline."""
    stdout: Output
    stderr: Output
    duration_s: float


class Killed(msgspec.Struct, frozen=True, tag="killed"):
    """Final answer to Kill; `found` tells whether a step was running."""

    ticket: int
    host: str
    found: bool


class Lost(msgspec.Struct, frozen=True, tag="lost"):
    """Final: no answer can come any more.

    `sent` is the heart of it: False means no byte of the order left us, so nothing of it happened;
    True means the host may be doing it, may have done it, or never saw it: ask.
    """

    ticket: int
    host: str
    sent: bool
    cause: Literal["connect", "auth", "host key", "bastion", "silence", "closed", "internal"]
    detail: str
    retryable: bool = True
    """False for what trying again cannot mend: host key, authentication."""


Refusal = Literal["fence", "disk", "busy", "runner"]
REFUSALS: frozenset[str] = frozenset(get_args(Refusal))


class Refused(msgspec.Struct, frozen=True, tag="refused"):
    """Final: the host refused the order before doing anything.

    fence: `holder` and `fence` say whose newer order it obeys. disk: its record could not be
    written. busy: its lock was held by another run past the wait.
    """

    ticket: int
    host: str
    reason: Refusal
    detail: str
    fence: int = 0
    holder: str = ""


FinalEvent = SegmentEnded | Answered | Looked | Killed | Lost | Refused
Event = Connected | StepBegan | Said | StepEnded | FinalEvent
Sink = Callable[[Event], None]
"""Called from any thread; must not block."""


class Transport(Protocol):
    """Reaches the hosts of one fleet for one run."""

    def submit(self, order: Order) -> None:
        """Take an order; answers come to the sink given at construction. Never blocks."""

    def close(self) -> None:
        """Close every connection; finite. Remote steps that run go on. Idempotent."""
