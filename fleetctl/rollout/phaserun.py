"""One phase of a run: its batches, its gates, its hosts. Changed by records only."""

from __future__ import annotations

from fleetctl.plan.model import PlanPhase
from fleetctl.rollout.hostrun import HostRun
from fleetctl.rollout.stages import read_recipe
from fleetctl.rollout.tables import BATCH, PHASE, BatchState, GateState, PhaseState


class PhaseRun:
    """What the journal says about one phase."""

    def __init__(self, plan: PlanPhase) -> None:
        self.plan = plan
        self.recipe = read_recipe(plan)
        self.state = PHASE.initial
        self.batches = [BATCH.initial] * len(plan.batches)
        self.unsettled = [len(batch) for batch in plan.batches]
        self.hosts: dict[str, HostRun] = {}
        """Only hosts some record is about; see `RunState.host_run`."""
        self.gates: dict[tuple[int, str], GateState] = {}
        self.well: dict[str, None] = {}
        """Hosts that ended well, in the order they did."""
        self.batch_of = {host: n for n, batch in enumerate(plan.batches) for host in batch}

    def begin_anew(self, batch: int) -> None:
        """The batch has hosts that are to be done: it and its phase are not over any more."""
        if self.batches[batch] is BatchState.ENDED:
            self.batches[batch] = BATCH.initial
            for gate in self.plan.gates:
                self.gates.pop((batch, gate.key), None)
        if self.state is not PhaseState.RUNNING:
            self.state = PHASE.initial
