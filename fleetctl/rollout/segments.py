"""Building the orders for one host: a stage of its steps, their undos, or its checks. Pure."""

from __future__ import annotations

import shlex

from fleetctl.plan.render import render_step
from fleetctl.playbook.operations import Exec, Pause, Put
from fleetctl.rollout.desk import Desk, Errand
from fleetctl.rollout.hostrun import HostRun, Tries
from fleetctl.rollout.records import AskSent, SegmentSent
from fleetctl.rollout.stages import Stage
from fleetctl.rollout.tables import WELL, StepState
from fleetctl.transport.protocol import Ask, Look, RunSegment, StepOrder

_MARK = "fleetctl-check"


def name_on_host(key: str, tries: Tries) -> str:
    """The key a host records this try under, so that a name never has two ends there.

    An answer about an earlier try can then not be taken for the answer about this one.
    """
    return f"{key}.try{tries.try_no}" if tries.try_no > 1 else key


def send_stage(desk: Desk, run: HostRun, stage: Stage) -> None:
    """Order the steps of a stage that have not ended well."""
    todo = [n for n in range(stage.first, stage.last + 1) if run.steps[n] not in WELL]
    _send(desk, run, todo, undo=False)


def undoable(desk: Desk, run: HostRun) -> list[int]:
    """Steps done on the host that say how to undo them, last first.

    A step that ran once for others is not undone: they went on because of it.
    """
    return [
        index
        for index in range(len(run.steps) - 1, -1, -1)
        if run.steps[index] is StepState.DONE and _has_undo(run, index)
    ]


def send_undo(desk: Desk, run: HostRun, indices: list[int]) -> None:
    """Order the undos of these steps, in this order."""
    _send(desk, run, indices, undo=True)


def send_ask(desk: Desk, run: HostRun) -> None:
    """Ask the host what became of its open steps."""
    names = _names(run, run.open_steps, undo=run.undoing)
    ticket = desk.ticket(Errand("ask", run.host, run, names))
    keys = tuple(run.recipe.steps[index].key for index in run.open_steps)
    desk.record(AskSent(run.phase, run.host, ticket, keys))
    state = desk.state
    wait_s = desk.patience.ask_wait_s
    desk.send(
        Ask(
            ticket,
            run.host,
            state.run,
            state.fence_for(run.host),
            tuple(names),
            wait_s,
            state.under,
        )
    )


def send_check(desk: Desk, run: HostRun) -> None:
    """Look what each step would do; changes nothing."""
    lines = [f"# {_MARK}"]
    for index, step in enumerate(run.recipe.steps):
        operation = render_step(desk.plan, desk.state.phases[run.phase].plan, step, run.host)
        script = _check_script(operation)
        if script:
            lines.append(f"( {script}\n) </dev/null >/dev/null 2>&1; echo {_MARK} {index} $?")
    ticket = desk.ticket(Errand("check", run.host, run))
    desk.send(Look(ticket, run.host, "\n".join(lines) + "\n", desk.patience.check_timeout_s))


def read_checks(text: bytes) -> dict[int, bool]:
    """Step index -> whether its check said that nothing is to be done."""
    found: dict[int, bool] = {}
    for line in text.decode(errors="replace").splitlines():
        words = line.split()
        if len(words) == 3 and words[0] == _MARK and words[1].isdigit():
            found[int(words[1])] = words[2] == "0"
    return found


def _send(desk: Desk, run: HostRun, indices: list[int], *, undo: bool) -> None:
    steps = run.recipe.steps
    names = _names(run, indices, undo=undo)
    ticket = desk.ticket(Errand("segment", run.host, run, names))
    keys = tuple(steps[index].key for index in indices)
    desk.record(SegmentSent(run.phase, run.host, ticket, keys, undo))
    phase = desk.state.phases[run.phase].plan
    orders = []
    for index in indices:
        step, tries = steps[index], run.tries_of(index)
        operation = render_step(desk.plan, phase, step, run.host)
        assert not isinstance(operation, Pause)
        orders.append(
            StepOrder(
                name_on_host(step.key, tries), operation, step.timeout_s, undo,
                tries.try_no, not step.secret,
            )
        )  # fmt: skip
    state = desk.state
    fence = state.fence_for(run.host)
    desk.send(RunSegment(ticket, run.host, state.run, fence, tuple(orders), state.under))


def _names(run: HostRun, indices: list[int], *, undo: bool) -> dict[str, int]:
    suffix = ".undo" if undo else ""
    return {
        name_on_host(run.recipe.steps[index].key, run.tries_of(index)) + suffix: index
        for index in indices
    }


def _has_undo(run: HostRun, index: int) -> bool:
    step = run.recipe.steps[index]
    return isinstance(step.operation, Exec) and bool(step.operation.undo) and not step.once


def _check_script(operation: Exec | Put | Pause) -> str:
    if isinstance(operation, Exec):
        return operation.check
    if isinstance(operation, Put):
        dest = shlex.quote(operation.dest if operation.dest[:1] == "/" else f"./{operation.dest}")
        return f'[ "$(sha256sum < {dest} | cut -d " " -f 1)" = {operation.sha256} ]'
    return ""
