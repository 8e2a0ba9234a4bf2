"""How many hosts are lost, down and out: what the referee holds budgets and floors against."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping

from fleetctl.base.outcome import Outcome
from fleetctl.plan.model import Plan
from tests.sim.books import HostBook, PhaseBook


class Sums:
    """Kept as records come in, so that a start costs the same in a large fleet."""

    def __init__(self, plan: Plan, phases: Mapping[str, PhaseBook]) -> None:
        self.lost_hosts: Counter[str] = Counter()
        """Host -> in how many phases it is lost."""
        self.down: set[str] = set()
        self.out = {g.tier: (set[str](), frozenset(g.hosts)) for g in plan.guards}
        """Tier with a floor -> its hosts that are in flight, lost or down, and all of them."""
        self.pairs: dict[str, list[str]] = {}
        for host in plan.hosts.values():
            if host.pair:
                self.pairs.setdefault(host.pair, []).append(host.name)
        self._phases = phases

    def set_down(self, hosts: set[str]) -> None:
        """These did not answer the preflight, and no others."""
        before, self.down = self.down, hosts
        for host in before | hosts:
            self.note_out(host)

    def note_out(self, host: str) -> None:
        """Whether the host is in flight, lost or down: it counts against its tier's floor."""
        flying = any(host in phase.flying for phase in self._phases.values())
        for out, hosts in self.out.values():
            if host in hosts:
                if flying or self.lost_hosts[host] or host in self.down:
                    out.add(host)
                else:
                    out.discard(host)

    def count(self, phase: PhaseBook, book: HostBook, by: int) -> None:
        """A host run is settled (`by` 1), or taken up again (-1)."""
        assert book.outcome is not None
        phase.unsettled[book.batch] -= by
        phase.touched[book.batch] += by if book.outcome is not Outcome.SKIPPED else 0
        if book.outcome.lost:
            phase.lost += by
            phase.lost_in_batch[book.batch] += by
            self.lost_hosts[book.host] += by
            self.note_out(book.host)
