"""What became of an order that was lost after it was sent: ask the host, never guess. Pure."""

from __future__ import annotations

from fleetctl.base.outcome import Outcome
from fleetctl.playbook.operations import Exec
from fleetctl.rollout import items, results, rounds, segments
from fleetctl.rollout.desk import Asking, Desk, Errand
from fleetctl.rollout.hostrun import HostRun
from fleetctl.rollout.patience import backoff_s, chance
from fleetctl.rollout.records import AskAnswered, OrderLost, RetryPlanned, StepSettled
from fleetctl.rollout.tables import HostState
from fleetctl.transport.protocol import Answered, Kill, Lost, Refused

_RUNNING_PAUSE_S = 1.0
_NO_END = frozenset({"absent", "interrupted", "running"})


def ask(desk: Desk, run: HostRun) -> None:
    """Ask about the host's open steps, now."""
    if run.host not in desk.asking:
        within_s = sum(rounds.timeout_s(run, index) for index in run.open_steps)
        desk.asking[run.host] = Asking(desk.now_s + within_s + desk.patience.grace_s)
    segments.send_ask(desk, run)


def lose_ask(desk: Desk, run: HostRun, event: Lost) -> None:
    """The ask itself was lost: ask again later, or give up when that went on too long."""
    desk.record(
        OrderLost(run.phase, run.host, event.ticket, event.sent, event.cause, event.detail)
    )  # fmt: skip
    if not event.retryable:
        give_up(desk, run, f"cannot be asked: {event.detail}")
        return
    _ask_later(desk, run, event.detail)


def refuse_ask(desk: Desk, run: HostRun, event: Refused) -> None:
    """The host does not answer: another run holds it, or its disk is full."""
    desk.record(OrderLost(run.phase, run.host, event.ticket, False, event.reason, event.detail))
    if event.reason == "fence":
        give_up(desk, run, f"the host obeys a newer run: {event.detail}")
        return
    _ask_later(desk, run, event.detail)


def _ask_later(desk: Desk, run: HostRun, detail: str) -> None:
    asking, patience = desk.asking[run.host], desk.patience
    asking.lost += 1
    if asking.lost == 1:
        asking.silent_since_s = desk.now_s
    late = desk.now_s >= asking.silent_since_s + patience.asks_within_s
    if asking.lost >= (patience.asks_least if late else patience.asks_max):
        give_up(desk, run, f"asked {asking.lost} times without an answer: {detail}")
        return
    luck = chance(desk.state.seed, run.host, "ask", run.attempt, asking.lost)
    after_s = backoff_s(
        patience.ask_delay_s, 2.0, patience.ask_delay_max_s, asking.lost, luck
    )  # fmt: skip
    _plan(desk, run, after_s, asking.lost + 1)


def _plan(desk: Desk, run: HostRun, after_s: float, try_no: int = 1) -> None:
    desk.record(RetryPlanned(run.phase, run.host, after_s, "ask", try_no=try_no))
    desk.set_timer(("ask", run.phase, run.host), after_s)


def take_answer(desk: Desk, run: HostRun, event: Answered, errand: Errand) -> None:
    """Settle what the answer settles; the host is ready when nothing is in doubt any more."""
    told = [(errand.names.get(result.key), result) for result in event.results]
    for index, result in told:
        if index in run.open_steps and result.end not in _NO_END:
            results.settle_step(desk, run, index, result)
    # A failure ends its order, so what was open may not be any more: whatever the answer's order.
    endless = {index: result.end for index, result in told if index in run.open_steps}
    absent = [index for index, end in endless.items() if end == "absent"]
    broken = [index for index, end in endless.items() if end == "interrupted"]
    again = [index for index in broken if may_run_again(run, index)]
    if absent or again:
        desk.record(
            AskAnswered(run.phase, run.host, event.ticket, _keys(run, absent), _keys(run, again))
        )  # fmt: skip
    for index in broken:
        if index in run.open_steps:
            _end_broken(desk, run, index)
    if run.state is HostState.READY:
        desk.asking.pop(run.host, None)
        return
    _still_running(desk, run)


def _end_broken(desk: Desk, run: HostRun, index: int) -> None:
    """The host cannot say how the step ended: a person who looked may have, else nobody knows."""
    key = run.recipe.steps[index].key
    if run.told.get(index) == "done":
        cause = "a person looked, and says it was done"
        record = StepSettled(
            run.phase, run.host, key, Outcome.CHANGED, undo=run.way == "undo", cause=cause
        )
        desk.record(record)
        return
    lose_step(desk, run, index, "it was begun, and its process is gone without a recorded end")


def _keys(run: HostRun, indices: list[int]) -> tuple[str, ...]:
    return tuple(run.recipe.steps[index].key for index in indices)


def _still_running(desk: Desk, run: HostRun) -> None:
    """Ask again until the step's own deadline is long past; then kill it, then give up."""
    asking = desk.asking[run.host]
    asking.lost = 0
    if desk.now_s >= asking.deadline_s:
        if asking.killed:
            give_up(desk, run, "it still runs after its deadline, and could not be stopped")
            return
        asking.killed = True
        asking.deadline_s = desk.now_s + desk.patience.grace_s
        send_kill(desk, run)
    _plan(desk, run, _RUNNING_PAUSE_S)


def send_kill(desk: Desk, run: HostRun) -> None:
    """Stop what runs on the host; its own order tells how it ended."""
    ticket = desk.ticket(Errand("kill", run.host, run))
    state = desk.state
    desk.send(Kill(ticket, run.host, state.run, state.fence_for(run.host), state.under))


def give_up(desk: Desk, run: HostRun, cause: str) -> None:
    """No answer will come: each open step is unknown, and so is the host."""
    desk.drop_timer(("ask", run.phase, run.host))
    desk.silent.add(run.host)
    for index in list(run.open_steps):
        lose_step(desk, run, index, cause)


def lose_step(desk: Desk, run: HostRun, index: int, cause: str) -> None:
    """A step of the host is unknown, for good unless somebody asks again."""
    if rounds.is_round(run, index):
        items.give_up(desk, run, index, cause)
    key = run.recipe.steps[index].key
    desk.record(
        StepSettled(
            run.phase, run.host, key, Outcome.UNKNOWN, undo=run.way == "undo", cause=cause,
            restore=run.way == "restore",
        )
    )  # fmt: skip


def may_run_again(run: HostRun, index: int) -> bool:
    """Whether a step that was begun and left without an end may be sent again.

    A restore may: it is meant to. An undo may not, whatever a person says: nobody declares one
    idempotent. What a person says is
    done is not, but for reading the release back: that has to be seen.
    """
    if run.way == "restore":
        return run.duties.may_run_again(index)
    if rounds.is_round(run, index):
        return True  # the host's record of each item says what may be begun
    step = run.recipe.steps[index]
    if run.told.get(index) == "done" and not step.reads_release:
        return False
    if not isinstance(step.operation, Exec):
        return True  # the same file laid down again is the same file
    if run.way == "undo":
        return False
    if run.told.get(index) == "again":
        return True
    return step.retry is not None or bool(step.operation.check) or step.reads_release
