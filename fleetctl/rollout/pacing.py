"""When the next host may begin: limit, connections, throttle, tier guards and pairs. Pure."""

from __future__ import annotations

from collections import deque
from enum import Enum

from fleetctl.base.outcome import Outcome
from fleetctl.rollout import budget
from fleetctl.rollout.desk import BatchWork, Desk
from fleetctl.rollout.records import HostSettled
from fleetctl.rollout.state import PhaseRun

_SOON_S = 1e-9


class Admission(Enum):
    """Why no further host begins right now."""

    EMPTY = "every host of the batch has begun"
    FULL = "as many hosts are in flight as may be"
    LATER = "a start is due later, or hangs on hosts in doubt"


def gather(desk: Desk, number: int) -> BatchWork:
    """The batch's hosts that have not begun, queued by tier in the order of the batch.

    Hosts in doubt from an earlier leg come first: others may hang on what they answer.
    """
    phase = list(desk.state.phases.values())[desk.phase_at]
    queues: dict[str, deque[str]] = {}
    for host in sorted(phase.plan.batches[number], key=lambda host: not _in_doubt(phase, host)):
        run = phase.hosts.get(host)
        if run is None or (run.outcome is None and not run.in_flight):
            queues.setdefault(tier_of(desk, host), deque()).append(host)
    return BatchWork(phase, number, queues)


def _in_doubt(phase: PhaseRun, host: str) -> bool:
    run = phase.hosts.get(host)
    return run is not None and bool(run.open_steps)


def tier_of(desk: Desk, host: str) -> str:
    """Empty for a host the plan does not know."""
    known = desk.plan.hosts.get(host)
    return "" if known is None else known.tier


def next_host(desk: Desk, work: BatchWork) -> str | Admission:
    """The host to begin now, taken from its queue, or why none does."""
    if not any(work.queues.values()):
        return Admission.FULL if work.held_by_pair else Admission.EMPTY
    accounts = desk.state.accounts
    if len(accounts.in_flight) >= _most_in_flight(desk, work):
        return Admission.FULL
    if not desk.state.check_only and budget.at_risk(desk.state, work.phase, work.number):
        return Admission.LATER
    tier = _open_tier(desk, work)
    if tier is None:
        return Admission.FULL
    if not _throttle_allows(desk, work):
        return Admission.LATER
    return work.queues[tier].popleft()


def _most_in_flight(desk: Desk, work: BatchWork) -> int:
    """The limit; and no more than have a connection, but where they are parked at barriers."""
    limit = work.phase.plan.limit
    return limit if work.phase.recipe.has_barriers else min(limit, desk.plan.fanout)


def note_start(desk: Desk, work: BatchWork) -> None:
    """A host has begun: the throttle counts from now."""
    if work.phase.plan.throttle_per_min > 0:
        desk.next_start_s = desk.now_s + 60.0 / work.phase.plan.throttle_per_min


def _open_tier(desk: Desk, work: BatchWork) -> str | None:
    """The tier, among those whose guard lets its first host begin, that is first in the batch."""
    best: str | None = None
    for tier, queue in work.queues.items():
        _pass_over_pairs(desk, work, queue)
        if not queue or not guard_allows(desk, queue[0]):
            continue
        if best is None or work.position[queue[0]] < work.position[work.queues[best][0]]:
            best = tier
    return best


def _pass_over_pairs(desk: Desk, work: BatchWork, queue: deque[str]) -> None:
    """Put aside hosts at the front whose pair has a host in flight; they come back after it."""
    accounts = desk.state.accounts
    while queue:
        pair = accounts.pair_of(queue[0])
        flying = accounts.pairs.get(pair) if pair else None
        if flying is None:
            return
        work.held_by_pair.setdefault(flying, []).append(queue.popleft())


def guard_allows(desk: Desk, host: str) -> bool:
    """Whether the host's tier has room for it to be out."""
    guard = desk.state.accounts.guard_of(host)
    if guard is None or desk.state.check_only:
        return True
    out_after = len(guard.out) + (host not in guard.out)
    return guard.in_flight < guard.guard.limit and out_after <= guard.out_max


def _throttle_allows(desk: Desk, work: BatchWork) -> bool:
    if work.phase.plan.throttle_per_min <= 0 or desk.now_s + _SOON_S >= desk.next_start_s:
        return True
    if ("throttle",) not in desk.timers:
        desk.set_timer(("throttle",), desk.next_start_s - desk.now_s)
    return False


def reason_to_skip(desk: Desk, work: BatchWork, host: str) -> HostSettled | None:
    """What to record instead of beginning a host that must be left alone; None: begin it."""
    phase = work.phase.plan.name
    accounts = desk.state.accounts
    if desk.state.only_failed and (phase, host) not in desk.state.chosen:
        return _skip(phase, host, "only lost hosts are tried again", halted=True)
    if accounts.lost_hosts[host] > 0:
        return _skip(phase, host, "it was lost in an earlier phase")
    for partner in desk.partners.get(host, ()):
        if accounts.lost_hosts[partner] > 0:
            return _skip(phase, host, f"{partner}, the other host of its pair, was lost")
        if partner in accounts.found_down:
            cause = f"{partner}, the other host of its pair, is down"
            return _skip(phase, host, cause, halted=True)
    return None


def _skip(phase: str, host: str, cause: str, *, halted: bool = False) -> HostSettled:
    return HostSettled(phase, host, Outcome.SKIPPED, cause=cause, halted=halted)


def floor_in_words(desk: Desk, work: BatchWork) -> str:
    """Why nothing can begin although nothing is in flight."""
    for queue in work.queues.values():
        if not queue:
            continue
        guard = desk.state.accounts.guard_of(queue[0])
        if guard is not None and not guard_allows(desk, queue[0]):
            sums = guard.guard
            return (
                f"tier {sums.tier} must keep {sums.floor} of {sums.size} hosts up, "
                f"and {len(guard.out)} are down or lost"
            )
    return "no further host may begin"
