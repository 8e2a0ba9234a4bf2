"""Whether a host may begin: promises 1 and 2, from the referee's books."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tests.sim.books import HostBook, PhaseBook, demand

if TYPE_CHECKING:
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
