"""A run as somebody watches it: a model built from records alone, live or in replay.

Pure: `apply` takes a record and the wall time it was made at; nothing here draws or asks a clock.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from typing import Any, ClassVar, NamedTuple

import msgspec

from fleetctl.base.outcome import Outcome, worse
from fleetctl.cli import itemview
from fleetctl.cli.itemview import ItemsView
from fleetctl.plan.history import History, names_of
from fleetctl.plan.model import Plan, PlanPhase
from fleetctl.rollout import records as r

PhaseKey = tuple[str, str]
"""Phase and host: a host may be worked on by several phases."""


class HostView(msgspec.Struct):
    """One host in one phase."""

    phase: str
    host: str
    began_s: float
    attempt: int = 0
    """Counts from 1; 0: not begun."""
    pending: list[str] = msgspec.field(default_factory=list)
    """Keys of steps sent whose end is not known yet, in order."""
    sent_s: float = 0.0
    lost_sent: bool = False
    """The connection went with orders out: what became of them is being asked."""
    note: str = ""
    """Why it is not at work just now: `retry in 2 s`."""
    line: str = ""
    steps: dict[str, r.StepSettled] = msgspec.field(default_factory=dict)
    items: dict[str, ItemsView] = msgspec.field(default_factory=dict)
    """Key of a foreach step -> its items."""
    settled: r.HostSettled | None = None
    settled_s: float = 0.0

    @property
    def in_flight(self) -> bool:
        """Whether something of ours may be running on it now."""
        return bool(self.pending) and self.settled is None

    @property
    def lost(self) -> bool:
        """Whether it ended in a way that spends budget."""
        return self.settled is not None and self.settled.outcome.lost

    def taken_up(self, only_failed: bool) -> bool:
        """Whether a resume goes on with it, though it has an end."""
        if self.settled is None:
            return False
        if self.settled.owes:
            return True
        if not only_failed:
            return self.settled.halted
        left_out = self.settled.outcome is Outcome.SKIPPED and not self.settled.halted
        return self.settled.outcome.lost or left_out or self.lost_items > 0

    @property
    def lost_items(self) -> int:
        return sum(len(items.lost) for items in self.items.values())


class PhaseView(msgspec.Struct):
    """One phase: where it is in its batches."""

    plan: PlanPhase
    hosts: int
    batch: int = -1
    began_s: float | None = None
    ended_s: float | None = None
    passed: bool | None = None
    gate: str = ""
    """Key of the gate being asked now."""
    gate_began_s: float = 0.0

    @property
    def word(self) -> str:
        """`to do`, `running`, `gate`, `done` or `stopped`."""
        if self.began_s is None:
            return "to do"
        if self.passed is None:
            return "gate" if self.gate else "running"
        return "done" if self.passed else "stopped"


class Asked(NamedTuple):
    """A question that is open, and since when."""

    question: r.QuestionAsked
    asked_s: float


class RunView:
    """Everything a watcher may want to know about one run."""

    def __init__(self, plan: Plan) -> None:
        self.plan = plan
        self.run, self.under = "", ""
        self.check_only = False
        self.opened_s = 0.0
        self.now_s = 0.0
        """Wall time of the newest record."""
        self.leg_s: float | None = None
        """When the controller of now took over; None when none is at it."""
        self._earlier_s = 0.0
        self.phases = {phase.name: PhaseView(phase, _size(phase)) for phase in plan.phases}
        self.hosts: dict[PhaseKey, HostView] = {}
        self.down: tuple[str, ...] = ()
        self.gates: dict[tuple[str, int, str], r.GateSettled] = {}
        self.asked: dict[str, Asked] = {}
        """What a person is asked now, by the questions' keys."""
        self.boxes: dict[str, set[int]] = {}
        """Question -> its boxes that are ticked."""
        self.answers: list[tuple[float, r.QuestionAsked, r.QuestionAnswered]] = []
        """What people chose, and which defaults were taken, with the Unix time."""
        self.stop: r.StopOrdered | None = None
        self.words: list[tuple[float, r.WordTaken | r.ViewDropped]] = []
        """What the run was told from outside, and views that were dropped, with the Unix time."""
        self.ended: r.RunEnded | None = None
        self.titles = {step.key: step.title for phase in plan.phases for step in phase.steps}
        self.names = names_of(plan)
        """Step key -> the name its times are kept under."""
        self.titles |= {gate.key: gate.title for phase in plan.phases for gate in phase.gates}

    def take(self, entries: Iterable[tuple[int, float, r.Record]]) -> RunView:
        """Apply journal entries `(seq, wall_s, record)` in order; itself again."""
        for _, wall_s, record in entries:
            self.apply(record, wall_s)
        return self

    def apply(self, record: r.Record, wall_s: float) -> None:
        """Bring the model up to `record`, which was made at Unix time `wall_s`."""
        if isinstance(record, (r.RunOpened, r.RunResumed)):
            self._begin_leg(wall_s)
        self.now_s = wall_s
        apply = self._OF.get(type(record))
        if apply is not None:  # else nobody watches it
            apply(self, record)

    def elapsed_s(self, now_s: float) -> float:
        """How long controllers have been at it until `now_s`; the time between them is left out."""
        return self._earlier_s + (max(0.0, now_s - self.leg_s) if self.leg_s is not None else 0.0)

    def _begin_leg(self, wall_s: float) -> None:
        """A leg that was cut off lasted until its last record."""
        self._earlier_s = self.elapsed_s(self.now_s)
        self.leg_s = wall_s

    def said(self, host: str, line: str) -> None:
        """A line of a running step; only ever shown."""
        for view in self.hosts.values():
            if view.host == host and view.in_flight:
                view.line = line

    def _host(self, phase: str, host: str) -> HostView:
        key = (phase, host)
        if key not in self.hosts:
            self.hosts[key] = HostView(phase, host, self.now_s)
        return self.hosts[key]

    def _opened(self, record: r.RunOpened) -> None:
        self.run, self.check_only, self.opened_s = record.run, record.check_only, self.now_s
        self.under = record.under

    def _resumed(self, record: r.RunResumed) -> None:
        self.stop = self.ended = None
        self.asked.clear()
        for host in self.hosts.values():
            owed = host.settled is not None and host.settled.owes  # until it is put back
            if host.taken_up(record.only_failed) and not owed:
                host.settled, host.note = None, "to be taken up again"
        for phase in self.phases.values():
            phase.gate = ""
            if phase.passed is False:
                phase.passed = phase.ended_s = None

    def _found_down(self, record: r.FoundDown) -> None:
        self.down = record.hosts

    def _phase_began(self, record: r.PhaseBegan) -> None:
        phase = self.phases[record.phase]
        phase.began_s = self.now_s if phase.began_s is None else phase.began_s
        phase.passed = None

    def _batch_began(self, record: r.BatchBegan) -> None:
        self.phases[record.phase].batch = record.batch

    def _phase_ended(self, record: r.PhaseEnded) -> None:
        phase = self.phases[record.phase]
        phase.passed, phase.ended_s, phase.gate = record.passed, self.now_s, ""

    def _host_began(self, record: r.HostBegan) -> None:
        view = self._host(record.phase, record.host)
        view.attempt, view.settled, view.note, view.began_s = record.attempt, None, "", self.now_s

    def _sent(self, record: r.SegmentSent) -> None:
        view = self._host(record.phase, record.host)
        view.pending, view.sent_s = list(record.keys), self.now_s
        view.lost_sent, view.note, view.line = False, "", ""

    def _asked(self, record: r.AskSent) -> None:
        view = self._host(record.phase, record.host)
        view.pending, view.lost_sent, view.note = list(record.keys), True, "asking what happened"

    def _answered(self, record: r.AskAnswered) -> None:
        view = self._host(record.phase, record.host)
        view.pending = [key for key in view.pending if key not in (*record.absent, *record.again)]
        view.lost_sent, view.note = False, ""

    def _step_settled(self, record: r.StepSettled) -> None:
        view = self._host(record.phase, record.host)
        back = ".undo" if record.undo else ".restore" if record.restore else ""
        view.steps[record.key + back] = record
        if not back:
            view.steps.pop(record.key + ".restore", None)
        view.sent_s, view.line = self.now_s, ""
        if record.outcome.lost:
            view.pending = []
        elif record.key in view.pending:
            view.pending.remove(record.key)

    def _lost(self, record: r.OrderLost) -> None:
        view = self._host(record.phase, record.host)
        view.lost_sent = record.sent
        view.note = f"{record.what} ({record.cause})"
        if not record.sent:
            view.pending = []

    def _retry_planned(self, record: r.RetryPlanned) -> None:
        view = self._host(record.phase, record.host)
        view.note = f"{record.reason} again in {record.after_s:.0f} s"

    def _host_settled(self, record: r.HostSettled) -> None:
        view = self._host(record.phase, record.host)
        view.settled, view.settled_s, view.pending, view.note = record, self.now_s, [], ""

    def _taken_up(self, record: r.RestoreBegan | r.HostReopened) -> None:
        view = self._host(record.phase, record.host)
        view.settled, view.pending, view.sent_s = None, [], self.now_s
        view.note = "putting it back" if isinstance(record, r.RestoreBegan) else ""

    def _gate_asked(self, record: r.GateAsked) -> None:
        phase = self.phases[record.phase]
        phase.gate, phase.gate_began_s = record.key, self.now_s

    def _gate_settled(self, record: r.GateSettled) -> None:
        self.gates[(record.phase, record.batch, record.key)] = record
        if self.phases[record.phase].gate == record.key:
            self.phases[record.phase].gate = ""

    def _question_asked(self, record: r.QuestionAsked) -> None:
        self.asked[record.key] = Asked(record, self.now_s)

    def _box_ticked(self, record: r.BoxTicked) -> None:
        self.boxes.setdefault(record.key, set()).add(record.box)

    def _question_answered(self, record: r.QuestionAnswered) -> None:
        asked = self.asked.pop(record.key, None)
        if asked is not None:
            self.answers.append((self.now_s, asked.question, record))

    def _word(self, record: r.WordTaken | r.ViewDropped) -> None:
        self.words.append((self.now_s, record))

    def _stop_ordered(self, record: r.StopOrdered) -> None:
        self.stop = self.stop or record
        self.asked.clear()

    def _run_ended(self, record: r.RunEnded) -> None:
        self._earlier_s, self.leg_s = self.elapsed_s(self.now_s), None
        self.ended = record

    _OF: ClassVar[dict[type, Callable[[RunView, Any], None]]] = {
        r.RunOpened: _opened,
        r.RunResumed: _resumed,
        r.FoundDown: _found_down,
        r.PhaseBegan: _phase_began,
        r.PhaseEnded: _phase_ended,
        r.BatchBegan: _batch_began,
        r.HostBegan: _host_began,
        r.SegmentSent: _sent,
        r.AskSent: _asked,
        r.AskAnswered: _answered,
        r.StepSettled: _step_settled,
        **itemview.APPLY,
        r.OrderLost: _lost,
        r.RetryPlanned: _retry_planned,
        r.HostSettled: _host_settled,
        r.GateAsked: _gate_asked,
        r.GateSettled: _gate_settled,
        r.QuestionAsked: _question_asked,
        r.BoxTicked: _box_ticked,
        r.QuestionAnswered: _question_answered,
        r.WordTaken: _word,
        r.ViewDropped: _word,
        r.StopOrdered: _stop_ordered,
        r.RunEnded: _run_ended,
        r.RestoreBegan: _taken_up,
        r.HostReopened: _taken_up,
    }

    def in_flight(self) -> list[HostView]:
        """Hosts on which something of ours may be running, the longest at it first."""
        busy = [view for view in self.hosts.values() if view.in_flight]
        return sorted(busy, key=lambda view: (view.sent_s, view.host))

    def unsettled(self) -> list[HostView]:
        """Hosts begun and not yet ended in their phase, those at work first."""
        open_ = [view for view in self.hosts.values() if view.settled is None]
        return sorted(open_, key=lambda view: (not view.in_flight, view.sent_s, view.host))

    def counts(self, phase: str) -> Counter[Outcome]:
        """Outcomes of the phase's hosts so far."""
        views = (view for view in self.hosts.values() if view.phase == phase)
        return Counter(view.settled.outcome for view in views if view.settled is not None)

    def outcomes(self) -> dict[str, Outcome | None]:
        """The worst outcome of every host of the plan over its phases; None: not accounted for.

        Skipped is, once the run has ended, who no phase has begun, or only one without steps.
        """
        worst: dict[str, Outcome | None] = {}
        worked = {h for phase in self.plan.phases if phase.steps for b in phase.batches for h in b}
        for phase in self.plan.phases:
            for host in (host for batch in phase.batches for host in batch):
                view = self.hosts.get((phase.name, host))
                now = _outcome(view, self.ended is not None)
                if now is Outcome.OK and not phase.steps and host in worked:
                    now = Outcome.SKIPPED
                worst[host] = worse(worst[host], now) if host in worst else now
        return worst

    def to_do(self, only_failed: bool) -> list[str]:
        """Hosts a resume would work on: those not ended, and those halted or, instead, lost."""
        names: dict[str, None] = {}
        for phase in self.plan.phases:
            for host in (host for batch in phase.batches for host in batch):
                view = self.hosts.get((phase.name, host))
                if view is None or view.settled is None:
                    taken = not only_failed or (view is not None and view.in_flight)
                else:
                    taken = view.taken_up(only_failed)
                if taken:
                    names[host] = None
        return list(names)

    def undone(self) -> list[str]:
        """Phases without hosts that did not end well: a person has something to do in them."""
        return [
            n for n, phase in self.phases.items() if not phase.plan.batches and not phase.passed
        ]

    def untouched(self) -> list[str]:
        """Hosts of the plan that no phase has begun."""
        begun = {view.host for view in self.hosts.values() if view.steps or view.pending}
        return [host for host in self.outcomes() if host not in begun]


def expected_s(plan: Plan, history: History) -> dict[str, float]:
    """Step key -> seconds it should take: the median of earlier runs on hosts of its tiers."""
    expected, names = {}, names_of(plan)
    for phase in plan.phases:
        tiers = {plan.hosts[host].tier for batch in phase.batches for host in batch}
        for step in phase.steps:
            known = [history.expected_s(names[step.key], tier) for tier in tiers]
            times = [seconds for seconds in known if seconds is not None]
            if times:
                expected[step.key] = max(times)
    return expected


def remaining_s(view: HostView, expected_s: Mapping[str, float], now_s: float) -> float | None:
    """Seconds until the orders out on this host should have ended; negative: it is late.

    None when a step of them was never seen before.
    """
    known = [expected_s[key] for key in view.pending if key in expected_s]
    if len(known) < len(view.pending):
        return None
    return sum(known) - (now_s - view.sent_s)


def _outcome(view: HostView | None, ended: bool) -> Outcome | None:
    if view is None:
        return Outcome.SKIPPED if ended else None
    return view.settled.outcome if view.settled is not None else None


def _size(phase: PlanPhase) -> int:
    return sum(len(batch) for batch in phase.batches)
