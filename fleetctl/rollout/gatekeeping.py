"""Asking gates: rounds of probes until they hold, go on holding, or time is up. Pure."""

from __future__ import annotations

from fleetctl.base.hostrange import fold
from fleetctl.plan.model import Gate
from fleetctl.plan.render import render_probe
from fleetctl.playbook.operations import Approval, HostProbe, LocalProbe, Manual
from fleetctl.rollout import manual, questions
from fleetctl.rollout.desk import Desk, Errand, GateWork
from fleetctl.rollout.messages import ProbeAnswered, RunProbe
from fleetctl.rollout.records import GateAsked, GateSettled, QuestionAnswered, QuestionAsked
from fleetctl.rollout.settling import stop
from fleetctl.rollout.state import BEFORE, PhaseRun
from fleetctl.rollout.tables import GateState
from fleetctl.transport.protocol import Look, Looked, Lost

_TICK = ("gate",)
_SOON_S = 1e-9
_HERE = ""


def pass_gates(desk: Desk, phase: PhaseRun, batch: int) -> bool:
    """True when every gate of this place is open; else the next one is being asked."""
    if desk.state.check_only or (batch != BEFORE and _untouched(desk, phase, batch)):
        return True
    when = "before" if batch == BEFORE else "after"
    for gate in phase.plan.gates:
        state = phase.gates.get((batch, gate.key), GateState.SHUT)
        if gate.when != when or state is GateState.OPEN or _needless(desk, phase, batch, gate):
            continue
        if desk.gate is None and state is GateState.SHUT:
            _ask(desk, GateWork(phase, batch, gate, _hosts_for(phase, batch, gate)))
        return False
    return True


def _needless(desk: Desk, phase: PhaseRun, batch: int, gate: Gate) -> bool:
    """Nobody is asked whether to go on when nothing comes after."""
    last_phase, last_batch = desk.plan.phases[-1].name, len(phase.plan.batches) - 1
    ends_run = phase.plan.name == last_phase and batch == last_batch
    return ends_run and gate.when == "after" and isinstance(gate.probe, Approval)


def _untouched(desk: Desk, phase: PhaseRun, batch: int) -> bool:
    """Whether every host of the batch was skipped: there is nothing to ask about."""
    if desk.state.accounts.lost_in_batch[phase.plan.name, batch]:
        return False
    return not any(host in phase.well for host in phase.plan.batches[batch])


def _hosts_for(phase: PhaseRun, batch: int, gate: Gate) -> list[str]:
    """Before: the hosts still to be done. After: those of the batch that ended well; for a soak,
    or when all of the batch were lost, all of the phase that did."""
    if batch == BEFORE:
        every = [host for hosts in phase.plan.batches for host in hosts]
        return [host for host in every if _unsettled(phase, host)]
    mine = [host for host in phase.plan.batches[batch] if host in phase.well]
    return list(phase.well) if gate.soak_s > 0 or not mine else mine


def _unsettled(phase: PhaseRun, host: str) -> bool:
    run = phase.hosts.get(host)
    return run is None or run.outcome is None


def _ask(desk: Desk, work: GateWork) -> None:
    gate = work.gate
    desk.gate = work
    desk.record(GateAsked(work.phase.plan.name, work.batch, gate.key))
    work.deadline_s = desk.now_s + gate.timeout_s
    if isinstance(gate.probe, (Approval, Manual)):
        _ask_person(desk, work)
    elif not work.hosts and not _asked_once(gate):
        _settle(desk, work, False, cause="no host is left that could be asked")
    else:
        _probe(desk, work)


def _ask_person(desk: Desk, work: GateWork) -> None:
    gate = work.gate
    probe = render_probe(desk.plan, gate, None)
    assert isinstance(probe, (Approval, Manual))
    place = ("gate", work.phase.plan.name, work.batch, "")
    questions.ask(desk, manual.question_of(probe, gate.key, place, gate.timeout_s))


def _asked_once(gate: Gate) -> bool:
    return isinstance(gate.probe, LocalProbe) and not gate.probe.per_host


def _probe(desk: Desk, work: GateWork) -> None:
    """One round: every host is asked, each within its own deadline."""
    work.failures = []
    for host in [_HERE] if _asked_once(work.gate) else work.hosts:
        ticket = desk.ticket(Errand("gate", host))
        work.out[ticket] = host
        _send_probe(desk, work, ticket, host)


def _send_probe(desk: Desk, work: GateWork, ticket: int, host: str) -> None:
    patience = desk.patience.probe_timeout_s
    # A round that begins near the end has as much time as any: hosts that are well must not be
    # told as silent because another one took all the time before.
    left_s = max(work.deadline_s - desk.now_s, min(patience, work.gate.timeout_s))
    probe = render_probe(desk.plan, work.gate, host or None)
    assert not isinstance(probe, (Approval, Manual))
    if isinstance(probe, HostProbe):
        within_s = left_s if work.held_since_s is None else max(patience, work.gate.timeout_s)
        desk.send(Look(ticket, host, probe.script, within_s))
        return
    within_s = left_s if isinstance(probe, LocalProbe) else min(left_s, patience)
    desk.send(
        RunProbe(ticket, host, probe, desk.plan.hosts[host].address if host else "", within_s)
    )


def take_signal(desk: Desk, event: Looked | Lost | ProbeAnswered) -> None:
    """A probe has its answer; a missing signal is not a pass."""
    work = desk.gate
    if work is None or event.ticket not in work.out:
        return
    host = work.out.pop(event.ticket)
    holds, detail = _read(event)
    if not holds:
        work.failures.append((host, detail))
    if not work.out:
        _judge(desk, work)


def _read(event: Looked | Lost | ProbeAnswered) -> tuple[bool, str]:
    if isinstance(event, ProbeAnswered):
        return event.holds, event.detail
    if isinstance(event, Lost):
        return False, f"no signal: {event.detail}"
    if event.exit_status is None:
        return False, "no signal: it did not end in time"
    said = event.stderr.tail or event.stderr.head or event.stdout.tail or event.stdout.head
    last = said.decode(errors="replace").strip().rpartition("\n")[2][:200]
    return event.exit_status == 0, f"exit {event.exit_status}" + (f": {last}" if last else "")


def _judge(desk: Desk, work: GateWork) -> None:
    """The round is complete."""
    gate = work.gate
    if not work.failures:
        if work.held_since_s is None:
            work.held_since_s = desk.now_s
        left_s = work.held_since_s + gate.soak_s - desk.now_s
        if left_s <= _SOON_S:
            _settle(desk, work, True)
        else:
            desk.set_timer(_TICK, min(gate.interval_s, left_s))
    elif work.held_since_s is not None:
        _settle(desk, work, False, cause=f"it stopped holding: {_in_words(work)}")
    elif desk.now_s + gate.interval_s > work.deadline_s:
        _settle(desk, work, False, cause=_in_words(work))
    else:
        desk.set_timer(_TICK, gate.interval_s)


def tick(desk: Desk) -> None:
    """Time for the next round."""
    if desk.gate is not None and not desk.gate.out:
        _probe(desk, desk.gate)


def take_choice(desk: Desk, asked: QuestionAsked, answered: QuestionAnswered) -> None:
    """A person approved or refused, or nobody did in time."""
    work = desk.gate
    if work is None or work.gate.key != asked.key:
        return
    passed = answered.choice in ("approve", questions.DONE, "skipped")
    cause = answered.why
    if answered.choice in manual.CHOICES:
        cause = manual.in_words(answered) if answered.choice != questions.DONE else ""
    elif not passed:
        cause = cause or "a person said no"
    _settle(desk, work, passed, cause=cause, by=answered.by)


def abandon(desk: Desk) -> None:
    """The run stops: the gate stays unanswered, a resume asks it anew."""
    desk.gate = None
    desk.drop_timer(_TICK)


def _settle(desk: Desk, work: GateWork, passed: bool, *, cause: str = "", by: str = "") -> None:
    gate, phase = work.gate, work.phase.plan.name
    abandon(desk)
    desk.record(GateSettled(phase, work.batch, gate.key, passed, by, cause))
    if not passed:
        stop(desk, "gate", f"{gate.title}: {cause}", by)


def _in_words(work: GateWork) -> str:
    """Failures folded by what was said: `web[001-003]: exit 1`."""
    groups: dict[str, list[str]] = {}
    for host, detail in work.failures:
        groups.setdefault(detail, []).append(host)
    return "; ".join(
        f"{fold(hosts)}: {detail}" if hosts != [_HERE] else detail
        for detail, hosts in groups.items()
    )
