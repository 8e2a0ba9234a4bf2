"""Whether a host may begin: promises 1 and 2, from the referee's books."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tests.sim.books import HostBook, PhaseBook, base_of, demand

if TYPE_CHECKING:
    from fleetctl.rollout.records import SegmentSent
    from tests.sim.referee import Referee


def check_before_start(referee: Referee, phase: PhaseBook, book: HostBook) -> None:
    """The budgets have room, the gates are open, what is needed is over."""
    _check_budgets(referee, phase, book)
    _check_gates(phase, book)
    for need in phase.plan.needs:
        left = sum(referee.phases[need].unsettled)
        demand(not left, "2: begun while a needed phase is not over", book.host, need, left)


def check_after_start(referee: Referee, phase: PhaseBook, book: HostBook) -> None:
    """No more are in flight than may be, and as many are left as must be."""
    flying = [b for p in referee.phases.values() for b in p.flying.values()]
    demand(len(flying) <= phase.plan.limit, "2: more in flight than the limit", len(flying))
    if not phase.has_barriers:
        most = referee.plan.fanout
        demand(len(flying) <= most, "2: more in flight than connections", len(flying))
    demand(len({(b.phase, b.batch) for b in flying}) == 1, "2: two batches in flight", book)
    _check_pair(referee, book, {b.host for b in flying})
    _check_floor(referee, book, {b.host for b in flying})


def check_limits(referee: Referee, sent: SegmentSent) -> None:
    """Of what all share no more is in use than there is, and no faster than may be."""
    uses = [referee.steps[key].uses or {} for key in sent.keys]
    mine = next((one for one in uses if one), {})
    demand(not mine or len(uses) == 1, "2: a named limit taken for several steps", sent)
    flying = [book for phase in referee.phases.values() for book in phase.flying.values()]
    out = [referee.steps[base_of(key)].uses or {} for book in flying for key in book.open]
    for name, weight in mine.items():
        limit = (referee.plan.limits or {})[name]
        used = sum(one.get(name, 0) for one in out)
        if limit.at_once:
            demand(used <= limit.at_once, "2: more of a named limit in use", name, used, sent.host)
        if limit.per_s:
            _check_rate(referee, name, weight / limit.per_s)


def _check_rate(referee: Referee, name: str, spacing_s: float) -> None:
    """Starts are as far apart as the turns that decided them."""
    now_s, place = referee.turned_s, (referee.legs, name)
    due_s = referee.next_use_s.get(place, 0.0)
    demand(now_s > due_s - 0.001, "2: a named limit taken too fast", name, now_s, due_s)
    referee.next_use_s[place] = now_s + spacing_s


def _check_budgets(referee: Referee, phase: PhaseBook, book: HostBook) -> None:
    """Who is in doubt counts as lost."""
    doubtful = sum(b.doubtful for p in referee.phases.values() for b in p.flying.values())
    budget, run = phase.plan.budget, referee.plan.budget.per_phase
    lost = sum(p.lost for p in referee.phases.values())
    where = f"{book.phase}/{book.host}"
    demand(lost + doubtful <= run, "1: begun over the run's budget", where, lost, doubtful)
    spent = phase.lost + doubtful
    demand(spent <= budget.per_phase, "1: begun over the phase's budget", where, spent)
    if budget.per_batch is not None:
        spent = phase.lost_in_batch[book.batch] + doubtful
        demand(spent <= budget.per_batch, "1: begun over the batch's budget", where, spent)


def _check_gates(phase: PhaseBook, book: HostBook) -> None:
    for batch in range(book.batch):
        demand(not phase.unsettled[batch], "2: two batches at once", book.host, batch)
    for gate in phase.plan.gates:
        if gate.when == "before":
            demand(phase.gates.get((-1, gate.key), False), "1: begun before a gate", book.host)
            continue
        for batch in range(book.batch):
            held = not phase.touched[batch] or phase.gates.get((batch, gate.key), False)
            demand(held, "1: begun although a gate is not open", book.host, gate.key, batch)


def _check_pair(referee: Referee, book: HostBook, flying: set[str]) -> None:
    pair = referee.plan.hosts[book.host].pair
    others = [host for host in referee.sums.pairs.get(pair, ()) if host != book.host]
    for other in others:
        demand(other not in flying, "2: both of a pair in flight", book.host, other)
        demand(not referee.sums.lost_hosts[other], "2: begun although its pair is lost", book.host)


def _check_floor(referee: Referee, book: HostBook, flying: set[str]) -> None:
    tier = referee.plan.hosts[book.host].tier
    for guard in referee.plan.guards:
        if guard.tier != tier:
            continue
        out, every = referee.sums.out[tier]
        mine = flying & every
        demand(len(mine) <= guard.limit, "2: more of a tier than its limit", book.host, mine)
        demand(guard.size - len(out) >= guard.floor, "2: below the floor", book.host, out)
