"""Building the orders for one host: a stage of its steps, or their undos. Pure."""

from __future__ import annotations

import msgspec

from fleetctl.plan.render import render_step
from fleetctl.playbook.operations import Exec, Foreach, Listing, Manual, Pause, Put
from fleetctl.rollout import rounds
from fleetctl.rollout.desk import Desk, Errand
from fleetctl.rollout.hostrun import HostRun
from fleetctl.rollout.records import AskSent, ItemsSent, SegmentSent
from fleetctl.rollout.stages import Stage
from fleetctl.rollout.tables import WELL
from fleetctl.rollout.ways import Tries, Way
from fleetctl.transport.protocol import Ask, Round, RunSegment, StepOrder


def name_on_host(key: str, tries: Tries) -> str:
    """The key a host records this try under, so that a name never has two ends there.

    An answer about an earlier try can then not be taken for the answer about this one.
    """
    return f"{key}.try{tries.try_no}" if tries.try_no > 1 else key


def send_stage(desk: Desk, run: HostRun, stage: Stage, items: tuple[str, ...] = ()) -> None:
    """Order the steps of a stage that have not ended well; of a foreach step a round of `items`."""
    todo = [n for n in range(stage.first, stage.last + 1) if run.steps[n] not in WELL]
    _send(desk, run, todo, "on", items)


def send_back(desk: Desk, run: HostRun, way: Way, indices: list[int]) -> None:
    """Order the undos or the restores of these steps, in this order."""
    _send(desk, run, indices, way)


def send_ask(desk: Desk, run: HostRun) -> None:
    """Ask the host what became of its open steps."""
    names = _names(run, run.open_steps, run.way)
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
            tuple(name for name, index in names.items() if rounds.is_round(run, index)),
        )
    )


def _send(
    desk: Desk, run: HostRun, indices: list[int], way: Way, items: tuple[str, ...] = ()
) -> None:
    steps = run.recipe.steps
    names = _names(run, indices, way)
    ticket = desk.ticket(Errand("segment", run.host, run, names))
    keys = tuple(steps[index].key for index in indices)
    sent = SegmentSent(run.phase, run.host, ticket, keys, way == "undo", way == "restore")
    desk.record(sent)
    if items:
        number = run.tries_of(indices[0]).try_no
        desk.record(ItemsSent(run.phase, run.host, keys[0], number, items))
    orders = tuple(_order(desk, run, index, way) for index in indices)
    state = desk.state
    fence = state.fence_for(run.host)
    desk.send(RunSegment(ticket, run.host, state.run, fence, orders, state.under))


def _order(desk: Desk, run: HostRun, index: int, way: Way) -> StepOrder:
    step, tries = run.recipe.steps[index], run.tries_of(index)
    found = render_step(desk.plan, desk.state.phases[run.phase].plan, step, run.host)
    assert not isinstance(found, (Pause, Manual))
    operation: Exec | Put | Round = found
    if isinstance(found, Foreach):
        operation = rounds.order_of(desk, run, index, found)
    name = name_on_host(step.key, tries)
    if way == "restore":
        assert isinstance(operation, Exec)
        name = _restore_name(run, index)
        operation = msgspec.structs.replace(
            operation, act=operation.restore, check="", undo="", restore=""
        )
    return StepOrder(
        name, operation, rounds.timeout_s(run, index), way == "undo", tries.try_no,
        not step.secret, whole=isinstance(found, Listing),
    )  # fmt: skip


def _names(run: HostRun, indices: list[int], way: Way) -> dict[str, int]:
    if way == "restore":
        return {_restore_name(run, index): index for index in indices}
    suffix = ".undo" if way == "undo" else ""
    return {
        name_on_host(run.recipe.steps[index].key, run.tries_of(index)) + suffix: index
        for index in indices
    }


def _restore_name(run: HostRun, index: int) -> str:
    """What a host records this try of the step's restore under."""
    tries = run.duties.tries.get(index, 1)
    return f"{run.recipe.steps[index].key}.restore{tries if tries > 1 else ''}"
