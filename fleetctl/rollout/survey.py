"""What the hosts of a run that is taken over say themselves about it.

What was carried of a journal may end before what its controller did. So every host that is not
settled is asked for all its steps before anything runs: under the new fence, so that nothing the
old controller sends after that is heeded. What they tell is recorded as if it had been seen.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from typing import NamedTuple

from fleetctl.base.errors import LockHeld, Unreachable
from fleetctl.base.hostrange import fold
from fleetctl.playbook.operations import Manual, Pause
from fleetctl.rollout import results
from fleetctl.rollout.desk import Desk
from fleetctl.rollout.ground import Ground, Reply
from fleetctl.rollout.hostrun import HostRun
from fleetctl.rollout.patience import Patience
from fleetctl.rollout.records import (
    BatchBegan,
    HostBegan,
    OrderLost,
    PhaseBegan,
    Record,
    SegmentSent,
)
from fleetctl.rollout.segments import name_on_host
from fleetctl.rollout.state import PhaseRun, RunState
from fleetctl.rollout.tables import WELL, BatchState, HostState, PhaseState, StepState
from fleetctl.transport.protocol import Answered, Ask, Refused, Release, StepResult

_WAIT_S = 0.5
"""At most so long a question stays at a host that is at a step."""
_PAUSE_S = 0.5
_GRACE_S = 30.0
_WITHIN_S = 60.0
_OPEN = (StepState.TODO, StepState.SENT)


class Found(NamedTuple):
    """What the hosts said."""

    results: Mapping[str, Mapping[str, StepResult]]
    """Host -> name of the step on it -> what became of it."""
    silent: Mapping[str, str]
    """Hosts that could not be asked, and why."""


def ask_all(ground: Ground, state: RunState, tell: Callable[[str], None]) -> Found:
    """Ask every host that is not settled, as many at once as there may be connections.

    Hosts still at a step are waited for when another step is to run once: the controller before
    might have it run on one of them next. `tell` is told so. Raises LockHeld when a host obeys
    another run, or a later leg of this one; Unreachable when it stays open who ran such a step.
    """
    names: dict[str, tuple[str, ...]] = {}
    longest_s = 0.0
    for run in _unsettled(state):
        mine = tuple(name for name, _ in _names(run))
        names[run.host] = names.get(run.host, ()) + mine
        longest_s = max(longest_s, sum(step.timeout_s for step in run.recipe.steps))
    names = {host: keys for host, keys in names.items() if keys}
    found = _round(ground, state, names)
    deadline_s = time.monotonic() + longest_s + _GRACE_S
    told: list[str] = []
    while (busy := _busy(found)) and (once := _runs_once(state, found)):
        if time.monotonic() > deadline_s:
            raise Unreachable(
                f"cannot learn whether `{once}`, which runs once, ran on {fold(busy)}",
                why="they are still at a step of the controller before",
                hint="see what hangs there, and take the run over then",
            )
        if busy != told:
            told = busy
            tell(f"letting {fold(busy)} end what they are at: `{once}` may run there next")
        time.sleep(_PAUSE_S)
        again = _round(ground, state, {host: names[host] for host in busy})
        silent = {**found.silent, **again.silent}
        known = {host: got for host, got in found.results.items() if host not in again.silent}
        found = Found({**known, **again.results}, silent)
    return found


def _busy(found: Found) -> list[str]:
    """Hosts at a step of the controller before."""
    return [
        host
        for host, told in found.results.items()
        if any(result.end == "running" for result in told.values())
    ]


def _runs_once(state: RunState, found: Found) -> str:
    """The title of a step that runs once of which no host is known to have it; empty: none."""
    for run in _unsettled(state):
        told = found.results.get(run.host, {})
        if not any(result.end == "running" for result in told.values()):
            continue
        for name, index in _names(run):
            step = run.recipe.steps[index]
            if not step.once or name not in told or told[name].end != "running":
                continue
            election = state.elections.get(state.scope_of(run, index))
            if election is None or election.state not in WELL:
                return step.title
    return ""


def _round(ground: Ground, state: RunState, names: Mapping[str, tuple[str, ...]]) -> Found:
    """One round of questions."""
    hosts = list(names)
    replies: dict[str, Reply] = {}
    most = max(1, state.plan.fanout)
    for at in range(0, len(hosts), most):
        asks = {
            host: Ask(0, host, state.run, state.fence, names[host], _WAIT_S)
            for host in hosts[at : at + most]
        }
        replies |= ground.put(asks, _WITHIN_S)
        if len(hosts) > most:
            for host in asks:
                ground.submit(Release(host))
    return _read(state, hosts, replies)


def _read(state: RunState, hosts: Sequence[str], replies: Mapping[str, Reply]) -> Found:
    found: dict[str, Mapping[str, StepResult]] = {}
    silent: dict[str, str] = {}
    for host in hosts:
        match replies.get(host):
            case Answered(results=told):
                found[host] = {result.key: result for result in told}
            case Refused(reason="fence") as refused:
                raise LockHeld(
                    f"{host} obeys {refused.holder or 'a newer run'}",
                    why=f"its fence is {refused.fence}, ours would be {state.fence}",
                    hint="see who works on the fleet: fleetctl lock status",
                )
            case reply:
                silent[host] = getattr(reply, "detail", "no answer")
    return Found(found, silent)


def catch_up(state: RunState, found: Found) -> list[Record]:
    """The records that bring the run up to what its hosts said; they are applied to `state`."""
    desk = Desk(state.plan, state, Patience())
    for phase in state.phases.values():
        for run in _runs(state, phase):
            told = found.results.get(run.host)
            if told is not None:
                _take(desk, phase, run, told)
    for phase in state.phases.values():
        for run in _runs(state, phase):
            if run.host in found.silent:
                _doubt(desk, phase, run, found.silent)
    return desk.records


def _take(desk: Desk, phase: PhaseRun, run: HostRun, told: Mapping[str, StepResult]) -> None:
    """What a host said about its part in one phase."""
    by_index = {index: told[name] for name, index in _names(run) if name in told}
    begun = [index for index, result in by_index.items() if result.end != "absent"]
    if not begun:
        return
    _begin(desk, phase, run)
    _settle(desk, run, by_index)
    # Only what was begun: a step that runs once belongs to the host that has begun it.
    missing = [index for index in begun if run.steps[index] is StepState.TODO]
    if run.state is HostState.READY and run.fault is None and missing:
        _send(desk, run, missing)
        _settle(desk, run, by_index)
    _lose(desk, run, "it was sent by the controller before")


def _settle(desk: Desk, run: HostRun, by_index: Mapping[int, StepResult]) -> None:
    for index in list(run.open_steps):
        result = by_index.get(index)
        known = result is not None and result.end not in ("running", "interrupted", "absent")
        if result is not None and known and index in run.open_steps:
            results.settle_step(desk, run, index, result)


def _doubt(desk: Desk, phase: PhaseRun, run: HostRun, silent: Mapping[str, str]) -> None:
    """A host that could not be asked may have had orders: it is in doubt until it answers."""
    todo = [index for _, index in _names(run) if run.steps[index] is StepState.TODO]
    if phase.state is not PhaseState.RUNNING:
        once = [run.recipe.steps[index] for index in todo if run.recipe.steps[index].once]
        if once:
            raise Unreachable(
                f"cannot learn whether `{once[0].title}`, which runs once, ran on {run.host}",
                why=silent[run.host],
                hint="mend it, and take the run over then",
            )
        return
    if run.state is HostState.READY or run.state is HostState.PENDING:
        _begin(desk, phase, run)
        if run.state is HostState.READY and run.fault is None and todo:
            _send(desk, run, todo)
        _lose(desk, run, silent[run.host])


def _begin(desk: Desk, phase: PhaseRun, run: HostRun) -> None:
    if phase.state is PhaseState.PENDING:
        desk.record(PhaseBegan(run.phase))
    if phase.batches[run.batch] is BatchState.PENDING:
        desk.record(BatchBegan(run.phase, run.batch))
    if run.state is HostState.PENDING:
        desk.record(HostBegan(run.phase, run.host, run.attempt + 1))


def _send(desk: Desk, run: HostRun, indices: Sequence[int]) -> None:
    keys = tuple(run.recipe.steps[index].key for index in indices)
    desk.record(SegmentSent(run.phase, run.host, desk.state.last_ticket + 1, keys))


def _lose(desk: Desk, run: HostRun, why: str) -> None:
    """What is out is out of another controller: this one has to ask."""
    if run.state is HostState.SENT:
        ticket = desk.state.last_ticket
        desk.record(OrderLost(run.phase, run.host, ticket, True, "closed", why))


def _unsettled(state: RunState) -> list[HostRun]:
    return [run for phase in state.phases.values() for run in _runs(state, phase)]


def _runs(state: RunState, phase: PhaseRun) -> list[HostRun]:
    """The phase's hosts that are not settled, in the order of its batches."""
    every = (
        state.host_run(phase.plan.name, host) for batch in phase.plan.batches for host in batch
    )
    return [run for run in every if run.outcome is None and run.way == "on"]


def _names(run: HostRun) -> list[tuple[str, int]]:
    """What the steps that have no end are called on the host."""
    return [
        (name_on_host(step.key, run.tries_of(index)), index)
        for index, step in enumerate(run.recipe.steps)
        if run.steps[index] in _OPEN and not isinstance(step.operation, (Pause, Manual))
    ]


def silent_words(found: Found) -> str:
    """Which hosts said nothing; empty when all answered."""
    if not found.silent:
        return ""
    why = next(iter(found.silent.values()))
    return f"{fold(list(found.silent))} could not be asked what ran there: {why}"
