"""The ends of orders to hosts in flight, as they come in: settle, ask, retry, go on. Pure."""

from __future__ import annotations

from fleetctl.base.outcome import Outcome
from fleetctl.rollout import asking, hosts, mending, results
from fleetctl.rollout.desk import Desk, Errand
from fleetctl.rollout.hostrun import HostRun
from fleetctl.rollout.patience import backoff_s, chance
from fleetctl.rollout.records import OrderLost, RetryPlanned
from fleetctl.rollout.settling import halt, settle, stop
from fleetctl.rollout.tables import HostState
from fleetctl.transport.protocol import (
    Answered,
    Lost,
    Refused,
    Release,
    SegmentEnded,
    StepEnded,
)

_CONNECT_FACTOR, _CONNECT_DELAY_MAX_S = 2.0, 30.0


def end_step(desk: Desk, event: StepEnded) -> None:
    """One step of a segment that is out has ended."""
    errand = desk.errands.get(event.ticket)
    if errand is None or errand.kind != "segment" or errand.run is None:
        return
    run = errand.run
    index = _index_of(errand, run, event.result.key)
    told = event.result.end not in ("running", "interrupted", "absent")  # else: ask, at its end
    if told and run.state is HostState.SENT and index in run.open_steps:
        results.settle_step(desk, run, index, event.result)
        desk.unsent.pop(run.host, None)
        desk.shut_out.pop(run.host, None)


def _index_of(errand: Errand, run: HostRun, key: str) -> int:
    """-1 for a key that was not ordered; an undo may be told under its step's own key."""
    found = errand.names.get(key)
    if found is None and run.way == "undo":
        found = errand.names.get(f"{key}.undo")
    return -1 if found is None else found


def end_segment(desk: Desk, run: HostRun, event: SegmentEnded) -> None:
    """The host is done with an order."""
    if run.open_steps:  # the host ended the order without telling every step: ask it
        detail = "the order ended without an end for each of its steps"
        desk.record(OrderLost(run.phase, run.host, event.ticket, True, "internal", detail))
        asking.ask(desk, run)
        return
    hosts.proceed(desk, run)


def lose_segment(desk: Desk, run: HostRun, event: Lost) -> None:
    """The connection went: ask when something may have been done, else try again."""
    if not run.open_steps:
        hosts.proceed(desk, run)
        return
    desk.record(
        OrderLost(run.phase, run.host, event.ticket, event.sent, event.cause, event.detail)
    )  # fmt: skip
    if event.sent:
        asking.ask(desk, run)
        return
    if event.retryable and _try_again(desk, run, desk.unsent, desk.patience.connects_max):
        return
    cause = f"{event.cause}: {event.detail}"
    _leave_undone(desk, run, Outcome.UNREACHABLE, cause)


def refuse_segment(desk: Desk, run: HostRun, event: Refused) -> None:
    """Nothing of the order was done."""
    if not run.open_steps:
        hosts.proceed(desk, run)
        return
    cause = f"refused ({event.reason}): {event.detail}"
    desk.record(OrderLost(run.phase, run.host, event.ticket, False, event.reason, event.detail))
    if event.reason == "fence":
        stop_fenced(desk, event)
    elif event.reason in ("busy", "runner"):
        _hang_up_shut_out(desk, event)
        if _try_again(desk, run, desk.shut_out, desk.patience.shut_outs_max):
            return
        if run.fault is None and run.way == "on" and desk.state.stop is not None:
            hosts.proceed(desk, run)  # it is not the host's failure: halted where it is
            return
    _leave_undone(desk, run, Outcome.FAILED, cause, halted=event.reason == "fence")


def _hang_up_shut_out(desk: Desk, event: Refused) -> None:
    """A late order over an older connection has shut this one out: the next try takes a new one."""
    if event.reason == "runner":
        desk.send(Release(event.host))


def stop_fenced(desk: Desk, event: Refused) -> None:
    """Somebody newer works on this fleet: this run keeps its hands off it."""
    holder = event.holder or "a newer run"
    stop(desk, "fence", f"{event.host} obeys {holder} (fence {event.fence})")


def _leave_undone(
    desk: Desk, run: HostRun, outcome: Outcome, cause: str, *, halted: bool = False
) -> None:
    """No order reaches the host: settle it as it is."""
    fault = run.fault
    if run.mending is not None:
        mending.settle_again(desk, run, outcome, cause)
    elif fault is not None:
        words = fault.cause if run.way == "restore" else f"{fault.cause}; not undone: {cause}"
        settle(desk, run, fault.outcome, fault.key, words, unsent=cause)
    elif run.way == "restore" and desk.state.stop is not None and run.next_step < len(run.steps):
        halt(desk, run, unsent=cause)
    else:
        at = min(run.next_step, len(run.steps) - 1)
        words = "" if run.way == "restore" else cause
        key = run.recipe.steps[at].key
        settle(desk, run, outcome, key, words, halted=halted, unsent=cause)


def _try_again(desk: Desk, run: HostRun, counts: dict[str, int], most: int) -> bool:
    """Plan another try at an order of which nothing was done; False when it was tried enough."""
    tries = counts.get(run.host, 0) + 1
    counts[run.host] = tries
    patience = desk.patience
    going_on = run.fault is None and run.way == "on"  # what takes it back is brought to an end
    stopping = desk.state.stop is not None and going_on
    if tries >= most or stopping:
        return False
    luck = chance(desk.state.seed, run.host, "connect", run.attempt, tries)
    after_s = backoff_s(
        patience.connect_delay_s, _CONNECT_FACTOR, _CONNECT_DELAY_MAX_S, tries, luck
    )  # fmt: skip
    desk.record(RetryPlanned(run.phase, run.host, after_s, "connect", try_no=tries + 1))
    desk.set_timer(("retry", run.phase, run.host), after_s)
    return True


def end_ask(desk: Desk, run: HostRun, event: Answered | Lost | Refused, errand: Errand) -> None:
    """The answer to an ask, or the news that there is none."""
    if run.state is not HostState.ASKED:
        return
    if isinstance(event, Answered):
        asking.take_answer(desk, run, event, errand)
    elif isinstance(event, Lost):
        asking.lose_ask(desk, run, event)
    else:
        if event.reason == "fence":
            stop_fenced(desk, event)
        _hang_up_shut_out(desk, event)
        asking.refuse_ask(desk, run, event)
    hosts.proceed(desk, run)
