"""How much may be touched and lost: budgets, limits, floors, worked out to counts.

What is allowed is rounded down, what must remain is rounded up.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from msgspec import UNSET

from fleetctl.inventory.amount import hosts_of
from fleetctl.inventory.model import Fleet, Tier
from fleetctl.plan.model import Budget, PlanPhase, PlanStep, TierGuard
from fleetctl.plan.request import Overrides
from fleetctl.playbook.model import Phase
from fleetctl.playbook.units import Amount


def floor_of(tier: Tier) -> int:
    """Hosts of the tier that must stay up."""
    return hosts_of(tier.floor, len(tier.hosts), up=True) if tier.floor else 0


def guards_of(fleet: Fleet, tiers: Iterable[str]) -> tuple[TierGuard, ...]:
    """One guard a tier, in the order of the inventory."""
    wanted = set(tiers)
    return tuple(_guard(tier) for tier in fleet.tiers.values() if tier.name in wanted)


def _guard(tier: Tier) -> TierGuard:
    return TierGuard(tier.name, len(tier.hosts), floor_of(tier), _limit_of(tier), tier.hosts)


def _limit_of(tier: Tier) -> int:
    size = len(tier.hosts)
    return max(1, hosts_of(tier.limit, size, up=False)) if tier.limit else size


def phase_limit(
    phase: Phase, steps: Sequence[PlanStep], size: int, tiers: Sequence[Tier], overrides: Overrides
) -> int:
    """Most hosts of the phase in flight at once: the least of all that is said, at least 1.

    A host parked at a barrier is in flight and needs no connection: there the fanout says nothing.
    """
    of_tiers = [min(_limit_of(tier), len(tier.hosts) - floor_of(tier)) for tier in tiers]
    said = [size, sum(of_tiers)]
    if not any(step.barrier for step in steps[:-1]):
        said.append(overrides.fanout)
    said += [amount.floor_of(size) for amount in (phase.text.limit, overrides.limit) if amount]
    return max(1, min(said))


def throttle_per_min(phase: Phase, tiers: Sequence[Tier], overrides: Overrides) -> float:
    """Most host starts a minute: the slowest of all that is said; 0 when nothing is."""
    said = [float(phase.text.throttle or 0), overrides.throttle_per_min or 0]
    said += [tier.throttle_per_min for tier in tiers]
    return min((float(rate) for rate in said if rate), default=0.0)


def phase_budget(
    phase: Phase, size: int, run: Amount | None, overrides: Overrides, run_size: int
) -> Budget:
    """The phase's own budget, else the run's; never more than --max-failures, else 0."""
    wanted = phase.budget.phase
    most = overrides.max_failures
    if wanted is not None:
        lost = wanted.floor_of(size)
        lost = lost if most is None else min(lost, most.floor_of(run_size))
    else:
        either = most if most is not None else run
        lost = either.floor_of(run_size) if either is not None else 0
    batch = phase.budget.batch
    return Budget(
        per_phase=lost,
        per_batch=None if batch is None else min(batch, lost),
        items=phase.budget.items or UNSET,
    )


def run_budget(
    run: Amount | None, phases: Sequence[PlanPhase], overrides: Overrides, run_size: int
) -> Budget:
    """Over the whole run; when nothing says one, what the phases allow together."""
    said = [amount for amount in (run, overrides.max_failures) if amount is not None]
    if said:
        return Budget(per_phase=min(amount.floor_of(run_size) for amount in said))
    return Budget(per_phase=sum(phase.budget.per_phase for phase in phases))


def batch_caps(tiers: Mapping[str, Tier]) -> dict[str, int]:
    """Tier -> how many of it one batch may hold without going below its floor; may be 0."""
    return {name: len(tier.hosts) - floor_of(tier) for name, tier in tiers.items()}
