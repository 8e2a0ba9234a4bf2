"""A run as it is told afterwards: every host's time, the gates, the people. Pure.

Built from records alone. A record of a kind that is not told here is listed under its own name.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any, ClassVar

from fleetctl.base.outcome import Outcome, worse
from fleetctl.plan.model import Plan
from fleetctl.playbook.operations import Approval
from fleetctl.report.items import TELL, lost_items
from fleetctl.report.pieces import (
    BatchStory,
    GateStory,
    HostStory,
    Leg,
    Mark,
    PhaseStory,
    QuestionStory,
    Span,
    SpanKind,
)
from fleetctl.report.reading import Entry, fields_of, tag_of
from fleetctl.rollout import records as r

HELD_S_MIN = 0.05
"""Shorter stretches between two steps are the road, not a stay."""
_SILENT = ("ask-sent", "ask-answered", "found-down")
"""Records told by others, or of no interest to people."""


class RunStory:
    """One run, as far as its journal goes."""

    def __init__(self, plan: Plan) -> None:
        self.plan = plan
        self.opened: r.RunOpened | None = None
        self.legs: list[Leg] = []
        self.phases = {phase.name: PhaseStory(phase) for phase in plan.phases}
        self.batches: dict[tuple[str, int], BatchStory] = {}
        self.hosts: dict[tuple[str, str], HostStory] = {}
        self.gates: list[GateStory] = []
        self.questions: list[QuestionStory] = []
        self.marks: list[Mark] = []
        """What happened to the run as a whole."""
        self.stop: r.StopOrdered | None = None
        self.ended: r.RunEnded | None = None
        self.now_s = 0.0
        """Unix time of the newest record."""
        self.titles = {step.key: step.title for phase in plan.phases for step in phase.steps}
        gates = [gate for phase in plan.phases for gate in phase.gates]
        self.titles |= {gate.key: gate.title for gate in gates}
        self._approvals = {gate.key for gate in gates if isinstance(gate.probe, Approval)}
        self._batch_of = {
            (phase.name, host): number
            for phase in plan.phases
            for number, batch in enumerate(phase.batches)
            for host in batch
        }

    @property
    def run(self) -> str:
        return self.opened.run if self.opened is not None else ""

    @property
    def check_only(self) -> bool:
        return self.opened is not None and self.opened.check_only

    @property
    def began_s(self) -> float:
        return self.legs[0].began_s if self.legs else self.now_s

    @property
    def worked_s(self) -> float:
        """How long controllers were at it; the time between them is left out."""
        return sum(max(0.0, leg.ended_s - leg.began_s) for leg in self.legs)

    def take(self, entries: Iterable[Entry]) -> RunStory:
        """Apply journal entries in order; itself again."""
        for entry in entries:
            self.now_s = entry.wall_s
            tell = self._OF.get(type(entry.record))
            if tell is not None:
                tell(self, entry.record)
            elif tag_of(entry.record) not in _SILENT:
                self._other(entry)
            if self.legs:
                self.legs[-1].ended_s = self.now_s
        return self

    def outcomes(self) -> dict[str, Outcome | None]:
        """The worst outcome of every host of the plan; None: it has none.

        A host no phase has begun is skipped once the run has ended.
        """
        worst: dict[str, Outcome | None] = {}
        for phase, host in self._batch_of:
            known = self.hosts.get((phase, host))
            now = known.outcome if known is not None else None
            if known is None and self.ended is not None:
                now = Outcome.SKIPPED
            worst[host] = worse(worst[host], now) if host in worst else now
        return worst

    def batch_of(self, phase: str, host: str) -> int:
        """The host's batch in the phase, from 0."""
        return self._batch_of.get((phase, host), 0)

    # ---- one method a record

    def _opened(self, record: r.RunOpened) -> None:
        self.opened = record
        self.legs.append(Leg(self.now_s, record.by, "opened"))

    def _resumed(self, record: r.RunResumed) -> None:
        parts = ["resumed", *(["failed hosts only"] * record.only_failed)]
        parts += [
            f"{one.host} {one.item} {one.word} as a person says".replace("  ", " ")
            for one in record.told
        ]
        if record.taken_from:
            parts.append(f"taken over from {record.taken_from}")
        self.legs.append(Leg(self.now_s, record.by, ", ".join(parts)))
        self.stop = self.ended = None
        for host in self.hosts.values():
            host.at_s = host.sent_s = self.now_s
            host.doubt_s, host.paused = None, ""
            if _goes_on(host, record.only_failed):
                host.settled = None
        for gate in self.gates:
            if gate.settled_s is None:
                gate.settled_s, gate.cause = self.now_s, "its controller went"

    def _phase_began(self, record: r.PhaseBegan) -> None:
        phase = self.phases[record.phase]
        phase.began_s = self.now_s if phase.began_s is None else phase.began_s
        phase.passed = phase.ended_s = None

    def _phase_ended(self, record: r.PhaseEnded) -> None:
        phase = self.phases[record.phase]
        phase.passed, phase.ended_s = record.passed, self.now_s

    def _batch_began(self, record: r.BatchBegan) -> None:
        place = (record.phase, record.batch)
        hosts = self.phases[record.phase].plan.batches[record.batch]
        self.batches.setdefault(place, BatchStory(*place, hosts, self.now_s)).ended_s = None

    def _batch_ended(self, record: r.BatchEnded) -> None:
        batch = self.batches.get((record.phase, record.batch))
        if batch is not None:
            batch.ended_s = self.now_s

    def host(self, phase: str, host: str) -> HostStory:
        """The host in the phase, made when it is first told of."""
        place = (phase, host)
        found = self.hosts.get(place)
        if found is None:
            batch = self.batch_of(phase, host)
            found = self.hosts[place] = HostStory(phase, host, batch, self.now_s, at_s=self.now_s)
        return found

    def _host_began(self, record: r.HostBegan) -> None:
        host = self.host(record.phase, record.host)
        host.attempt, host.at_s, host.settled = record.attempt, self.now_s, None

    def _sent(self, record: r.SegmentSent) -> None:
        host = self.host(record.phase, record.host)
        if host.spans and self.now_s - host.at_s >= HELD_S_MIN:
            title = host.paused or "held until it could go on"
            kind: SpanKind = "pause" if host.paused else "held"
            host.spans.append(Span(kind, host.at_s, self.now_s, title))
        host.at_s = host.sent_s = self.now_s
        host.paused = ""

    def _step_settled(self, record: r.StepSettled) -> None:
        host = self.host(record.phase, record.host)
        self._end_doubt(host)
        title = self.titles.get(record.key, record.key)
        kind: SpanKind = "undo" if record.undo else "restore" if record.restore else "step"
        begin_s = max(host.at_s, self.now_s - record.duration_s)
        host.spans.append(
            Span(kind, begin_s, self.now_s, title, record.outcome, record.cause)
        )  # fmt: skip
        host.at_s = self.now_s
        host.steps[record.key + {"step": ""}.get(kind, f".{kind}")] = record

    def _lost(self, record: r.OrderLost) -> None:
        host = self.host(record.phase, record.host)
        text = f"{record.what} ({record.cause}: {record.detail})"
        host.marks.append(Mark("lost", self.now_s, text, record.host))
        if record.sent and host.doubt_s is None:
            host.doubt_s = self.now_s

    def _retry_planned(self, record: r.RetryPlanned) -> None:
        host = self.host(record.phase, record.host)
        what = {"connect": "connecting", "ask": "asking"}.get(record.reason)
        what = what or self.titles.get(record.key, record.key)
        text = f"{what} again, try {record.try_no}"
        host.marks.append(Mark("retry", self.now_s, text, record.host))
        host.retries += 1
        if record.reason != "ask":
            host.paused = text

    def _host_settled(self, record: r.HostSettled) -> None:
        host = self.host(record.phase, record.host)
        self._end_doubt(host)
        host.settled, host.settled_s = record, self.now_s

    def _taken_up(self, record: r.RestoreBegan | r.HostReopened) -> None:
        host = self.host(record.phase, record.host)
        host.settled, host.at_s = None, self.now_s

    def _question_asked(self, record: r.QuestionAsked) -> None:
        self.questions.append(QuestionStory(record, self.now_s))

    def _box_ticked(self, record: r.BoxTicked) -> None:
        open_ = (one for one in self.questions if one.asked.key == record.key)
        boxes = next((one.asked.boxes for one in open_ if one.answered is None), ())
        box = boxes[record.box - 1] if record.box <= len(boxes) else f"box {record.box}"
        self.marks.append(Mark("word", self.now_s, f"ticked by {record.by}: {box}"))

    def _question_answered(self, record: r.QuestionAnswered) -> None:
        for question in reversed(self.questions):
            if question.asked.key == record.key and question.answered is None:
                question.answered, question.answered_s = record, self.now_s
                return

    def _gate_asked(self, record: r.GateAsked) -> None:
        title = self.titles.get(record.key, record.key)
        self.gates.append(
            GateStory(
                record.phase, record.batch, record.key, title, record.key in self._approvals,
                self.now_s,
            )
        )  # fmt: skip

    def _gate_settled(self, record: r.GateSettled) -> None:
        for gate in reversed(self.gates):
            if (gate.phase, gate.batch, gate.key) == (record.phase, record.batch, record.key):
                gate.settled_s, gate.passed = self.now_s, record.passed
                gate.by, gate.cause = record.by, record.cause
                return

    def _word(self, record: r.WordTaken) -> None:
        means = f" ({record.means})" if record.means else ""
        self.marks.append(Mark("word", self.now_s, f"told to {record.word} by {record.by}{means}"))

    def _view_dropped(self, record: r.ViewDropped) -> None:
        self.marks.append(Mark("other", self.now_s, f"{record.view} dropped: {record.cause}"))

    def _stopped(self, record: r.StopOrdered) -> None:
        self.stop = self.stop or record
        by = f" by {record.by}" if record.by and record.by not in record.cause else ""
        text = f"stop ({record.reason}{by}): {record.cause}"
        self.marks.append(Mark("stop", self.now_s, text))

    def _run_ended(self, record: r.RunEnded) -> None:
        self.ended = record

    def _other(self, entry: Entry) -> None:
        fields = fields_of(entry.record)
        told = [
            f"{name} {value}"
            for name, value in fields.items()
            if isinstance(value, (str, int, float)) and value not in ("", False) and name != "host"
        ]
        text = tag_of(entry.record).replace("-", " ") + (f": {', '.join(told)}" if told else "")
        self.marks.append(Mark("other", entry.wall_s, text, str(fields.get("host", ""))))

    # ---- inside

    def _end_doubt(self, host: HostStory) -> None:
        if host.doubt_s is not None:
            host.spans.append(
                Span("doubt", host.doubt_s, self.now_s, "asking what became of the step")
            )
            host.at_s, host.doubt_s = self.now_s, None

    _OF: ClassVar[dict[type, Callable[[RunStory, Any], None]]] = {
        r.RunOpened: _opened,
        r.RunResumed: _resumed,
        r.PhaseBegan: _phase_began,
        r.PhaseEnded: _phase_ended,
        r.BatchBegan: _batch_began,
        r.BatchEnded: _batch_ended,
        r.HostBegan: _host_began,
        r.SegmentSent: _sent,
        r.StepSettled: _step_settled,
        r.OrderLost: _lost,
        r.RetryPlanned: _retry_planned,
        r.RestoreBegan: _taken_up,
        r.HostReopened: _taken_up,
        r.QuestionAsked: _question_asked,
        r.QuestionAnswered: _question_answered,
        r.HostSettled: _host_settled,
        r.GateAsked: _gate_asked,
        r.GateSettled: _gate_settled,
        r.WordTaken: _word,
        r.ViewDropped: _view_dropped,
        r.StopOrdered: _stopped,
        r.RunEnded: _run_ended,
        r.BoxTicked: _box_ticked,
        **TELL,
    }


def _goes_on(host: HostStory, only_failed: bool) -> bool:
    """Whether a resume goes on with the host, if it is settled."""
    settled = host.settled
    if settled is None:
        return False
    if only_failed:
        left_out = settled.outcome is Outcome.SKIPPED and not settled.halted
        return settled.outcome.lost or left_out or lost_items(host) > 0
    return settled.halted
