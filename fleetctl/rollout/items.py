"""A foreach step on one host: its list, its rounds, what became of each item. Pure."""

from __future__ import annotations

import unicodedata

from fleetctl.base.outcome import Outcome
from fleetctl.plan.model import PlanStep
from fleetctl.plan.words import counted
from fleetctl.playbook.operations import Foreach
from fleetctl.rollout import budget, limits, rounds, segments
from fleetctl.rollout.desk import Desk
from fleetctl.rollout.hostrun import HostRun
from fleetctl.rollout.itemsrun import ItemsRun
from fleetctl.rollout.patience import chance, step_delay_s
from fleetctl.rollout.records import (
    ItemSettled,
    ItemsListed,
    RetryPlanned,
    RoundEnded,
    StepSettled,
)
from fleetctl.rollout.settling import stop
from fleetctl.rollout.stages import Stage
from fleetctl.rollout.tables import ItemState
from fleetctl.transport.protocol import ItemEnd, Output, StepResult

NAME_BYTES_MAX = 200
ITEMS_MAX = 20_000
_MUTE_MAX = 3
_OUTCOME = {
    "acted": Outcome.CHANGED,
    "checked": Outcome.SKIPPED,
    "timed out": Outcome.TIMED_OUT,
    "failed": Outcome.FAILED,
    "killed": Outcome.FAILED,
}


# ---- the list


def read_list(output: Output) -> tuple[tuple[str, ...], str]:
    """The items a host lists, or why what it said is no list."""
    held = output.head + output.tail
    if output.size > len(held):
        return (), f"the list is not known whole: {output.size} bytes are too many, or were lost"
    try:
        lines = held.decode().split("\n")
    except UnicodeDecodeError as error:
        return (), f"the list is not UTF-8 text: {error.reason} at byte {error.start}"
    items = [line for line in lines if line.strip()]
    seen: set[str] = set()
    for item in items:
        why = _unfit(item) or ("it is listed twice" if item in seen else "")
        if why:
            return (), f"{item[:60]!r} cannot be an item: {why}"
        seen.add(item)
    if len(items) > ITEMS_MAX:
        return (), f"{len(items)} items are listed, more than {ITEMS_MAX}"
    return tuple(items), ""


def _unfit(item: str) -> str:
    if len(item.encode()) > NAME_BYTES_MAX:
        return f"it is longer than {NAME_BYTES_MAX} bytes"
    if any(unicodedata.category(char) in ("Cc", "Zl", "Zp") for char in item):
        return "it holds a control character"
    return ""


def end_list(desk: Desk, run: HostRun, index: int, result: StepResult) -> None:
    """The list of the foreach step after it is there: it holds for the whole run."""
    steps = run.recipe.steps
    items, trouble = read_list(result.stdout)
    desk.record(
        StepSettled(
            run.phase, run.host, steps[index].key, Outcome.FAILED if trouble else Outcome.OK,
            result.exit_status, result.duration_s, replayed=result.replayed, cause=trouble,
        )
    )  # fmt: skip
    if not trouble:
        desk.record(ItemsListed(run.phase, run.host, steps[index + 1].key, items))


# ---- rounds


def enter(desk: Desk, run: HostRun, stage: Stage) -> bool:
    """Send the next round; True when the host goes past the step, or the run stops."""
    index, items = stage.first, run.items[stage.first]
    step = run.recipe.steps[index]
    each = step.operation
    assert isinstance(each, Foreach)
    if not items.left:
        settled = StepSettled(
            run.phase, run.host, step.key, Outcome.SKIPPED, cause=f"no {each.noun} is listed"
        )
        desk.record(settled)
        return True
    over = budget.items_overspent(desk.state, desk.state.phases[run.phase])
    if over:
        stop(desk, "budget", over)
        return True
    if not items.first and not items.todo and run.host not in desk.rested:
        _rest(desk, run, step, items)
        return False
    if limits.hold_up(desk, run, stage):
        return False
    desk.rested.discard(run.host)
    segments.send_stage(desk, run, stage, rounds.choose(items, each.concurrency))
    return False


def _rest(desk: Desk, run: HostRun, step: PlanStep, items: ItemsRun) -> None:
    """Before failed items are tried again: only those are left."""
    desk.rested.add(run.host)
    item = next(iter(items.again))
    made = items.tries_made(item) - 1
    after_s = 1.0
    if step.retry is not None:
        luck = chance(desk.state.seed, run.host, step.key, item, made)
        after_s = step_delay_s(step.retry, max(1, made), luck)
    desk.record(RetryPlanned(run.phase, run.host, after_s, "items", step.key, made + 1))
    desk.set_timer(("retry", run.phase, run.host), after_s)


def end_round(desk: Desk, run: HostRun, index: int, result: StepResult) -> None:
    """What a round tells of its items; then the step is over, or the host is ready for another."""
    step, items = run.recipe.steps[index], run.items[index]
    lost_before = items.lost
    for end in result.items:
        if items.states.get(end.name) is ItemState.SENT:
            _settle(desk, run, index, end)
    untold = items.counts[ItemState.SENT] > 0
    mute = untold and not (result.all_told and result.items)
    hopeless = mute and items.mute + 1 >= _MUTE_MAX
    killed = result.end == "killed"
    if untold and not result.all_told and (killed or hopeless):
        give_up(desk, run, index, result.detail or "its round ended without a word of it")
    over = budget.items_overspent(desk.state, desk.state.phases[run.phase])
    overspent_here = over and items.lost > lost_before
    cause = ""
    if overspent_here:
        cause = _lost_words(step, items)
    elif killed:
        cause = result.detail or "stopped by fleetctl"
    elif hopeless:
        cause = _why_mute(result)
    if cause or not items.left:
        _settle_step(desk, run, index, result, cause)
    else:
        desk.record(RoundEnded(run.phase, run.host, step.key, result.duration_s, mute))
    if overspent_here:
        stop(desk, "budget", over)


def _settle(desk: Desk, run: HostRun, index: int, end: ItemEnd) -> None:
    step, items = run.recipe.steps[index], run.items[index]
    outcome, cause = _read(items, end)
    again = _may_run_again(desk, step, items, end, outcome)
    desk.record(
        ItemSettled(
            run.phase, run.host, step.key, end.name, outcome, end.exit_status, end.duration_s,
            b"" if step.secret else end.said.head + end.said.tail, end.replayed, cause, again,
        )
    )  # fmt: skip


def _read(items: ItemsRun, end: ItemEnd) -> tuple[Outcome, str]:
    outcome = _OUTCOME.get(end.end, Outcome.UNKNOWN)
    if end.end == "failed":
        return outcome, _failure(end)
    if end.end == "timed out":
        return outcome, f"not done within {end.duration_s:.0f} s"
    if end.end == "killed":
        return outcome, "stopped by fleetctl"
    if end.end == "running":
        return outcome, "it still runs after its deadline, and could not be ended"
    if outcome is Outcome.UNKNOWN and items.told.get(end.name) == "done":
        return Outcome.CHANGED, "a person looked, and says it was done"
    if outcome is Outcome.UNKNOWN:
        return outcome, "it was begun, and its process is gone without a recorded end"
    return outcome, ""


def _failure(end: ItemEnd) -> str:
    text = (end.said.tail or end.said.head).decode(errors="replace")
    said = next((line.strip() for line in reversed(text.split("\n")) if line.strip()), "")
    exited = f"exit {end.exit_status}" if end.exit_status is not None else "failed"
    return f"{exited}: {said[:300]}" if said else exited


def _may_run_again(
    desk: Desk, step: PlanStep, items: ItemsRun, end: ItemEnd, outcome: Outcome
) -> bool:
    """Never blindly: only what is declared to bear it, has a check, or a person says so."""
    each = step.operation
    assert isinstance(each, Foreach)
    if outcome is Outcome.UNKNOWN and end.end != "running":
        told = items.told.get(end.name) == "again"
        return told or step.retry is not None or bool(each.check)
    if end.end == "killed":
        return step.retry is not None  # as a step that is stopped with its run is gone on with
    if step.retry is None or desk.state.stop is not None or end.end not in ("failed", "timed out"):
        return False
    return items.tries_made(end.name) < step.retry.attempts


def give_up(desk: Desk, run: HostRun, index: int, cause: str) -> None:
    """Nobody knows what became of the items of the round at hand that have no end."""
    items, key = run.items[index], run.recipe.steps[index].key
    for item in items.in_round:
        if items.states[item] is ItemState.SENT:
            lost = ItemSettled(run.phase, run.host, key, item, Outcome.UNKNOWN, cause=cause)
            desk.record(lost)


def _settle_step(desk: Desk, run: HostRun, index: int, result: StepResult, cause: str) -> None:
    step, items = run.recipe.steps[index], run.items[index]
    outcome = Outcome.SKIPPED
    if cause:
        outcome = Outcome.FAILED
    elif items.counts[ItemState.DONE]:
        outcome = Outcome.CHANGED
    elif items.lost:
        outcome = Outcome.OK
    tells = bool(cause) and not result.all_told and not step.secret
    said = (result.stderr.tail or result.stderr.head) if tells else b""
    desk.record(
        StepSettled(
            run.phase, run.host, step.key, outcome, None, items.took_s + result.duration_s,
            stderr=said, replayed=result.replayed,
            cause=cause or (_lost_words(step, items) if items.lost else ""),
        )
    )  # fmt: skip


def _why_mute(result: StepResult) -> str:
    text = (result.stderr.tail or result.stderr.head).decode(errors="replace").strip()
    return f"rounds of it end without telling of their items: {text[-300:] or result.end}"


def _lost_words(step: PlanStep, items: ItemsRun) -> str:
    """`2 of 25 instances lost, 7 not begun`."""
    each = step.operation
    assert isinstance(each, Foreach)
    words = f"{items.lost} of {counted(len(items.states), each.noun)} lost"
    unknown = f", {items.unknown} of them unknown" if items.unknown else ""
    return words + unknown + (f", {items.left} not begun" if items.left else "")
