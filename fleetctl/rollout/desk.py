"""What the reducer has in hand: the state, what this controller has out, and the turn's decisions.

Everything here besides `state` is lost when the controller dies, and found again by asking.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable
from typing import Literal, NamedTuple

from fleetctl.inventory.model import Host
from fleetctl.plan.model import Gate, Plan
from fleetctl.rollout.hostrun import HostRun
from fleetctl.rollout.messages import Outgoing, SetTimer, TimerKey
from fleetctl.rollout.patience import Patience
from fleetctl.rollout.records import Record
from fleetctl.rollout.state import PhaseRun, RunState

ErrandKind = Literal["segment", "ask", "kill", "check", "gate", "preflight"]


class Errand(NamedTuple):
    """An order that is out."""

    kind: ErrandKind
    host: str
    run: HostRun | None = None
    names: dict[str, int] = {}  # noqa: RUF012 - never changed
    """Key on the host -> index of the step."""


class Asking:
    """How the asking of one host in doubt goes."""

    __slots__ = ("deadline_s", "killed", "lost", "silent_since_s")

    def __init__(self, deadline_s: float) -> None:
        self.lost = 0
        """Asks in a row."""
        self.silent_since_s = 0.0
        self.deadline_s = deadline_s
        self.killed = False


class BatchWork:
    """The batch at hand: who has not begun, who has parked where."""

    def __init__(self, phase: PhaseRun, number: int, queues: dict[str, deque[str]]) -> None:
        self.phase = phase
        self.number = number
        self.queues = queues
        """Tier -> hosts not begun, in the order of the batch."""
        self.position = {host: at for at, host in enumerate(phase.plan.batches[number])}
        self.held_by_pair: dict[str, list[str]] = {}
        """Host in flight -> its pair's other hosts of this batch, to begin after it."""
        self.stage_of: dict[str, int] = {}
        """Hosts in flight -> the stage they are in or parked before."""
        self.at_stage = [0] * (len(phase.recipe.stages) + 1)
        self.parked: dict[int, dict[str, HostRun]] = {}
        """Stage -> hosts that may not enter it yet."""
        self.after_election: dict[tuple[str, str], list[HostRun]] = {}
        """Hosts whose next step runs once, on another."""
        self.after_answer: dict[str, list[HostRun]] = {}
        """Question -> hosts whose next step a person does."""
        self.opened = 0
        """The latest stage whose barrier is open."""
        self.entered: dict[str, int] = {}
        """Hosts in doubt from an earlier leg -> the stage they had been let into."""
        self.gathering = True
        """Hosts may begin; with barriers only until the first of them opens."""

    def place(self, run: HostRun, stage: int) -> None:
        """The host is in or before this stage now."""
        self.remove(run.host)
        self.stage_of[run.host] = stage
        self.at_stage[stage] += 1

    def remove(self, host: str) -> None:
        before = self.stage_of.pop(host, None)
        if before is not None:
            self.at_stage[before] -= 1
            self.parked.get(before, {}).pop(host, None)

    def requeue(self, host: str, tier: str) -> None:
        self.queues.setdefault(tier, deque()).appendleft(host)


class GateWork:
    """The gate being asked."""

    def __init__(self, phase: PhaseRun, batch: int, gate: Gate, hosts: list[str]) -> None:
        self.phase = phase
        self.batch = batch
        self.gate = gate
        self.hosts = hosts
        self.deadline_s = 0.0
        self.held_since_s: float | None = None
        self.out: dict[int, str] = {}
        """Ticket -> host, of probes that have no answer yet."""
        self.failures: list[tuple[str, str]] = []
        """Host and detail, of this round."""


class Desk:
    """One controller's working memory. `record` is the only way to change the state."""

    def __init__(self, plan: Plan, state: RunState, patience: Patience) -> None:
        self.plan = plan
        self.state = state
        self.patience = patience
        self.now_s = 0.0
        self.records: list[Record] = []
        self.orders: list[Outgoing] = []
        self.errands: dict[int, Errand] = {}
        self.busy: dict[str, int] = {}
        """Host in flight -> the ticket of its order that is out."""
        self.timers: dict[TimerKey, int] = {}
        self.asking: dict[str, Asking] = {}
        self.silent: set[str] = set()
        """Hosts in flight that gave no answer when they were asked: nothing is sent to them."""
        self.held: set[str] = set()
        """Hosts that are not put back before an order to kill has come to its end."""
        self.mending = False
        """Hosts are being put back that an earlier leg left behind: nothing begins meanwhile."""
        self.unsent: dict[str, int] = {}
        """Host in flight -> orders lost in a row before they were sent."""
        self.shut_out: dict[str, int] = {}
        """Host in flight -> orders in a row the host refused for another connection's sake."""
        self.rested: set[str] = set()
        """Hosts in flight whose failed items may be tried again when their timer is due."""
        self.phase_at = 0
        self.batch_at = 0
        self.ahead = False
        """Hosts in flight were found further on than others that are to be done: those come first,
        once nobody is in flight any more."""
        self.work: BatchWork | None = None
        self.gate: GateWork | None = None
        self.preflight: set[str] | None = None
        """Hosts that have not answered the preflight; None: not begun."""
        self.down: list[str] = []
        self.next_start_s = 0.0
        self.lined_up: dict[str, HostRun] = {}
        """Hosts in flight that want what others use just now, the first one first."""
        self.turn = ""
        """The host that was just let out of the line."""
        self.next_use_s: dict[str, float] = {}
        """Named limit -> when the next step may begin that uses it."""
        self.sweep = False
        """A stop was ordered: hosts of which nothing is out must be halted."""
        self.last_ticket = state.last_ticket
        self.last_timer = 0
        self.last_phase = {
            host: n for n, phase in enumerate(plan.phases) for b in phase.batches for host in b
        }
        self.partners = _partners(plan.hosts.values())

    def record(self, record: Record) -> None:
        self.state.apply(record)
        self.records.append(record)

    def send(self, order: Outgoing) -> None:
        self.orders.append(order)

    def ticket(self, errand: Errand) -> int:
        """A new ticket for an order about to go out."""
        self.last_ticket += 1
        self.errands[self.last_ticket] = errand
        if errand.run is not None and errand.kind != "kill":
            self.busy[errand.host] = self.last_ticket
        return self.last_ticket

    def close(self, ticket: int) -> Errand | None:
        """The order with this ticket has had its final event; None when it is not ours."""
        errand = self.errands.pop(ticket, None)
        if errand is not None and self.busy.get(errand.host) == ticket:
            del self.busy[errand.host]
        return errand

    def set_timer(self, key: TimerKey, after_s: float) -> None:
        self.last_timer += 1
        self.timers[key] = self.last_timer
        self.send(SetTimer(key, self.last_timer, after_s))

    def drop_timer(self, key: TimerKey) -> None:
        self.timers.pop(key, None)


def _partners(hosts: Iterable[Host]) -> dict[str, tuple[str, ...]]:
    """Host -> the other hosts of its pair."""
    pairs: dict[str, list[str]] = {}
    for host in hosts:
        if host.pair:
            pairs.setdefault(host.pair, []).append(host.name)
    return {
        name: tuple(other for other in names if other != name)
        for names in pairs.values()
        for name in names
    }
