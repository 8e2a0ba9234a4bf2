"""The pieces a run's story is made of."""

from __future__ import annotations

from typing import Any, Literal, NamedTuple

import msgspec

from fleetctl.base.outcome import Outcome
from fleetctl.plan.model import PlanPhase
from fleetctl.rollout import records as r

SpanKind = Literal["step", "undo", "restore", "held", "pause", "doubt"]
"""held: at a barrier, for a once-step or for a connection; pause: before another try; doubt: the
connection went with orders out, what became of them is being asked."""


WORK = frozenset({"step", "undo", "restore"})
"""Kinds of stretches in which something was done."""


class Span(NamedTuple):
    """A stretch of a host's time, in Unix time."""

    kind: SpanKind
    begin_s: float
    end_s: float
    title: str
    outcome: Outcome | None = None
    cause: str = ""

    @property
    def seconds(self) -> float:
        return max(0.0, self.end_s - self.begin_s)


class Mark(NamedTuple):
    """Something that happened at one moment."""

    kind: Literal["retry", "lost", "word", "stop", "leg", "other"]
    at_s: float
    text: str
    host: str = ""


class HostStory(msgspec.Struct):
    """One host in one phase."""

    phase: str
    host: str
    batch: int
    began_s: float
    attempt: int = 0
    """0: it was left alone."""
    at_s: float = 0.0
    """Up to when its time is told by spans."""
    sent_s: float = 0.0
    doubt_s: float | None = None
    paused: str = ""
    spans: list[Span] = msgspec.field(default_factory=list)
    marks: list[Mark] = msgspec.field(default_factory=list)
    steps: dict[str, r.StepSettled] = msgspec.field(default_factory=dict)
    """Key (undos: `KEY.undo`) -> its last end."""
    items: dict[str, Any] = msgspec.field(default_factory=dict)
    """Key of a foreach step -> its `ItemsStory`."""
    retries: int = 0
    settled: r.HostSettled | None = None
    settled_s: float = 0.0

    @property
    def begun(self) -> bool:
        """Whether anything was done on it, or tried."""
        return bool(self.attempt or self.spans or self.marks)

    @property
    def outcome(self) -> Outcome | None:
        return self.settled.outcome if self.settled is not None else None


class GateStory(msgspec.Struct):
    """A gate that was asked."""

    phase: str
    batch: int
    """-1: before the phase."""
    key: str
    title: str
    approval: bool
    asked_s: float
    settled_s: float | None = None
    passed: bool | None = None
    by: str = ""
    cause: str = ""


class QuestionStory(msgspec.Struct):
    """What a person was asked."""

    asked: r.QuestionAsked
    asked_s: float
    answered: r.QuestionAnswered | None = None
    answered_s: float | None = None


class BatchStory(msgspec.Struct):
    """A batch that was begun."""

    phase: str
    batch: int
    hosts: tuple[str, ...]
    began_s: float
    ended_s: float | None = None


class PhaseStory(msgspec.Struct):
    """A phase of the plan, begun or not."""

    plan: PlanPhase
    began_s: float | None = None
    ended_s: float | None = None
    passed: bool | None = None


class Leg(msgspec.Struct):
    """One controller's time on the run."""

    began_s: float
    by: str
    how: str
    """`opened`, `resumed`, `resumed, failed hosts only`, ..."""
    ended_s: float = 0.0
    """Its last record."""
