"""One host in one phase: which of its steps have which end. Changed by records only."""

from __future__ import annotations

from collections.abc import Mapping

from fleetctl.base.outcome import Outcome
from fleetctl.rollout import ways
from fleetctl.rollout.duties import Duties, DutyState
from fleetctl.rollout.itemsrun import ItemsRun
from fleetctl.rollout.records import (
    AskAnswered,
    AskSent,
    HostBegan,
    HostSettled,
    OrderLost,
    RetryPlanned,
    RoundEnded,
    SegmentSent,
    StepSettled,
)
from fleetctl.rollout.stages import Recipe
from fleetctl.rollout.tables import (
    HOST,
    STEP,
    WELL,
    HostEvent,
    HostState,
    StepEvent,
    StepState,
)
from fleetctl.rollout.ways import FIRST_TRY, Fault, Mending, Tries, Way


class HostRun:
    """What the journal says about one host in one phase."""

    __slots__ = (
        "attempt", "batch", "changed", "duties", "failed", "fault", "host", "items", "last",
        "lost_before", "mending", "next_step", "open_steps", "order", "outcome", "phase", "recall",
        "recipe", "release", "retrying", "state", "steps", "told", "tries", "undone_with", "way",
    )  # fmt: skip

    def __init__(self, phase: str, host: str, batch: int, recipe: Recipe) -> None:
        self.phase = phase
        self.host = host
        self.batch = batch
        self.recipe = recipe
        self.state = HOST.initial
        self.attempt = 0
        self.steps = [STEP.initial] * len(recipe.steps)
        self.next_step = 0
        self.open_steps: list[int] = []
        self.order: list[int] = []
        """The steps of the last order, in its order."""
        self.failed: set[int] = set()
        """Steps of it that had failed before their undo was sent."""
        self.way: Way = "on"
        """Of the order that is out, or was last."""
        self.duties = Duties()
        self.mending: Mending | None = None
        self.recall = ""
        """Why it is rolled back with its batch; empty when it is not."""
        self.undone_with: str | None = None
        """None: no undo was tried; else why it did not succeed, empty when it did."""
        self.tries: dict[int, Tries] = {}
        self.items: dict[int, ItemsRun] = {}
        """Foreach step -> what the host listed for it."""
        self.told: dict[int, str] = {}
        """Step -> what a person says became of it, for when the host does not know."""
        self.fault: Fault | None = None
        self.retrying = False
        self.outcome: Outcome | None = None
        self.last: HostSettled | None = None
        """How it was settled; None while it is not."""
        self.lost_before = False
        """Reopened after it was lost."""
        self.release = ""
        self.changed = False

    @property
    def settled_cause(self) -> str:
        return self.last.cause if self.last else ""

    @property
    def halted(self) -> bool:
        return self.last is not None and self.last.halted

    @property
    def owed(self) -> list[int]:
        """Steps whose restore is still to come, last first."""
        covers = self.recipe.restores
        return [
            index
            for index in self.duties.owed()
            if covers[index] < 0 or self.steps[covers[index]] not in WELL
        ]

    @property
    def in_flight(self) -> bool:
        return self.state in ways.IN_FLIGHT

    @property
    def doubtful(self) -> bool:
        """In flight, and likely to be lost: it counts against the budget while that is so."""
        if self.state in (HostState.DOUBT, HostState.ASKED):
            return True
        return self.in_flight and (self.fault is not None or self.retrying or bool(self.recall))

    @property
    def begun_steps(self) -> bool:
        """Whether anything at all was done on the host in this phase."""
        return any(state is not StepState.TODO for state in self.steps)

    def tries_of(self, index: int) -> Tries:
        return self.tries.get(index, FIRST_TRY)

    # ---- records

    def begin(self, record: HostBegan) -> None:
        event = HostEvent.BEGIN_IN_DOUBT if self.open_steps else HostEvent.BEGIN
        self.state = HOST.advance(self.state, event)
        self.attempt = record.attempt

    def send(self, record: SegmentSent) -> None:
        self.state = HOST.advance(self.state, HostEvent.SEND)
        self.retrying = False
        self.open_steps = [self.recipe.index_of[key] for key in record.keys]
        self.order = list(self.open_steps)
        self.failed = {n for n in self.order if self.steps[n] is StepState.FAILED}
        self.way = "restore" if record.restore else "undo" if record.undo else "on"
        if record.restore:
            for index in self.open_steps:
                self.duties.send(index)
            return
        event = StepEvent.UNDO if record.undo else StepEvent.SEND
        for index in self.open_steps:
            self.steps[index] = STEP.advance(self.steps[index], event)

    def settle_step(self, record: StepSettled) -> None:
        index = self.recipe.index_of[record.key]
        if index not in self.open_steps:
            self._settle_unsent(index, record)
            return
        self.open_steps.remove(index)
        if record.restore:
            self._settle_restore(index, record)
            return
        self.steps[index] = STEP.advance(self.steps[index], ways.STEP_EVENTS[record.outcome])
        self.told.pop(index, None)
        if record.outcome is not Outcome.UNKNOWN:
            self._leave_round(index)
        if record.outcome in (Outcome.FAILED, Outcome.TIMED_OUT):
            self._forget_open_after(index)
        if record.undo:
            self._settle_undo(index, record)
        elif index in self.recipe.restores:
            self.duties.act_ended(index, record.outcome)
        if record.outcome.lost:
            self.fault = self.fault or Fault(record.outcome, record.key, record.cause)
        elif not record.undo:
            self.changed = self.changed or record.outcome is Outcome.CHANGED
            self._move_on()
        self._close_if_told()

    def _settle_restore(self, index: int, record: StepSettled) -> None:
        self.duties.settle(index, record.outcome, record.cause)
        if record.outcome.lost:
            cause = self.duties.causes[index]
            self.fault = self.fault or Fault(record.outcome, record.key, cause, restore=True)
        if record.outcome in (Outcome.FAILED, Outcome.TIMED_OUT):
            self._forget_open_after(index)
        self._close_if_told()

    def _settle_undo(self, index: int, record: StepSettled) -> None:
        if not record.outcome.lost and self.recipe.restores.get(index) == index:
            self.duties.states.pop(index, None)  # the undo has put it back as well
        if record.outcome.lost or self.undone_with is None:
            self.undone_with = f"{record.key}: {record.cause}" if record.outcome.lost else ""

    def _settle_unsent(self, index: int, record: StepSettled) -> None:
        """A step of which nothing is sent: a pause, what ran elsewhere, what a person did."""
        if record.outcome.lost:
            self.steps[index] = STEP.advance(self.steps[index], StepEvent.FAIL)
            self.fault = Fault(record.outcome, record.key, record.cause)
            return
        self.steps[index] = STEP.advance(self.steps[index], StepEvent.PASS)
        self._move_on()

    def end_round(self, record: RoundEnded) -> None:
        index = self.recipe.index_of[record.key]
        self.open_steps.remove(index)
        self.steps[index] = STEP.advance(self.steps[index], StepEvent.ROUND)
        self._forgive(index)
        self.items[index].end_round(record)
        self._close_if_told()

    def lose_order(self, record: OrderLost) -> None:
        if self.state is HostState.ASKED or record.sent:
            self.state = HOST.advance(self.state, HostEvent.LOSE)
            return
        self._forget_open()
        self._close_if_told()
        self.retrying = True

    def ask(self, record: AskSent) -> None:
        self.state = HOST.advance(self.state, HostEvent.ASK)

    def take_answer(self, record: AskAnswered) -> None:
        for key in record.absent:
            self._absent(self.recipe.index_of[key])
        for key in record.again:
            self._again(self.recipe.index_of[key])
        self._close_if_told()

    def plan_retry(self, record: RetryPlanned) -> None:
        if record.reason == "ask":
            if self.state is HostState.ASKED:
                self.state = HOST.advance(self.state, HostEvent.LOSE)
            return
        self.retrying = True
        if record.reason == "step":
            index = self.recipe.index_of[record.key]
            self.steps[index] = STEP.advance(self.steps[index], StepEvent.RETRY)
            self.tries[index] = self.tries_of(index)._replace(try_no=record.try_no)
            self.fault = None

    def settle(self, record: HostSettled) -> None:
        self.state = HOST.advance(self.state, HostEvent.SETTLE)
        self.outcome = record.outcome
        self.last = record
        self.mending = None
        if not record.owes:
            self.recall = ""
        self.retrying = False

    def interrupt(self) -> None:
        """The controller died: what it had out is in doubt, what it had planned is forgotten."""
        self.retrying = False
        if self.state in (HostState.SENT, HostState.ASKED):
            self.state = HOST.advance(self.state, HostEvent.LOSE)

    def mend(self, *, goes_on: bool, told: str = "") -> None:
        """Take the settled host up for what it is owed: what is not known is asked for first."""
        assert self.last is not None
        self.mending = Mending(self.last, goes_on)
        self.lost_before = True
        self.outcome, self.last, self.fault, self.undone_with = None, None, None, None
        self.state = HOST.initial
        self.open_steps, self.way = self.duties.take_up(), "restore"
        if not self.open_steps:
            self._ask_about(told)
        event = HostEvent.BEGIN_IN_DOUBT if self.open_steps else HostEvent.BEGIN
        self.state = HOST.advance(self.state, event)

    def mend_in_flight(self) -> None:
        """It was being put back when the controller went: what was put back is to be done anew."""
        self.mending = ways.cut_short(self.phase, self.host)

    def _ask_about(self, told: str) -> None:
        """Open the steps whose end nobody knows; those put back begin anew, whatever it was."""
        undone = any(state in ways.UNDO_OPEN for state in self.steps)
        self.way = "undo" if undone else "on"
        self.told = {}
        for index, state in enumerate(self.steps):
            back = self.duties.states.get(index) is DutyState.RESTORED
            if state in (ways.UNDO_OPEN if undone else ways.ACT_OPEN) and not back:
                self._reask(index, state, told)

    def go_on(self) -> None:
        """What it was owed is done: it begins anew when its turn comes."""
        self.state = HOST.advance(self.state, HostEvent.REOPEN)
        self.mending = None
        self._begin_anew("")

    def reopen(self, told: str = "") -> None:
        """Begin a new leg: failed steps are tried anew, unknown ones are asked for first.

        `told`: what a person says of the unknown ones.

        A host whose undo is not known keeps its fault: it must come to the end of that first.
        """
        assert self.outcome is not None
        self.lost_before = self.outcome.lost
        self.state = HOST.initial
        self.outcome, self.last = None, None
        self._begin_anew(told)

    def take_items_up(self, told: Mapping[str, str]) -> None:
        """Lost items are tried again; `told`: item, or empty for all -> what a person says."""
        if self.way == "undo":
            return
        for index, items in self.items.items():
            items.take_up(told)
            if items.left and self.steps[index] in WELL:
                self.steps[index] = STEP.advance(self.steps[index], StepEvent.REOPEN)
                self._forgive(index)
                self.next_step = min(self.next_step, index)

    def _begin_anew(self, told: str) -> None:
        self.undone_with, self.next_step = None, 0
        self.way = "undo" if any(state in ways.UNDO_OPEN for state in self.steps) else "on"
        self.open_steps = []
        going_back = self.way == "undo"
        known = self.fault if going_back else None
        self.fault = known or (ways.rolled_back(self.recipe, self.steps) if going_back else None)
        self.told = {}
        self._take_restored()
        for index, state in enumerate(self.steps):
            self._reopen_step(index, state, told)
        self._move_on()

    # ---- inside

    def _take_restored(self) -> None:
        """Steps that were put back begin anew, unless all was done and nothing is to be redone."""
        if self.way == "undo" or all(state in WELL for state in self.steps):
            return
        for index in self.duties.give_up():
            self.steps[index] = STEP.initial
            self._forgive(index)

    def _reopen_step(self, index: int, state: StepState, told: str) -> None:
        if state in ways.UNDO_OPEN or (state in ways.ACT_OPEN and self.way == "on"):
            self._reask(index, state, told)
        elif self.way == "undo":
            return
        elif state is StepState.FAILED:
            self.steps[index] = STEP.advance(state, StepEvent.RETRY)
            self._forgive(index)
        elif state in (StepState.UNDONE, StepState.UNDO_FAILED):
            self.steps[index] = STEP.advance(state, StepEvent.REDO)
            self._forgive(index)

    def _reask(self, index: int, state: StepState, told: str) -> None:
        self.open_steps.append(index)
        if index in self.items:
            self.items[index].reask()
        if state in (StepState.SENT, StepState.UNDOING):
            return  # its run stopped again before it could be asked
        self.steps[index] = STEP.advance(state, StepEvent.REASK)
        if told:
            self.told[index] = told

    def _again(self, index: int) -> None:
        """It was begun, and is sent as a new try."""
        if self.way == "restore":
            self.duties.forget(index, again=True)
            self.open_steps.remove(index)
            return
        self._absent(index)
        before = self.tries_of(index)
        self.tries[index] = before._replace(try_no=before.try_no + 1)
        if index in self.recipe.restores and self.way == "on":
            self.duties.owe(index)

    def _forgive(self, index: int) -> None:
        made = self.tries_of(index).try_no
        self.tries[index] = Tries(made + 1, made)

    def _move_on(self) -> None:
        """Point at the first step that has not ended well."""
        at = self.next_step
        while at < len(self.steps) and self.steps[at] in WELL:
            at += 1
        self.next_step = at

    def _absent(self, index: int) -> None:
        self.open_steps.remove(index)
        if self.way == "restore":
            self.duties.forget(index)
            return
        self.told.pop(index, None)
        had_failed = self.way == "undo" and index in self.failed
        event = StepEvent.STILL_FAILED if had_failed else StepEvent.ABSENT
        self.steps[index] = STEP.advance(self.steps[index], event)
        if self.way == "on":
            self.duties.never_begun(index)
            self._leave_round(index)

    def _leave_round(self, index: int) -> None:
        if index in self.items:
            self.items[index].leave_round()

    def _forget_open_after(self, failed: int) -> None:
        """An order ends at its first failure; an end of what came before it may still be told."""
        place = {index: n for n, index in enumerate(self.order)}
        for index in list(self.open_steps):
            if place.get(index, index) > place.get(failed, failed):
                self._absent(index)

    def _forget_open(self) -> None:
        for index in list(self.open_steps):
            self._absent(index)

    def _close_if_told(self) -> None:
        if not self.open_steps:
            self.state = HOST.advance(self.state, HostEvent.CLOSE)
