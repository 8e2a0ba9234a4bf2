"""The reducer: what has happened in, what is recorded and ordered out. No I/O, no clock, no luck.

It handles the event, then moves the run on as far as it can without another event.
"""

from __future__ import annotations

from collections.abc import Iterable

from fleetctl.plan.model import Plan
from fleetctl.rollout import (
    answers,
    asking,
    ends,
    gatekeeping,
    hosts,
    limits,
    looking,
    mending,
    pacing,
    preflight,
)
from fleetctl.rollout.advance import advance, is_ahead
from fleetctl.rollout.controls import Command
from fleetctl.rollout.desk import Desk
from fleetctl.rollout.messages import (
    Continue,
    Decision,
    Incoming,
    ProbeAnswered,
    TimerFired,
    ViewLost,
)
from fleetctl.rollout.patience import Patience
from fleetctl.rollout.records import ViewDropped, WordTaken
from fleetctl.rollout.settling import stop
from fleetctl.rollout.state import RunState
from fleetctl.rollout.tables import HostState
from fleetctl.transport.protocol import (
    Answered,
    Killed,
    Looked,
    Lost,
    Refused,
    SegmentEnded,
    StepEnded,
)

_KILL = ("kill",)


class Reducer:
    """Decides for one run. The same events at the same times give the same decisions."""

    def __init__(self, plan: Plan, state: RunState, patience: Patience | None = None) -> None:
        self.state = state
        self._desk = Desk(plan, state, patience or Patience())

    @property
    def unheard(self) -> frozenset[str]:
        """Hosts that were asked before anything starts whether they are up, and have not said."""
        return frozenset(self._desk.preflight or ())

    def react(self, events: Iterable[Incoming], now_s: float) -> Decision:
        """Take in what has happened, in order. The records are applied to the state already."""
        desk = self._desk
        desk.now_s = now_s
        desk.records, desk.orders = [], []
        for event in events:
            if self.state.ended is not None:
                break
            _handle(desk, event)
        advance(desk)
        return Decision(desk.records, desk.orders)


def _handle(desk: Desk, event: Incoming) -> None:
    match event:
        case StepEnded():
            ends.end_step(desk, event)
        case SegmentEnded() | Answered() | Looked() | Lost() | Refused() | Killed():
            _end_order(desk, event)
        case TimerFired():
            _fire(desk, event)
        case ProbeAnswered():
            desk.close(event.ticket)
            gatekeeping.take_signal(desk, event)
        case Command():
            _obey(desk, event)
        case Continue():
            _continue(desk)
        case ViewLost():
            desk.record(ViewDropped(event.view, event.cause))
        case _:
            pass  # Connected, StepBegan, Said: for observers only


def _end_order(
    desk: Desk, event: SegmentEnded | Answered | Looked | Lost | Refused | Killed
) -> None:
    """A final event: whose order was it? Orders of which nothing is expected any more are over."""
    errand = desk.close(event.ticket)
    if errand is None:
        return
    run = errand.run
    match errand.kind, event:
        case "segment", SegmentEnded() if run is not None:
            ends.end_segment(desk, run, event)
        case "segment", Lost() if run is not None:
            ends.lose_segment(desk, run, event)
        case "segment", Refused() if run is not None:
            ends.refuse_segment(desk, run, event)
        case "ask", (Answered() | Lost() | Refused()) if run is not None:
            ends.end_ask(desk, run, event, errand)
        case "check", (Looked() | Lost()) if run is not None:
            looking.end_check(desk, run, event)
        case "gate", (Looked() | Lost()):
            gatekeeping.take_signal(desk, event)
        case "preflight", (Looked() | Lost()):
            preflight.take_signal(desk, errand.host, event)
        case "kill", _ if run is not None and run.host in desk.held:
            desk.held.remove(run.host)
            hosts.proceed(desk, run)
        case _:
            pass  # a kill's answer: the step's own order tells how it ended


def _fire(desk: Desk, timer: TimerFired) -> None:
    if desk.timers.get(timer.key) != timer.number:
        return
    del desk.timers[timer.key]
    match timer.key:
        case ("gate",):
            gatekeeping.tick(desk)
        case preflight.TIMER:
            preflight.tick(desk)
        case ("question", key):
            answers.expire(desk, key)
        case ("kill",):
            _give_all_up(desk)
        case (word, phase, host):
            _fire_for_host(desk, word, phase, host)
        case _:
            pass  # the throttle: advancing is all it is for


def _fire_for_host(desk: Desk, word: str, phase: str, host: str) -> None:
    run = desk.state.host_run(phase, host)
    if word == "pause":
        hosts.end_pause(desk, run)
    elif word == "ask" and run.state is HostState.DOUBT:
        asking.ask(desk, run)
    elif word == "retry":
        hosts.proceed(desk, run)


def _obey(desk: Desk, command: Command) -> None:
    """A person's word; each is recorded before it is obeyed."""
    if command.word == "answer" or command.word == "approve" or command.word == "refuse":
        answers.take(desk, command)
    elif command.word == "halt":
        stop(desk, "journal", f"the journal cannot be written: {command.means}")
    elif command.word == "close":
        stop(desk, "window", command.means)
    elif command.word == "lost":
        stop(desk, "fence", command.means, command.by)
    else:
        desk.record(WordTaken(command.word, command.by, command.means))
        _stop(desk, command)


def _stop(desk: Desk, command: Command) -> None:
    by = command.by + (f" ({command.means})" if command.means else "")
    if command.word == "kill":
        already = desk.state.stop is not None and desk.state.stop.reason == "kill"
        stop(desk, "kill", f"stopped by {by}", command.by)
        if not already:
            _kill_all(desk)
    elif command.word == "abort":
        stop(desk, "abort", f"aborted by {by}", command.by)
    elif command.word == "drain":
        stop(desk, "drain", f"drained by {by}", command.by)


def _kill_all(desk: Desk) -> None:
    """Stop the step running on every host that has an order out."""
    for run in list(desk.state.accounts.in_flight.values()):
        if run.open_steps and run.way != "restore":
            asking.send_kill(desk, run)
    desk.set_timer(_KILL, desk.patience.kill_wait_s)


def _give_all_up(desk: Desk) -> None:
    """What has not answered so long after a kill is unknown."""
    for run in list(desk.state.accounts.in_flight.values()):
        if run.open_steps and run.way != "restore":
            asking.give_up(desk, run, "no answer after it was told to stop")
            hosts.proceed(desk, run)


def _continue(desk: Desk) -> None:
    """Begin, or take up what a controller before this one had in flight; then look around."""
    limits.take_up(desk)
    flying = [run for run in desk.state.accounts.in_flight.values() if run.mending is None]
    if flying:
        names = list(desk.state.phases)
        desk.phase_at = names.index(flying[0].phase)
        desk.batch_at = flying[0].batch
        desk.ahead = is_ahead(desk)
        desk.work = pacing.gather(desk, desk.batch_at)
        for run in flying:
            desk.work.place(run, hosts.stage_at(run))
            if run.open_steps:  # it was let into this stage before
                desk.work.entered[run.host] = hosts.stage_at(run)
        for run in flying:
            hosts.take_up(desk, desk.work, run)
    for run in list(desk.state.accounts.in_flight.values()):
        if run.mending is not None:
            mending.take_up(desk, run)
    mending.begin(desk)
    preflight.begin(desk)
