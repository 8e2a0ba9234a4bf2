"""The state of a run: what its records say, and nothing else.

`RunState.apply` is the only way it changes, live and in replay; one record costs O(1).
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any, ClassVar, NamedTuple

from fleetctl.base.machine import IllegalTransition
from fleetctl.base.outcome import Outcome
from fleetctl.plan.model import Plan
from fleetctl.rollout import itemrecords
from fleetctl.rollout import records as r
from fleetctl.rollout.accounts import Accounts
from fleetctl.rollout.hostrun import HostRun
from fleetctl.rollout.phaserun import PhaseRun as PhaseRun
from fleetctl.rollout.readback import last_line as last_line
from fleetctl.rollout.readback import read_release
from fleetctl.rollout.tables import (
    BATCH,
    GATE,
    LEG,
    PHASE,
    BatchEvent,
    GateEvent,
    GateState,
    LegEvent,
    PhaseEvent,
    PhaseState,
    StepState,
)
from fleetctl.rollout.ways import is_taken_up

BEFORE = -1
"""The batch number of gates asked before the phase."""


class Election(NamedTuple):
    """A step that runs once: who has it, and how it went."""

    host: str
    state: StepState


class RunState:
    """One run, as far as it got."""

    def __init__(self, plan: Plan) -> None:
        self.plan = plan
        self.phases = {phase.name: PhaseRun(phase) for phase in plan.phases}
        self.accounts = Accounts(plan)
        self.leg = LEG.initial
        self.legs = 0
        self.run = ""
        self.fence = 0
        self.under = ""
        """The run whose fence this one uses; empty: its own."""
        self.seed = 0
        self.check_only = False
        self.only_failed = False
        self.chosen: set[tuple[str, str]] = set()
        """With `only_failed`: the (phase, host) that are tried again."""
        self.told: Mapping[str, str] = {}
        """Host -> what a person says of its unknown step, in this leg."""
        self.told_items: dict[str, dict[str, str]] = {}
        """Host -> item, or empty for all of them -> what a person says of the unknown ones."""
        self.owing: dict[tuple[str, str], None] = {}
        """The (phase, host) settled that are owed something; nothing begins before it is done."""
        self.stop: r.StopOrdered | None = None
        self.ended: r.RunEnded | None = None
        self.elections: dict[tuple[str, str], Election] = {}
        """(step key, scope) -> who runs it."""
        self.asked: dict[str, r.QuestionAsked] = {}
        """Questions open to a person, by their keys."""
        self.answered: dict[str, r.QuestionAnswered] = {}
        """The last answer to each question, also of earlier legs."""
        self.boxes: dict[str, set[int]] = {}
        """Question -> its boxes that are ticked, also of earlier legs."""
        self.last_ticket = 0
        self.questions: Counter[str] = Counter()
        """Host -> how often it was asked in this leg."""

    def fence_for(self, host: str) -> int:
        """The fence of the next order to this host: every question raises it.

        What was sent before a question is refused when it arrives after the answer, whichever way
        it came and however late.
        """
        return self.fence if self.under else self.fence + self.questions[host]

    @property
    def fence_max(self) -> int:
        """The highest fence a host may have heard of in this leg."""
        return self.fence + max(self.questions.values(), default=0)

    def apply(self, record: r.Record) -> None:
        """Take a fact in; raises IllegalTransition when it cannot follow what was."""
        self._APPLY[type(record)](self, record)

    def host_run(self, phase: str, host: str) -> HostRun:
        """The host's run in the phase, made when it is first asked for."""
        group = self.phases[phase]
        found = group.hosts.get(host)
        if found is None:
            if host not in group.batch_of:
                raise IllegalTransition(f"phase {phase} has no host {host}")
            found = HostRun(phase, host, group.batch_of[host], group.recipe)
            group.hosts[host] = found
        return found

    def host_runs(self) -> Iterator[HostRun]:
        """Every host run some record is about."""
        for phase in self.phases.values():
            yield from phase.hosts.values()

    def scope_of(self, run: HostRun, index: int) -> tuple[str, str]:
        """The election a once-step of this host belongs to."""
        step = run.recipe.steps[index]
        if step.once == "batch":
            return step.key, str(run.batch)
        if step.once == "shard":
            return step.key, self.plan.hosts[run.host].tags.get("shard", "")
        return step.key, ""

    # ---- one method a record

    def _open(self, record: r.RunOpened) -> None:
        self.run, self.fence, self.seed = record.run, record.fence, record.seed
        self.check_only, self.under = record.check_only, record.under
        self.legs = 1

    def _resume(self, record: r.RunResumed) -> None:
        self.fence, self.under = record.fence, record.under
        self.questions.clear()
        self.asked.clear()
        self.only_failed = record.only_failed
        self.legs += 1
        self.leg = LEG.initial
        self.stop, self.ended = None, None
        self.chosen = set()
        self.accounts.set_found_down(frozenset())
        self.told = {one.host: one.word for one in record.told if not one.item}
        self.told_items = {}
        for one in record.told:
            self.told_items.setdefault(one.host, {})[one.item] = one.word
        self.owing = {}
        for phase in self.phases.values():
            self._resume_phase(phase, self.told)

    def _resume_phase(self, phase: PhaseRun, told: Mapping[str, str]) -> None:
        for run in phase.hosts.values():
            run.interrupt()
            if run.in_flight:
                self._take_up(run)
            elif run.last is not None and (run.owed or run.recall):
                self.owing[run.phase, run.host] = None
            elif run.last is not None and (
                is_taken_up(run.last, self.only_failed) or itemrecords.is_to_be_mended(self, run)
            ):
                self._reopen(phase, run, told.get(run.host, ""))
        phase.gates = {
            place: state for place, state in phase.gates.items() if state is GateState.OPEN
        }
        for batch, unsettled in enumerate(phase.unsettled):
            if unsettled:
                phase.begin_anew(batch)
        if not phase.batches and phase.state is PhaseState.FAILED:
            phase.state = PHASE.initial

    def _take_up(self, run: HostRun) -> None:
        """A host in flight when its controller went; one on its way out begins anew."""
        if run.mending is None and run.way == "restore" and run.fault is None:
            run.mend_in_flight()
        elif run.mending is not None and not run.mending.goes_on:
            again = is_taken_up(run.mending.settled, self.only_failed)
            run.mending = run.mending._replace(goes_on=again)
        self.chosen.add((run.phase, run.host))
        self.accounts.watch(run)

    def _order_rollback(self, record: r.RollbackOrdered) -> None:
        phase = self.phases[record.phase]
        for host in phase.plan.batches[record.batch]:
            run = phase.hosts.get(host)
            well = run is not None and run.outcome in (Outcome.OK, Outcome.CHANGED)
            if run is not None and (well or run.in_flight):
                run.recall = record.cause
                if well:
                    self.owing[run.phase, host] = None

    def _begin_restore(self, record: r.RestoreBegan) -> None:
        run = self.host_run(record.phase, record.host)
        assert run.last is not None
        self.owing.pop((record.phase, record.host), None)
        self.accounts.take_back(run)
        self.phases[run.phase].well.pop(run.host, None)
        self.phases[run.phase].unsettled[run.batch] += 1
        goes_on = is_taken_up(run.last, self.only_failed)
        run.mend(goes_on=goes_on, told=self.told.get(run.host, ""))
        self.accounts.recount_items(run)
        self.accounts.take_off(run)

    def _reopen_host(self, record: r.HostReopened) -> None:
        run, phase = self.host_run(record.phase, record.host), self.phases[record.phase]
        run.go_on()
        itemrecords.take_up(self, run)
        self.accounts.take_out(run)
        phase.begin_anew(run.batch)
        self._choose(run)

    def _reopen(self, phase: PhaseRun, run: HostRun, told: str) -> None:
        self.accounts.take_back(run)
        run.reopen(told)
        itemrecords.take_up(self, run)
        phase.unsettled[run.batch] += 1
        self._choose(run)

    def _choose(self, run: HostRun) -> None:
        self.chosen.add((run.phase, run.host))
        for place, election in list(self.elections.items()):
            if election.host == run.host and place[0] in run.recipe.index_of:
                state = run.steps[run.recipe.index_of[place[0]]]
                if state is StepState.TODO:
                    del self.elections[place]
                else:
                    self.elections[place] = Election(run.host, state)

    def _begin_phase(self, record: r.PhaseBegan) -> None:
        phase = self.phases[record.phase]
        phase.state = PHASE.advance(phase.state, PhaseEvent.BEGIN)

    def _end_phase(self, record: r.PhaseEnded) -> None:
        phase = self.phases[record.phase]
        event = PhaseEvent.PASS if record.passed else PhaseEvent.FAIL
        phase.state = PHASE.advance(phase.state, event)

    def _begin_batch(self, record: r.BatchBegan) -> None:
        phase = self.phases[record.phase]
        phase.batches[record.batch] = BATCH.advance(phase.batches[record.batch], BatchEvent.BEGIN)

    def _end_batch(self, record: r.BatchEnded) -> None:
        phase = self.phases[record.phase]
        phase.batches[record.batch] = BATCH.advance(phase.batches[record.batch], BatchEvent.END)

    def _find_down(self, record: r.FoundDown) -> None:
        self.accounts.set_found_down(frozenset(record.hosts))

    def _begin_host(self, record: r.HostBegan) -> None:
        run = self.host_run(record.phase, record.host)
        run.begin(record)
        self.accounts.take_off(run)

    def _send(self, record: r.SegmentSent) -> None:
        run = self.host_run(record.phase, record.host)
        run.send(record)
        self.last_ticket = max(self.last_ticket, record.ticket)
        if run.way == "on":
            for index in run.open_steps:
                if run.recipe.steps[index].once:
                    place = self.scope_of(run, index)
                    self.elections[place] = Election(run.host, StepState.SENT)
        self.accounts.watch(run)

    def _settle_step(self, record: r.StepSettled) -> None:
        run = self.host_run(record.phase, record.host)
        run.settle_step(record)
        self.accounts.watch(run)
        index = run.recipe.index_of[record.key]
        step = run.recipe.steps[index]
        way_on = not record.undo and not record.restore
        read_release(run, index, record)
        self.accounts.hear(record, self.under)
        if step.once and way_on and run.steps[index] is not StepState.PASSED:
            self.elections[self.scope_of(run, index)] = Election(run.host, run.steps[index])

    def _lose_order(self, record: r.OrderLost) -> None:
        run = self.host_run(record.phase, record.host)
        run.lose_order(record)
        self.accounts.watch(run)

    def _ask(self, record: r.AskSent) -> None:
        run = self.host_run(record.phase, record.host)
        run.ask(record)
        self.questions[record.host] += 1
        self.last_ticket = max(self.last_ticket, record.ticket)
        self.accounts.watch(run)

    def _take_answer(self, record: r.AskAnswered) -> None:
        run = self.host_run(record.phase, record.host)
        run.take_answer(record)
        self.accounts.watch(run)

    def _plan_retry(self, record: r.RetryPlanned) -> None:
        run = self.host_run(record.phase, record.host)
        run.plan_retry(record)
        if record.reason == "step":
            index = run.recipe.index_of[record.key]
            if run.recipe.steps[index].once:
                self.elections[self.scope_of(run, index)] = Election(run.host, run.steps[index])
        self.accounts.watch(run)

    def _settle_host(self, record: r.HostSettled) -> None:
        run = self.host_run(record.phase, record.host)
        run.settle(record)
        self._drop_unsent_elections(run)
        phase = self.phases[record.phase]
        phase.unsettled[run.batch] -= 1
        if record.outcome in (Outcome.OK, Outcome.CHANGED):
            phase.well[run.host] = None
        if record.release:
            run.release = record.release
        self.accounts.land(run)

    def _drop_unsent_elections(self, run: HostRun) -> None:
        """A step that runs once is free again when its host has it not begun."""
        index = run.next_step
        if index >= len(run.steps) or not run.recipe.steps[index].once:
            return
        place = self.scope_of(run, index)
        election = self.elections.get(place)
        if election and election.host == run.host and run.steps[index] is StepState.TODO:
            del self.elections[place]

    def _ask_gate(self, record: r.GateAsked) -> None:
        self._turn_gate(record.phase, record.batch, record.key, GateEvent.ASK)

    def _settle_gate(self, record: r.GateSettled) -> None:
        event = GateEvent.PASS if record.passed else GateEvent.REFUSE
        self._turn_gate(record.phase, record.batch, record.key, event)

    def _turn_gate(self, phase: str, batch: int, key: str, event: GateEvent) -> None:
        gates = self.phases[phase].gates
        gates[batch, key] = GATE.advance(gates.get((batch, key), GATE.initial), event)

    def _ask_person(self, record: r.QuestionAsked) -> None:
        self.asked[record.key] = record
        self.answered.pop(record.key, None)

    def _tick(self, record: r.BoxTicked) -> None:
        self.boxes.setdefault(record.key, set()).add(record.box)

    def _take_choice(self, record: r.QuestionAnswered) -> None:
        if self.asked.pop(record.key, None) is None:
            raise IllegalTransition(f"nobody was asked {record.key}")
        self.answered[record.key] = record

    def _stop(self, record: r.StopOrdered) -> None:
        self.leg = LEG.advance(self.leg, LegEvent.STOP)
        self.asked.clear()
        self.stop = record

    def _note(self, record: r.WordTaken | r.ViewDropped) -> None:
        """What changes nothing about the run."""

    def _end(self, record: r.RunEnded) -> None:
        self.leg = LEG.advance(self.leg, LegEvent.END)
        self.ended = record

    _APPLY: ClassVar[dict[type, Callable[[RunState, Any], None]]] = {
        r.RunOpened: _open,
        r.RunResumed: _resume,
        r.PhaseBegan: _begin_phase,
        r.PhaseEnded: _end_phase,
        r.BatchBegan: _begin_batch,
        r.BatchEnded: _end_batch,
        r.FoundDown: _find_down,
        r.HostBegan: _begin_host,
        r.SegmentSent: _send,
        **itemrecords.APPLY,
        r.StepSettled: _settle_step,
        r.OrderLost: _lose_order,
        r.AskSent: _ask,
        r.AskAnswered: _take_answer,
        r.RetryPlanned: _plan_retry,
        r.HostSettled: _settle_host,
        r.GateAsked: _ask_gate,
        r.GateSettled: _settle_gate,
        r.WordTaken: _note,
        r.ViewDropped: _note,
        r.QuestionAsked: _ask_person,
        r.BoxTicked: _tick,
        r.QuestionAnswered: _take_choice,
        r.StopOrdered: _stop,
        r.RunEnded: _end,
        r.RestoreBegan: _begin_restore,
        r.RollbackOrdered: _order_rollback,
        r.HostReopened: _reopen_host,
    }


def rebuild(plan: Plan, records: Iterable[r.Record]) -> RunState:
    """The state after these records."""
    state = RunState(plan)
    for record in records:
        state.apply(record)
    return state
