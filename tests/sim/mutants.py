"""The product with one guard taken out: each must be caught by some scenario."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, nullcontext
from typing import Any, NamedTuple

from msgspec.structs import replace

from fleetctl.base.errors import ExitCode
from fleetctl.base.outcome import Outcome
from fleetctl.plan.model import PlanPhase
from fleetctl.rollout import (
    accounts,
    advance,
    asking,
    budget,
    ends,
    gatekeeping,
    hosts,
    items,
    limits,
    manual,
    mending,
    pacing,
    phaserun,
    questions,
    reducer,
    results,
    returning,
    segments,
)
from fleetctl.rollout.duties import Duties
from fleetctl.rollout.hostrun import HostRun
from fleetctl.rollout.itemsrun import ItemsRun
from fleetctl.rollout.loop import Driver
from fleetctl.rollout.messages import Outgoing
from fleetctl.rollout.records import QuestionAnswered, Record
from fleetctl.rollout.settling import settle
from fleetctl.rollout.stages import Recipe, read_recipe
from fleetctl.rollout.state import RunState
from fleetctl.rollout.tables import ItemState
from fleetctl.transport.protocol import StepResult
from fleetctl.transport.simhost import SimHost
from tests.sim import controller


class Mutant(NamedTuple):
    """One guard taken out."""

    name: str
    promise: str
    """What the objection begins with."""
    place: Any
    attribute: str
    instead: Any
    also: Any = None
    """Another of these: the guard that does its work where both stand."""


@contextmanager
def alive(mutant: Mutant) -> Iterator[None]:
    """The product is the mutant meanwhile."""
    whole = getattr(mutant.place, mutant.attribute)
    setattr(mutant.place, mutant.attribute, mutant.instead)
    try:
        with alive(mutant.also) if mutant.also else nullcontext():
            yield
    finally:
        setattr(mutant.place, mutant.attribute, whole)


def _without_barriers(phase: PlanPhase) -> Recipe:
    recipe = read_recipe(phase)
    stages = tuple(replace(stage, barrier=False) for stage in recipe.stages)
    return replace(recipe, stages=stages)


def _send_first(
    self: Driver, records: list[Record], orders: Sequence[Outgoing], now_s: float
) -> None:
    for order in orders:
        self._submit(order, now_s)
    _carry_out(self, records, [], now_s)


def _believe_absent(desk: Any, run: HostRun, event: Any, errand: Any) -> None:
    """Whatever the host says: it never began."""
    results = tuple(StepResult(result.key, "absent") for result in event.results)
    _take_answer(desk, run, type(event)(event.ticket, event.host, event.boot, results), errand)


def _obey_anybody(self: SimHost, ticket: int, run: str, fence: int) -> None:
    self.fence, self.holder = fence, run


def _resend_on_loss(desk: Any, run: HostRun) -> None:
    """Do not ask: take what was lost for never begun, and send it again."""
    run._forget_open()
    run.state = type(run.state).READY
    hosts.proceed(desk, run)


def _forget_window(self: Driver) -> list[Any]:
    self._until_s = 0.0
    return []


def _pass_unasked(desk: Any, work: Any, run: HostRun) -> bool:
    manual.end(desk, run, QuestionAnswered("", "done", "nobody"))
    return True


def _forget_round(self: ItemsRun) -> None:
    """Whatever has no end is a new try, which its host begins whatever it knows."""
    for item in self.in_round:
        if self.states[item] is ItemState.SENT:
            self.tries[item] = self.try_of(item) + 1
    _leave_round(self)


_carry_out = Driver._carry_out
_in_use = accounts._in_use
_leave_round = ItemsRun.leave_round
_take_answer = asking.take_answer

MUTANTS = (
    Mutant("the budget is not asked", "1:", budget, "overspent", lambda *a: ""),
    Mutant("hosts in doubt are not counted", "1:", budget, "at_risk", lambda *a: False),
    Mutant("gates are not asked", "1:", gatekeeping, "pass_gates", lambda *a: True),
    Mutant("a shut gate does not stop the run", "liveness", gatekeeping, "stop", lambda *a: None),
    Mutant("a person is not heard", "1:", reducer, "stop", lambda *a: None),
    Mutant("a spent budget does not stop, nor is asked", "1:", advance, "_overspent",
           lambda *a: ""),
    Mutant("the limit is not kept", "2:", pacing, "_most_in_flight", lambda *a: 10**6),
    Mutant("the floor is not kept", "2:", pacing, "guard_allows", lambda *a: True),
    Mutant("pairs go together", "2:", pacing, "_pass_over_pairs", lambda *a: None),
    Mutant("lost pairs and hosts are gone on with", "2:", pacing, "reason_to_skip",
           lambda *a: None),
    Mutant("barriers do not hold", "2:", phaserun, "read_recipe", _without_barriers),
    Mutant("orders go out before their records", "3:", Driver, "_carry_out", _send_first),
    Mutant("what was lost is sent again unasked", "3:", asking, "ask", _resend_on_loss),
    Mutant("answers are not believed", "3:", asking, "take_answer", _believe_absent),
    Mutant("what was cut off is repeated", "3:", asking, "may_run_again", lambda *a: True),
    Mutant("steps that run once run everywhere", "3:", hosts, "_enter_once",
           lambda desk, work, run: segments.send_stage(
               desk, run, run.recipe.stages[hosts.stage_at(run)])),
    Mutant("hosts obey anybody", "4:", SimHost, "refuses", _obey_anybody),
    Mutant("a resume takes no newer fence", "4:", controller, "next_fence",
           lambda journal, state, clock: state.fence),
    Mutant("a resume forgets what questions did to the fence", "4:", controller, "next_fence",
           lambda journal, state, clock: journal.take_fence(clock.wall_s())),
    Mutant("a question raises no fence", "", RunState, "fence_for",
           lambda self, host: self.fence),
    Mutant("a failure forgets what came before it", "3:", HostRun, "_forget_open_after",
           lambda self, index: self._forget_open()),
    Mutant("who was not begun is left out of the account", "5:", advance, "_skip_rest",
           lambda *a, **k: None),
    Mutant("a run that ended ended well", "5:", advance, "ending",
           lambda desk: (ExitCode.OK, "")),
    Mutant("unknown and failed are as good as done", "5:", advance, "exit_code_of",
           lambda seen: ExitCode.OK),
    Mutant("what a host runs matters neither when read nor at its end", "5:", hosts, "_finish",
           lambda desk, run: settle(desk, run, Outcome.CHANGED),
           Mutant("", "", results, "_read_release", lambda *a: (Outcome.OK, ""))),
    Mutant("the budget for items is not asked", "1:", budget, "items_overspent", lambda *a: ""),
    Mutant("a round may lose as many items as it likes", "1:", budget, "items_left",
           lambda *a: 10**7),
    Mutant("an item cut off is begun again", "3:", items, "_may_run_again", lambda *a: True),
    Mutant("items of a round without an end are sent as new tries", "3:", ItemsRun,
           "leave_round", _forget_round),
    Mutant("hosts keep no record of items", "3:", SimHost, "item_record", lambda *a: None),
    Mutant("lost items are as good as done", "5:", advance, "lost_items", lambda *a: []),
    Mutant("the window does not end", "1:", Driver, "_window_ends", _forget_window),
    Mutant("a named limit is exceeded", "2:", limits, "fits", lambda *a: True),
    Mutant("what is in doubt uses nothing", "2:", accounts, "_in_use",
           lambda run: Counter() if run.doubtful else _in_use(run)),
    Mutant("manual steps need nobody", "1:", manual, "enter", _pass_unasked),
    Mutant("boxes are not looked at", "1:", questions, "open_boxes", lambda *a: []),
    Mutant("a person is asked again for what was done", "3:", manual, "answer_of",
           lambda *a: None),
    Mutant("a connection shut out is kept", "7:", ends, "_hang_up_shut_out", lambda *a: None),
    Mutant("earlier phases are passed over after a resume", "2:", advance, "is_ahead",
           lambda desk: False,
           Mutant("", "", reducer, "is_ahead", lambda desk: False)),
    Mutant("hosts are not put back", "10: left stopped", returning, "send_back",
           lambda *a, **k: False),
    Mutant("what stays stopped is not told", "10: stays stopped", returning, "owed_words",
           lambda *a: ""),
    Mutant("a resume forgets what is owed", "10:", mending, "begin", lambda desk: None),
    Mutant("others begin before hosts are put back", "10: begun before", mending, "goes_on",
           lambda desk: False),
    Mutant("a step that failed had no effect", "10: stays stopped", Duties, "act_ended",
           lambda self, index, outcome: None if outcome.lost else self.owe(index)),
    Mutant("what a later step did is done once more", "10: put back though", returning, "WELL",
           frozenset()),
    Mutant("undoing what started it ends nothing", "10:", HostRun, "owed",
           property(lambda self: [])),
    Mutant("a step put back is taken for done", "", HostRun, "_take_restored", lambda self: None),
)  # fmt: skip

CATCHERS = {
    "clock-set-back-before-a-resume": (
        "hosts obey anybody",
        "a resume forgets what questions did to the fence",
        "a connection shut out is kept",
    ),
    "earlier-phase-overtaken-16": (
        "the limit is not kept",
        "earlier phases are passed over after a resume",
    ),
    "failed-with-an-effect": (
        "gates are not asked",
        "hosts are not put back",
        "a step that failed had no effect",
    ),
    "failure-told-after-an-absence": (
        "a spent budget does not stop, nor is asked",
        "lost pairs and hosts are gone on with",
        "what was cut off is repeated",
        "unknown and failed are as good as done",
    ),
    "failure-told-before-a-success": ("a failure forgets what came before it",),
    "item-that-may-not-run-again": (
        "hosts in doubt are not counted",
        "pairs go together",
        "an item cut off is begun again",
    ),
    "killed-behind-an-older-run": (
        "a shut gate does not stop the run",
        "a person is not heard",
        "a resume forgets what is owed",
        "others begin before hosts are put back",
        "what a later step did is done once more",
        "a step put back is taken for done",
    ),
    "late-first-order-1647": ("a question raises no fence",),
    "put-back-before-others-begin": (
        "what stays stopped is not told",
        "undoing what started it ends nothing",
    ),
    "rebooted-before-a-round": (
        "what a host runs matters neither when read nor at its end",
        "a named limit is exceeded",
    ),
    "seed-10742": (
        "items of a round without an end are sent as new tries",
        "hosts keep no record of items",
        "lost items are as good as done",
    ),
    "seed-37": ("the budget for items is not asked",),
    "seed-5033": ("what is in doubt uses nothing",),
    "window-that-ends": ("the window does not end",),
}
"""Scenario -> the mutants it is known to catch: played first, it spares the others."""


def catcher_of(mutant: Mutant) -> str:
    """The scenario that likely catches it; empty where that is not known."""
    return next((name for name, caught in CATCHERS.items() if mutant.name in caught), "")
