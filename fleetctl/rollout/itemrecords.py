"""How records about items change a run's state. Nothing else of the state knows items."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from fleetctl.rollout import records as r
from fleetctl.rollout.hostrun import HostRun
from fleetctl.rollout.itemsrun import ItemsRun

if TYPE_CHECKING:
    from fleetctl.rollout.state import RunState


def list_items(state: RunState, record: r.ItemsListed) -> None:
    """What the host lists holds from here on."""
    run = state.host_run(record.phase, record.host)
    run.items[run.recipe.index_of[record.key]] = ItemsRun(record.items)


def send_items(state: RunState, record: r.ItemsSent) -> None:
    """These items are in the round at hand."""
    run = state.host_run(record.phase, record.host)
    run.items[run.recipe.index_of[record.key]].send(record)


def settle_item(state: RunState, record: r.ItemSettled) -> None:
    """An item has an end, and the budget is counted anew."""
    run = state.host_run(record.phase, record.host)
    run.items[run.recipe.index_of[record.key]].settle(record)
    state.accounts.recount_items(run)


def end_round(state: RunState, record: r.RoundEnded) -> None:
    """The host is ready for another round."""
    run = state.host_run(record.phase, record.host)
    run.end_round(record)
    state.accounts.watch(run)


def take_up(state: RunState, run: HostRun) -> None:
    """After the host was reopened: items lost in it are tried again, if that is what is wanted."""
    if state.only_failed and run.items:
        run.take_items_up(state.told_items.get(run.host, {}))
    state.accounts.recount_items(run)


def is_to_be_mended(state: RunState, run: HostRun) -> bool:
    """Whether a host that ended well has lost items that are to be tried again."""
    return state.only_failed and any(items.lost for items in run.items.values())


APPLY: dict[type, Callable[[RunState, Any], None]] = {
    r.ItemsListed: list_items,
    r.ItemsSent: send_items,
    r.ItemSettled: settle_item,
    r.RoundEnded: end_round,
}
