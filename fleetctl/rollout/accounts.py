"""The sums a run is steered by: who is in flight, who is lost, per batch, phase, tier and pair."""

from __future__ import annotations

from collections import Counter

from fleetctl.base.outcome import Outcome
from fleetctl.plan.model import Plan, TierGuard
from fleetctl.rollout.heldback import held_back_in
from fleetctl.rollout.hostrun import HostRun
from fleetctl.rollout.records import StepSettled


class GuardSums:
    """One guarded tier: its hosts that are in flight, and those that are not up and untouched."""

    __slots__ = ("guard", "in_flight", "out")

    def __init__(self, guard: TierGuard) -> None:
        self.guard = guard
        self.in_flight = 0
        self.out: set[str] = set()
        """In flight, lost in this run, or found down by the preflight."""

    @property
    def out_max(self) -> int:
        return self.guard.size - self.guard.floor


class Accounts:
    """Kept up to date by `RunState` as hosts change; every question is answered in O(1)."""

    def __init__(self, plan: Plan) -> None:
        self.outcomes: Counter[Outcome] = Counter()
        """Of host runs that are settled, over all phases."""
        self.lost_in_run = 0
        self.lost_in_phase: Counter[str] = Counter()
        self.lost_in_batch: Counter[tuple[str, int]] = Counter()
        self.lost_hosts: Counter[str] = Counter()
        """Host -> in how many phases it is lost."""
        self.lost_items: Counter[str] = Counter()
        """Phase -> items lost in it, on all hosts."""
        self.unknown_items = 0
        self._items: dict[tuple[str, str], tuple[int, int]] = {}
        self.held_back: dict[str, dict[str, int]] = {}
        """Host -> other runs that kept daemon pools down when this one let go of them last."""
        self.halted = 0
        self.used: Counter[str] = Counter()
        """Named limit -> how much of it is in use, by steps whose end is not known."""
        self._uses: dict[str, Counter[str]] = {}
        self._limited = bool(plan.limits)
        self.in_flight: dict[str, HostRun] = {}
        self.doubtful: set[str] = set()
        """Hosts in flight that will likely be lost: they count as spent before a start."""
        self.found_down: frozenset[str] = frozenset()
        self.guards = {guard.tier: GuardSums(guard) for guard in plan.guards}
        self.pairs: dict[str, str] = {}
        """Pair -> its host in flight."""
        self._tier_of = {name: guard.tier for guard in plan.guards for name in guard.hosts}
        self._hosts = plan.hosts

    def guard_of(self, host: str) -> GuardSums | None:
        tier = self._tier_of.get(host)
        if tier is None and host in self._hosts:
            tier = self._hosts[host].tier
        return None if tier is None else self.guards.get(tier)

    def pair_of(self, host: str) -> str:
        known = self._hosts.get(host)
        return "" if known is None else known.pair

    def hear(self, record: StepSettled, under: str) -> None:
        """What a step that asked for daemon pools was told of other runs."""
        if (held := held_back_in([record], under)) is not None:
            self.held_back[record.host] = held

    def take_off(self, run: HostRun) -> None:
        """The host begins: it is in flight."""
        self.in_flight[run.host] = run
        pair = self.pair_of(run.host)
        if pair:
            self.pairs[pair] = run.host
        guard = self.guard_of(run.host)
        if guard is not None:
            guard.in_flight += 1
        self.watch(run)
        self._refresh_guard(run.host)

    def watch(self, run: HostRun) -> None:
        """After any change of a host in flight."""
        if run.doubtful:
            self.doubtful.add(run.host)
        else:
            self.doubtful.discard(run.host)
        if self._limited:
            self._use(run.host, _in_use(run))

    def _use(self, host: str, now: Counter[str]) -> None:
        before = self._uses.pop(host, None)
        if before:
            self.used -= before
        if now:
            self._uses[host] = now
            self.used += now

    def land(self, run: HostRun) -> None:
        """The host run is settled, in flight before or not."""
        self._leave(run)
        self._count(run, 1)

    def take_out(self, run: HostRun) -> None:
        """The host is in flight no more, and not settled: it begins anew later."""
        self._leave(run)
        self._refresh_guard(run.host)

    def _leave(self, run: HostRun) -> None:
        self._use(run.host, Counter())
        if self.in_flight.pop(run.host, None) is not None:
            pair = self.pair_of(run.host)
            if self.pairs.get(pair) == run.host:
                del self.pairs[pair]
            guard = self.guard_of(run.host)
            if guard is not None:
                guard.in_flight -= 1
        self.doubtful.discard(run.host)

    def take_back(self, run: HostRun) -> None:
        """A settled host run is about to be reopened: its outcome does not count any more."""
        self._count(run, -1)

    def set_found_down(self, hosts: frozenset[str]) -> None:
        before, self.found_down = self.found_down, hosts
        for host in before | hosts:
            self._refresh_guard(host)

    def recount_items(self, run: HostRun) -> None:
        """After any change of the host's items."""
        if not run.items:
            return
        place = run.phase, run.host
        lost_before, unknown_before = self._items.get(place, (0, 0))
        lost = sum(items.lost for items in run.items.values())
        unknown = sum(items.unknown for items in run.items.values())
        self._items[place] = lost, unknown
        self.lost_items[run.phase] += lost - lost_before
        self.unknown_items += unknown - unknown_before

    def _count(self, run: HostRun, by: int) -> None:
        assert run.outcome is not None
        self.outcomes[run.outcome] += by
        self.halted += by if run.halted else 0
        if run.outcome.lost:
            self.lost_in_run += by
            self.lost_in_phase[run.phase] += by
            self.lost_in_batch[run.phase, run.batch] += by
            self.lost_hosts[run.host] += by
        elif by > 0 and run.host in self.found_down and run.outcome is not Outcome.SKIPPED:
            self.found_down -= {run.host}
        self._refresh_guard(run.host)

    def _refresh_guard(self, host: str) -> None:
        guard = self.guard_of(host)
        if guard is None:
            return
        if host in self.in_flight or self.lost_hosts[host] > 0 or host in self.found_down:
            guard.out.add(host)
        else:
            guard.out.discard(host)


def _in_use(run: HostRun) -> Counter[str]:
    """What the host's open steps use of named limits."""
    used: Counter[str] = Counter()
    for index in run.open_steps:
        uses = run.recipe.steps[index].uses
        if uses:
            used.update(uses)
    return used
