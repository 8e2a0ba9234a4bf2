"""Rounds of a foreach step: which items one order carries, and the order itself. Pure."""

from __future__ import annotations

import itertools
import math

from fleetctl.playbook.operations import Foreach
from fleetctl.rollout import budget
from fleetctl.rollout.desk import Desk
from fleetctl.rollout.hostrun import HostRun
from fleetctl.rollout.itemsrun import ItemsRun
from fleetctl.transport.protocol import ItemOrder, Round

ROUND_S = 30.0
"""About how long a round is to last: between two of them a run can stop."""
ROUND_MAX = 256
"""What so many items say fits into what is kept of a round's output."""
_GROWTH = 4
_ENDING_S = 20.0
"""What ending an item at its deadline may take, on a busy host."""
_SLACK_S = 60.0


def choose(items: ItemsRun, concurrency: int) -> tuple[str, ...]:
    """The items of the next round: first those of which an end may be missing, last those that
    failed before."""
    left = items.first or items.todo or items.again
    return tuple(itertools.islice(left, _size(items, concurrency)))


def _size(items: ItemsRun, concurrency: int) -> int:
    """A multiple of the concurrency: one first, then as many as fit the time."""
    if not items.sent_most:
        return concurrency
    each_s = max(items.spent_s / items.timed, 0.01) if items.timed else ROUND_S
    fit = int(ROUND_S * concurrency / each_s)
    most = min(fit, ROUND_MAX, items.sent_most * _GROWTH)
    return max(concurrency, most - most % concurrency)


def order_of(desk: Desk, run: HostRun, index: int, operation: Foreach) -> Round:
    """The order of the round at hand; `operation` is filled in for the host."""
    items, step = run.items[index], run.recipe.steps[index]
    return Round(
        step.key,
        operation.act,
        operation.check,
        tuple(ItemOrder(item, items.try_of(item)) for item in items.in_round),
        operation.concurrency,
        step.timeout_s,
        max(0, budget.items_left(desk.state, desk.state.phases[run.phase])),
        len(items.states) - items.left,
        len(items.states),
        operation.secrets,
    )


def timeout_s(run: HostRun, index: int) -> float:
    """When an order of the step has surely ended: of a round all items in turn, else its own."""
    step = run.recipe.steps[index]
    if run.way != "on" or not isinstance(step.operation, Foreach):
        return step.timeout_s
    turns = math.ceil(len(run.items[index].in_round) / step.operation.concurrency)
    return turns * (step.timeout_s + _ENDING_S) + _SLACK_S


def is_round(run: HostRun, index: int) -> bool:
    """Whether the order of the step is a round."""
    return run.way == "on" and isinstance(run.recipe.steps[index].operation, Foreach)
