"""Reads every record as it becomes durable, and objects to what must never happen."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from fleetctl.base.outcome import Outcome
from fleetctl.plan.model import Plan, PlanStep
from fleetctl.playbook.operations import Approval, Foreach, Manual
from fleetctl.rollout import records as r
from tests.sim.books import WELL, HostBook, PhaseBook, demand, way_of
from tests.sim.items import ItemRules
from tests.sim.ledger import Ledger
from tests.sim.restores import RestoreRules
from tests.sim.starts import check_after_start, check_before_start, check_limits
from tests.sim.sums import Sums


class Referee:
    """The books of one run. `take` raises Violation; nothing here is shared with the product."""

    def __init__(self, run: str, plan: Plan, ledger: Ledger) -> None:
        self.run = run
        self.plan = plan
        self.ledger = ledger
        self.phases = {phase.name: PhaseBook(phase) for phase in plan.phases}
        self.steps: dict[str, PlanStep] = {s.key: s for p in plan.phases for s in p.steps}
        self.seen = 0
        """Records taken in."""
        self.stop: r.StopOrdered | None = None
        self.ended: r.RunEnded | None = None
        self.gate_shut = ""
        self.asked: dict[str, r.QuestionAsked] = {}
        self.chosen: dict[str, tuple[r.QuestionAsked, r.QuestionAnswered]] = {}
        self.ticked: dict[str, set[int]] = {}
        self.until_s = 0.0
        """The end of the window, by the clock on the wall; 0: there is none."""
        self.turned_wall_s = self.turned_s = 0.0
        """When the turn began whose records are taken in."""
        self.next_use_s: dict[tuple[int, str], float] = {}
        """(leg, named limit) -> when the next step may begin that uses it."""
        self.on_question: Callable[[r.QuestionAsked], None] = lambda question: None
        """Told of each question, so that somebody may answer it."""
        self.sums = Sums(plan, self.phases)
        self.legs = 0
        self.restores = RestoreRules(self)
        self.items = ItemRules(self)
        self._takers: dict[type, Callable[[Any], None]] = {
            r.RunOpened: self._open, r.RunResumed: self._resume, r.HostBegan: self._begin,
            r.SegmentSent: self._send, r.AskSent: self._ask, r.StepSettled: self._settle_step,
            r.OrderLost: self._lose, r.AskAnswered: self._answer, r.RetryPlanned: self._retry,
            r.HostSettled: self._settle, r.FoundDown: self._find_down,
            r.RollbackOrdered: self.restores.order, r.RestoreBegan: self.restores.begin,
            r.HostReopened: self._go_on,
            r.GateSettled: self._gate, r.QuestionAsked: self._ask_person,
            r.QuestionAnswered: self._choose, r.BoxTicked: self._tick,
            **self.items.takers, r.PhaseEnded: self._end_phase,
             r.StopOrdered: self._stop, r.RunEnded: self._end,
        }  # fmt: skip

    def take(self, record: r.Record) -> None:
        """The next durable record."""
        self.seen += 1
        demand(self.ended is None or isinstance(record, r.RunResumed), "nothing after the end",
               record)  # fmt: skip
        taker = self._takers.get(type(record))
        if taker is not None:
            taker(record)

    def book(self, phase: str, host: str) -> HostBook:
        return self.phases[phase].hosts[host]

    # ---- legs

    def _open(self, record: r.RunOpened) -> None:
        self.legs = 1

    def _resume(self, record: r.RunResumed) -> None:
        self.legs += 1
        self.items.resume(only_failed=record.only_failed)
        self.stop, self.ended, self.gate_shut = None, None, ""
        self.sums.set_down(set())
        for phase in self.phases.values():
            for book in phase.hosts.values():
                book.tried, book.troubled = book.in_flight, book.in_flight and book.troubled
                if book.in_flight:
                    book.retrying, book.lost = False, bool(book.open)
                    book.mending |= book.way == ".restore" and not book.fault
                elif book.owes or book.recalled:
                    continue
                elif book.outcome is not None and (
                    _taken_up(book, record.only_failed)
                    or (record.only_failed and self.items.lost_on(book))
                ):
                    self._reopen(phase, book)

    def _reopen(self, phase: PhaseBook, book: HostBook) -> None:
        self.sums.count(phase, book, -1)
        book.outcome, book.halted = None, False
        self._begin_anew(phase, book)
        self.items.take_up(book)

    def _go_on(self, record: r.HostReopened) -> None:
        phase, book = self.phases[record.phase], self.book(record.phase, record.host)
        self.restores.end(book)
        book.in_flight = book.mending = False
        phase.flying.pop(book.host, None)
        self.sums.note_out(book.host)
        self._begin_anew(phase, book)
        self.items.take_up(book)

    def _begin_anew(self, phase: PhaseBook, book: HostBook) -> None:
        if not {step.key for step in phase.plan.steps} <= book.well:
            for key in book.restored:
                book.well.discard(key)
                book.told.pop(key, None)
            book.restored.clear()
        book.reask([key for key, outcome in book.told.items() if outcome is Outcome.UNKNOWN])
        self.items.reask(book)
        book.fault = book.fault and book.way == ".undo"

    def _stop(self, record: r.StopOrdered) -> None:
        itself = record.reason == "fence" and f"obeys {self.run} " in record.cause
        demand(not itself, "4: fenced off by its own older orders", record)
        self.stop = record

    def _end(self, record: r.RunEnded) -> None:
        self.ended = record
        outcomes = []
        for phase in self.phases.values():
            for book in phase.hosts.values():
                demand(book.outcome is not None, "5: ended, and a host has no outcome", book)
                outcomes.append(book.outcome)
        if record.exit_code == 0:
            undone = [n for n, p in self.phases.items() if not (p.plan.batches or p.passed)]
            demand(not undone, "5: success told, and nobody did", undone)
            bad = [o for o in outcomes if o not in (Outcome.OK, Outcome.CHANGED)]
            demand(not bad, "5: success told, but", bad)
        self.items.check_exit(record.exit_code)
        self.ledger.compare(self)
        self.restores.check_end()

    # ---- promises 1 and 2: who may begin

    def _begin(self, record: r.HostBegan) -> None:
        phase = self.phases[record.phase]
        book = phase.hosts[record.host]
        demand(self.stop is None, "1: begun after a stop", record, self.stop)
        demand(not self.gate_shut, "1: begun after a gate refused", record, self.gate_shut)
        late = self.until_s and self.turned_wall_s >= self.until_s
        demand(not late, "1: begun after the window", record, self.until_s)
        demand(book.outcome is None and not book.in_flight, "3: begun twice", record)
        self.restores.check_start(record)
        check_before_start(self, phase, book)
        book.in_flight = book.tried = True
        phase.flying[book.host] = book
        self.sums.note_out(book.host)
        check_after_start(self, phase, book)

    def _find_down(self, record: r.FoundDown) -> None:
        self.sums.set_down(set(record.hosts))

    def _gate(self, record: r.GateSettled) -> None:
        phase = self.phases[record.phase]
        phase.gates[record.batch, record.key] = record.passed
        if not record.passed:
            self.gate_shut = record.key
        gate = next(g for g in phase.plan.gates if g.key == record.key)
        if isinstance(gate.probe, Approval) and record.passed:
            meant = record.by != "" or gate.probe.default == "approve"
            demand(meant, "1: an approval by nobody", record)

    def _end_phase(self, record: r.PhaseEnded) -> None:
        phase = self.phases[record.phase]
        phase.passed = record.passed
        if record.passed and not phase.plan.batches:
            shut = [g.key for g in phase.plan.gates if not phase.gates.get((-1, g.key))]
            demand(not shut, "1: passed, and nobody did", shut)

    def _ask_person(self, record: r.QuestionAsked) -> None:
        again = self.chosen.get(record.key)
        demand(
            record.about != "manual" or again is None or again[1].choice == "failed",
            "3: a person is asked again for what was done", record,
        )  # fmt: skip
        demand(self.stop is None, "1: a person is asked after a stop", record)
        self.asked[record.key] = record
        self.on_question(record)

    def _choose(self, record: r.QuestionAnswered) -> None:
        asked = self.asked.pop(record.key)
        demand(record.choice in asked.choices, "1: no choice of the question", record)
        boxes = self.ticked.get(record.key, set())
        left = len(asked.boxes) - len(boxes)
        demand(record.choice != "done" or not left, "1: done with open boxes", record, left)
        self.chosen[record.key] = (asked, record)
        demand(bool(record.by) or record.choice == asked.default, "1: not the default", record)

    def _tick(self, record: r.BoxTicked) -> None:
        self.ticked.setdefault(record.key, set()).add(record.box)

    def _check_manual(self, book: HostBook, record: r.StepSettled) -> None:
        """What a person does ends as a person said, of this host or of all it was asked for."""
        choice = {Outcome.OK: "done", Outcome.SKIPPED: "skipped"}.get(record.outcome, "failed")
        said = [
            answered
            for asked, answered in self.chosen.values()
            if asked.key.partition("/")[0] == record.key and asked.host in ("", book.host)
        ]
        told = any(answered.choice == choice for answered in said)
        demand(told, "1: a manual step ends as nobody said", record, said)

    # ---- promise 3: what is sent

    def _send(self, record: r.SegmentSent) -> None:
        phase = self.phases[record.phase]
        book = phase.hosts[record.host]
        demand(book.in_flight, "2: sent to a host not in flight", record)
        demand(not book.open, "3: sent while an effect is not known", record, book.open)
        suffix = way_of(record)
        if record.restore:
            self.restores.send(phase, book, record)
        elif not record.undo:
            demand(self.stop is None, "1: sent after a stop", record, self.stop)
            demand(not book.mending, "10: gone on with before it is put back", record)
            twice = [key for key in record.keys if key in book.well]
            demand(not twice, "3: sent although it succeeded", record, twice)
            self._check_barrier(phase, book, phase.index_of[record.keys[0]])
        book.way, book.retrying, book.order = suffix, False, record.keys
        for key in record.keys:
            book.open[key + suffix] = record.ticket
            book.sent[key + suffix] = record.ticket
        self.ledger.announce(self.run, record)
        if not (record.undo or record.restore):
            check_limits(self, record)

    def _check_barrier(self, phase: PhaseBook, book: HostBook, first: int) -> None:
        barrier = phase.barrier_before(first)
        if barrier >= 0 and book.entered <= barrier:
            keys = {step.key for step in phase.plan.steps[: barrier + 1]}
            flying = [
                b for b in phase.flying.values() if not b.way
            ]  # who goes back is not expected
            behind = [b.host for b in flying if not keys <= b.well]
            demand(not behind, "2: past a barrier with hosts behind it", book.host, behind)
        book.entered = max(book.entered, first)

    def _ask(self, record: r.AskSent) -> None:
        book = self.book(record.phase, record.host)
        demand(book.in_flight, "2: asked a host not in flight", record)
        demand(bool(book.open), "3: asked about nothing", record)
        book.asked = book.lost = True
        self.ledger.announce(self.run, record)

    def _lose(self, record: r.OrderLost) -> None:
        book = self.book(record.phase, record.host)
        book.troubled = True
        if book.asked or record.sent:
            book.lost, book.asked = True, False
            return
        self.ledger.must_be_untouched(self, book, "an order told not to be sent")
        book.open.clear()
        book.retrying = True

    def _answer(self, record: r.AskAnswered) -> None:
        book = self.book(record.phase, record.host)
        suffix = book.way
        for key in record.absent:
            self.ledger.must_be_absent(self.run, book, key + suffix)
        book.cut_off.update(record.again)
        for key in (*record.absent, *record.again):
            del book.open[key + suffix]
        book.close_if_told()

    def _retry(self, record: r.RetryPlanned) -> None:
        book = self.book(record.phase, record.host)
        if record.reason == "ask":
            return
        book.retrying = True
        if record.reason == "step":
            book.fault = False
            book.told.pop(record.key, None)

    def _settle_step(self, record: r.StepSettled) -> None:
        book = self.book(record.phase, record.host)
        key = record.key + way_of(record)
        if isinstance(self.steps[record.key].operation, Manual):
            self._check_manual(book, record)
        if isinstance(self.steps[record.key].operation, Foreach):
            self.items.check_end(record, was_open=key in book.open)
        if key in book.open:
            self.ledger.check_truth(self, book, key, record)
            del book.open[key]
            if record.outcome in (Outcome.FAILED, Outcome.TIMED_OUT):
                self._forget_after(book, record)
        book.told[key] = record.outcome
        book.troubled |= record.cause == "no answer after it was told to stop"
        if record.restore:
            self.restores.settle_step(book, record)
        elif record.undo:
            if record.outcome is not Outcome.UNKNOWN:  # undone, or half undone: it may run anew
                book.well.discard(record.key)
                book.told.pop(record.key, None)
        elif record.outcome in WELL:
            book.well.add(key)
        else:
            book.fault = True
        book.close_if_told()

    def _forget_after(self, book: HostBook, failed: r.StepSettled) -> None:
        """An order ends at its first failure: what comes after it was not begun."""
        at = book.order.index(failed.key)
        for key in list(book.open):
            if book.order.index(key.partition(".")[0]) > at:
                self.ledger.must_be_absent(self.run, book, key)
                del book.open[key]

    def _settle(self, record: r.HostSettled) -> None:
        phase = self.phases[record.phase]
        book = phase.hosts[record.host]
        demand(book.outcome is None, "5: settled twice", record)
        demand("refused (runner)" not in record.cause, "7: shut out by our own connection", record)
        self.restores.settle(book, record)
        book.in_flight = book.retrying = book.mending = False
        phase.flying.pop(book.host, None)
        book.outcome, book.halted = record.outcome, record.halted
        self.sums.count(phase, book, 1)
        if record.outcome in (Outcome.OK, Outcome.CHANGED):
            left = [step.key for step in phase.plan.steps if step.key not in book.well]
            demand(not left, "5: ended well without", record, left)
            if phase.plan.release:
                live = self.ledger.live_release(record.host)
                demand(record.release == phase.plan.release == live,
                       "5: ended well, but it runs", live, record)  # fmt: skip
        if not record.outcome.lost and record.outcome is not Outcome.SKIPPED:
            self.sums.down.discard(record.host)
        self.sums.note_out(record.host)


def _taken_up(book: HostBook, only_failed: bool) -> bool:
    assert book.outcome is not None
    if only_failed:
        return book.outcome.lost or (book.outcome is Outcome.SKIPPED and not book.halted)
    return book.halted
