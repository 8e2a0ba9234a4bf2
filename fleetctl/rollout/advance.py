"""Moving a run on: the next host, barrier, gate, batch, phase, until an event is needed. Pure."""

from __future__ import annotations

from fleetctl.base.errors import ExitCode
from fleetctl.base.outcome import Outcome, exit_code_of
from fleetctl.rollout import budget, gatekeeping, hosts, limits, mending, pacing
from fleetctl.rollout.accounts import Accounts
from fleetctl.rollout.desk import BatchWork, Desk
from fleetctl.rollout.heldback import HELD_BACK
from fleetctl.rollout.pacing import Admission
from fleetctl.rollout.records import (
    BatchBegan,
    BatchEnded,
    HostSettled,
    PhaseBegan,
    PhaseEnded,
    RunEnded,
)
from fleetctl.rollout.settling import stop
from fleetctl.rollout.state import BEFORE, PhaseRun
from fleetctl.rollout.tables import WELL, BatchState, HostState, PhaseState

_STOP_CODES = {
    "budget": ExitCode.STOPPED,
    "gate": ExitCode.STOPPED,
    "floor": ExitCode.STOPPED,
    "window": ExitCode.STOPPED,
    "failure": ExitCode.STOPPED,
    "drain": ExitCode.INTERRUPTED,
    "abort": ExitCode.INTERRUPTED,
    "kill": ExitCode.INTERRUPTED,
    "journal": ExitCode.INTERRUPTED,
    "fence": ExitCode.LOCK_HELD,
}


def advance(desk: Desk) -> None:
    """Do everything that needs no further event."""
    while desk.state.ended is None:
        if desk.state.stop is not None:
            _wind_down(desk)
            return
        looked = desk.preflight is not None and not desk.preflight
        if not (looked and _move(desk)) and desk.state.stop is None:
            return


def _wind_down(desk: Desk) -> None:
    """Nothing new starts; when nothing is in flight any more, the run ends."""
    gatekeeping.abandon(desk)
    desk.drop_timer(("throttle",))
    while desk.sweep:
        desk.sweep = False
        for run in list(desk.state.accounts.in_flight.values()):
            if run.state is HostState.READY and run.host not in desk.busy:
                hosts.proceed(desk, run)
    mending.begin(desk)
    if not desk.state.accounts.in_flight:
        _end(desk)


def _move(desk: Desk) -> bool:
    """One move; False when the next one needs an event."""
    if desk.mending:
        mending.begin(desk)
        if mending.goes_on(desk):
            return False
        desk.mending, desk.ahead = False, desk.work is not None and is_ahead(desk)
    if desk.ahead and not desk.state.accounts.in_flight:
        desk.ahead, desk.work, desk.phase_at, desk.batch_at = False, None, 0, 0
    phases = list(desk.state.phases.values())
    if desk.phase_at >= len(phases):
        _end(desk)
        return False
    phase = phases[desk.phase_at]
    if desk.work is not None:
        return _work(desk, desk.work)
    if phase.state in (PhaseState.PASSED, PhaseState.FAILED):
        desk.phase_at, desk.batch_at = desk.phase_at + 1, 0
        return True
    if phase.state is PhaseState.PENDING:
        return _begin_phase(desk, phase)
    if not phase.batches and desk.state.only_failed:
        desk.phase_at += 1  # there is no lost host in it; a plain resume asks for it
        return True
    to_do = any(phase.unsettled) or not phase.batches
    if to_do and not gatekeeping.pass_gates(desk, phase, BEFORE):
        return False
    return _next_batch(desk, phase)


def _begin_phase(desk: Desk, phase: PhaseRun) -> bool:
    name = phase.plan.name
    failed = [
        need for need in phase.plan.needs if desk.state.phases[need].state is not PhaseState.PASSED
    ]
    if not failed:
        desk.record(PhaseBegan(name))
        return True
    cause = f"phase {failed[0]} did not end well"
    _skip_rest(desk, phase, cause, halted=True)
    desk.record(PhaseEnded(name, False))
    return True


def _next_batch(desk: Desk, phase: PhaseRun) -> bool:
    at = desk.batch_at
    if at >= len(phase.batches):
        desk.record(PhaseEnded(phase.plan.name, True))
        return True
    state = phase.batches[at]
    if state is BatchState.ENDED or (state is BatchState.PENDING and not phase.unsettled[at]):
        desk.batch_at += 1
        return True
    if state is BatchState.PENDING:
        desk.record(BatchBegan(phase.plan.name, at))
    desk.work = pacing.gather(desk, at)
    return True


def _work(desk: Desk, work: BatchWork) -> bool:
    """One move within the batch at hand."""
    if not work.phase.unsettled[work.number]:
        return _end_batch(desk, work)
    if _release_elected(desk, work) or _release_lined_up(desk):
        return True
    admission = _admit(desk, work)
    if desk.state.stop is not None:
        return False
    if _open_barrier(desk, work, admission):
        return True
    if admission is Admission.FULL and not desk.state.accounts.in_flight:
        stop(desk, "floor", pacing.floor_in_words(desk, work))
    return not work.phase.unsettled[work.number]


def _admit(desk: Desk, work: BatchWork) -> Admission:
    """Begin hosts while any may begin; the budget is asked before every single one."""
    if desk.ahead:
        return Admission.FULL
    accounts = desk.state.accounts
    if not accounts.in_flight:
        work.gathering, work.opened = True, 0
    while work.gathering:
        cause = "" if desk.state.check_only else _overspent(desk, work)
        if cause:
            stop(desk, "budget", cause)
        if desk.state.stop is not None:
            break
        host = pacing.next_host(desk, work)
        if isinstance(host, Admission):
            return host
        hosts.begin(desk, work, host)
    return Admission.FULL


def _overspent(desk: Desk, work: BatchWork) -> str:
    if not any(work.queues.values()):
        return ""
    return budget.overspent(desk.state, work.phase, work.number)


def _release_elected(desk: Desk, work: BatchWork) -> bool:
    """Let hosts go on whose step that runs once has an end, or has lost its host."""
    moved = False
    for place in list(work.after_election):
        election = desk.state.elections.get(place)
        settled = election is None or election.state in WELL or hosts.is_lost(desk, place)
        if settled:
            for run in work.after_election.pop(place):
                if run.state is HostState.READY:
                    hosts.proceed(desk, run)
                    moved = True
    return moved


def _release_lined_up(desk: Desk) -> bool:
    """Let hosts go on for whose next step what it uses is free now."""
    moved = False
    while (run := limits.next_up(desk)) is not None:
        hosts.proceed(desk, run)
        desk.turn, moved = "", True
    return moved


def _open_barrier(desk: Desk, work: BatchWork, admission: Admission) -> bool:
    """Open the first barrier hosts are parked before, when nobody in flight is behind it.

    Hosts that may still begin belong to the wave as well: those the throttle or a doubt holds back
    are expected, those the limit or a guard holds back form the next wave.
    """
    parked = [stage for stage, runs in work.parked.items() if runs]
    if not parked or (admission is Admission.LATER and _start_is_due(desk, work)):
        return False
    stage = min(parked)
    if any(work.at_stage[:stage]):
        return False
    work.gathering = False
    work.opened = max(work.opened, stage)
    for run in list(work.parked.pop(stage).values()):
        if run.state is HostState.READY:
            hosts.proceed(desk, run)
    return True


def _start_is_due(desk: Desk, work: BatchWork) -> bool:
    """Whether a held back start will come by itself: a timer runs, or a host is still at work."""
    parked = sum(len(runs) for runs in work.parked.values())
    return ("throttle",) in desk.timers or parked < len(desk.state.accounts.in_flight)


def _end_batch(desk: Desk, work: BatchWork) -> bool:
    phase = work.phase
    if not gatekeeping.pass_gates(desk, phase, work.number):
        return False
    desk.record(BatchEnded(phase.plan.name, work.number))
    desk.work = None
    desk.batch_at += 1
    return True


def _end(desk: Desk) -> None:
    """Account for every host that has not begun, then end the run."""
    stopped = desk.state.stop
    for phase in desk.state.phases.values():
        if any(phase.unsettled):
            cause = f"not begun: {stopped.cause}" if stopped else "not begun"
            _skip_rest(desk, phase, cause, halted=True)
    code, cause = ending(desk)
    desk.record(RunEnded(int(code), cause))


def _skip_rest(desk: Desk, phase: PhaseRun, cause: str, *, halted: bool) -> None:
    name = phase.plan.name
    for batch in phase.plan.batches:
        for host in batch:
            run = phase.hosts.get(host)
            if run is None or run.state is HostState.PENDING:
                outcome, release = Outcome.SKIPPED, ""
                if run is not None and (run.begun_steps or run.lost_before):
                    outcome = Outcome.UNKNOWN if run.open_steps else Outcome.FAILED
                    release = run.release
                record = HostSettled(name, host, outcome, release, cause=cause, halted=halted)
                desk.record(record)


def lost_items(accounts: Accounts) -> list[Outcome]:
    """What items lost within their budget make of a run whose hosts ended well."""
    lost = [Outcome.FAILED] * any(accounts.lost_items.values())
    return lost + [Outcome.UNKNOWN] * (accounts.unknown_items > 0)


def ending(desk: Desk) -> tuple[ExitCode, str]:
    """What the process answers, and why it stopped early.

    A lost fence outranks all, since nothing this run says holds any more; then an unknown
    outcome, since it needs a person first; then why the run stopped; then its outcomes.
    """
    state, accounts = desk.state, desk.state.accounts
    seen = [outcome for outcome, count in accounts.outcomes.items() if count > 0]
    seen += lost_items(accounts)
    if state.stop is not None:
        code = _STOP_CODES[state.stop.reason]
        if code is not ExitCode.LOCK_HELD and Outcome.UNKNOWN in seen:
            code = ExitCode.UNKNOWN
        return code, state.stop.cause
    code = exit_code_of(seen)
    asked = [p for p in state.phases.values() if not p.batches]
    undone = [p.plan.name for p in asked if p.state is not PhaseState.PASSED]
    if code is ExitCode.OK and undone:
        return ExitCode.STOPPED, f"{', '.join(undone)} is not done; `resume` goes on with it"
    if code is ExitCode.OK and accounts.halted:
        return ExitCode.STOPPED, f"{accounts.halted} hosts are not done; `resume` goes on with them"
    if code is ExitCode.OK and any(accounts.held_back.values()):
        return ExitCode.HOST_FAILED, HELD_BACK
    return code, ""


def is_ahead(desk: Desk) -> bool:
    """Whether a batch or phase before the one in flight has hosts that are to be done."""
    phases = list(desk.state.phases.values())
    before = [phase.unsettled for phase in phases[: desk.phase_at]]
    before.append(phases[desk.phase_at].unsettled[: desk.batch_at])
    return any(any(unsettled) for unsettled in before)
