"""A Saturday push over 44 hosts as its journal would tell it, with the troubles asked for."""

from __future__ import annotations

import random
from collections.abc import Iterator, Mapping, Sequence
from typing import NamedTuple

from fleetctl.base.outcome import Outcome
from fleetctl.inventory.model import Host, Login
from fleetctl.plan.model import Budget, Gate, Plan, PlanPhase, PlanStep
from fleetctl.playbook.operations import Approval, Exec, HostProbe
from fleetctl.report.reading import Entry
from fleetctl.report.story import RunStory
from fleetctl.rollout import records as r

START_S = 1_795_248_000.0
TIERS = {"secure": 4, "db": 16, "repo": 16, "web": 4, "build": 3, "bastion": 1}
_RAMPS: Mapping[str, Sequence[int]] = {"secure": (1, 1, 1, 1), "db": (1, 4, 4, 4, 3),
                                       "repo": (1, 4, 8, 3), "web": (1, 1, 2)}  # fmt: skip


class Troubles(NamedTuple):
    """What goes wrong."""

    failing: tuple[str, ...] = ()
    """Hosts whose schema upgrade, or restart, fails."""
    retried: tuple[str, ...] = ()
    slow: tuple[str, ...] = ()
    lost: tuple[str, ...] = ()
    """Hosts whose connection goes in the middle of the first step, and that are asked."""


NONE = Troubles()


def names_of(tier: str, count: int) -> tuple[str, ...]:
    """`db001`, ..."""
    return tuple(f"{tier}{number:03d}" for number in range(1, count + 1))


def weekend_plan(tiers: Mapping[str, int] = TIERS) -> Plan:
    """Each tier a phase: stop, deploy, upgrade, start, verify."""
    phases: list[PlanPhase] = []
    hosts: dict[str, Host] = {}
    before = ""
    for number, (tier, count) in enumerate(tiers.items(), 1):
        names = names_of(tier, count)
        hosts |= {name: Host(name, tier, f"10.{number}.0.{at}", Login())
                  for at, name in enumerate(names)}  # fmt: skip
        phases.append(_phase(number, tier, names, before))
        before = tier
    live = dict.fromkeys(hosts, "2026-11-15-aa")
    return Plan(
        fleet="phacility", title="Saturday push", hosts=hosts, phases=tuple(phases), guards=(),
        budget=Budget(1), releases=dict.fromkeys(tiers, "2026-11-22-bb"), live=live, inputs={},
        estimate_s=600.0,
    )  # fmt: skip


def _phase(number: int, tier: str, names: tuple[str, ...], before: str) -> PlanPhase:
    titles = ["stop the daemons", "unpack 2026-11-22-bb", "switch to 2026-11-22-bb",
              "upgrade the schemas", "read the live release"]  # fmt: skip
    kinds = ["run", "deploy.unpack", "deploy.switch", "run", "deploy.live"]
    steps = tuple(
        PlanStep(f"p{number}-s{at:02d}-{kind}", title, Exec("true"), 600.0, barrier=at == 3,
                 reads_release=kind.endswith("live"))
        for at, (title, kind) in enumerate(zip(titles, kinds, strict=True), 1)
    )  # fmt: skip
    gates = [Gate(f"p{number}-g01-command", "the daemons are up", HostProbe("true"), soak_s=5.0)]
    if tier == "db":
        question = "Secure runs the new release. Upgrade the databases?"
        gates.append(Gate("p2-g02-approval", question, Approval(question), when="before"))
    sizes, batches, at = [*_RAMPS.get(tier, (len(names),))], [], 0
    while at < len(names):
        size = sizes.pop(0) if sizes else 8
        batches.append(names[at : at + size])
        at += size
    return PlanPhase(tier, (before,) if before else (), tuple(batches), steps, tuple(gates),
                     Budget(1), 8, release="2026-11-22-bb")  # fmt: skip


class Weekend:
    """Plays a plan into records; always the same way."""

    def __init__(self, plan: Plan, troubles: Troubles = NONE, run: str = "1122-0600-k3f") -> None:
        self.plan = plan
        self.run = run
        self.troubles = troubles
        self.chance = random.Random(1)
        self.now_s = START_S
        self.told: list[tuple[float, r.Record]] = []
        self._ticket = 0

    def tell(self, *records: r.Record, at_s: float | None = None) -> None:
        self.told += [(self.now_s if at_s is None else at_s, record) for record in records]

    def play(self) -> list[Entry]:
        """The whole run; it stops after the batch in which a host is lost for good."""
        opened = r.RunOpened(self.run, "c0ffee" * 10, 7, "ann@desk 42",
                             ("push", "playbooks/saturday-push.yaml"), 1)  # fmt: skip
        self.tell(opened)
        code = 0
        for phase in self.plan.phases:
            if not self._phase(phase):
                code = 6
                break
        self.now_s += 1
        self.tell(r.RunEnded(code))
        ordered = sorted(self.told, key=lambda told: told[0])
        return [Entry(seq, wall_s, record) for seq, (wall_s, record) in enumerate(ordered, 1)]

    def _phase(self, phase: PlanPhase) -> bool:
        self.tell(r.PhaseBegan(phase.name))
        self._gates(phase, "before", -1)
        well = True
        for number in range(len(phase.batches)):
            self.tell(r.BatchBegan(phase.name, number))
            well = self._batch(phase, number)
            if not well:
                self.tell(r.StopOrdered("budget", "2 hosts lost, 1 is allowed"))
                break
            self._gates(phase, "after", number)
            self.tell(r.BatchEnded(phase.name, number))
        self.tell(r.PhaseEnded(phase.name, well))
        return well

    def _gates(self, phase: PlanPhase, when: str, batch: int) -> None:
        for gate in (gate for gate in phase.gates if gate.when == when):
            self.tell(r.GateAsked(phase.name, batch, gate.key))
            person = isinstance(gate.probe, Approval)
            self.now_s += 41 if person else 6 + self.chance.random() * 4
            by = "ben@laptop 7" if person else ""
            self.tell(r.GateSettled(phase.name, batch, gate.key, True, by))

    def _batch(self, phase: PlanPhase, number: int) -> bool:
        hosts = phase.batches[number]
        ends = []
        barrier_s = self.now_s
        ready = {}
        for host in hosts:
            ready[host] = self._until_barrier(phase, host)
            barrier_s = max(barrier_s, ready[host])
        for host in hosts:
            ends.append(self._after_barrier(phase, host, barrier_s + 0.1))
        self.now_s = max(ends)
        return sum(host in self.troubles.failing for host in hosts) < 2

    def _until_barrier(self, phase: PlanPhase, host: str) -> float:
        at_s = self.now_s + self.chance.random()
        keys = [step.key for step in phase.steps]
        self.tell(r.HostBegan(phase.name, host, 1), at_s=at_s)
        self._send(phase, host, keys[:3], at_s)
        at_s += 0.4
        if host in self.troubles.lost:
            self.tell(r.OrderLost(phase.name, host, self._ticket, True, "reset", "by peer"),
                      at_s=at_s + 3)  # fmt: skip
            self.tell(r.AskSent(phase.name, host, self._ticket, tuple(keys[:3])), at_s=at_s + 4)
            at_s += 14
        for step in phase.steps[:3]:
            at_s += self._step(phase, host, step, at_s, 2 + self.chance.random() * 6)
        return at_s

    def _after_barrier(self, phase: PlanPhase, host: str, at_s: float) -> float:
        keys = [step.key for step in phase.steps]
        upgrade, live = phase.steps[3:]
        self._send(phase, host, keys[3:], at_s)
        took_s = 8 + self.chance.random() * 4
        if host in self.troubles.retried:
            self._fail(phase, host, upgrade, at_s + 5, 5.0)
            retry = r.RetryPlanned(phase.name, host, 4.0, "step", upgrade.key, 2)
            self.tell(retry, at_s=at_s + 5)
            at_s += 9
            self._send(phase, host, keys[3:], at_s)
        if host in self.troubles.slow:
            took_s *= 4
        if host in self.troubles.failing:
            self._fail(phase, host, upgrade, at_s + took_s, took_s)
            end = r.HostSettled(phase.name, host, Outcome.FAILED, "", upgrade.key,
                                "exit 1: ERROR 1114 (HY000): The table is full")  # fmt: skip
            self.tell(end, at_s=at_s + took_s)
            return at_s + took_s
        at_s += self._step(phase, host, upgrade, at_s, took_s)
        at_s += self._step(phase, host, live, at_s, 0.3)
        self.tell(
            r.HostSettled(phase.name, host, Outcome.CHANGED, "2026-11-22-bb"), at_s=at_s
        )  # fmt: skip
        return at_s

    def _send(self, phase: PlanPhase, host: str, keys: Sequence[str], at_s: float) -> None:
        self._ticket += 1
        self.tell(r.SegmentSent(phase.name, host, self._ticket, tuple(keys)), at_s=at_s)

    def _step(
        self, phase: PlanPhase, host: str, step: PlanStep, at_s: float, took_s: float
    ) -> float:
        stdout = b"2026-11-22-bb\n" if step.reads_release else b""
        self.tell(
            r.StepSettled(phase.name, host, step.key, Outcome.CHANGED, 0, took_s, stdout),
            at_s=at_s + took_s,
        )
        return took_s

    def _fail(
        self, phase: PlanPhase, host: str, step: PlanStep, at_s: float, took_s: float
    ) -> None:
        said = b"upgrading phabricator_file\nERROR 1114 (HY000): The table 'file' is full\n"
        self.tell(
            r.StepSettled(phase.name, host, step.key, Outcome.FAILED, 1, took_s, stderr=said,
                          cause="exit 1: ERROR 1114 (HY000): The table is full"),
            at_s=at_s,
        )  # fmt: skip


def weekend_story(
    troubles: Troubles = NONE,
    tiers: Mapping[str, int] = TIERS,
) -> RunStory:
    """The story of one."""
    plan = weekend_plan(tiers)
    return RunStory(plan).take(Weekend(plan, troubles).play())


def samples(story: RunStory) -> Iterator[tuple[str, str, str, float]]:
    """(title, tier, host, seconds) of every step that changed something."""
    for host in story.hosts.values():
        for step in host.steps.values():
            if step.outcome is Outcome.CHANGED:
                tier = story.plan.hosts[host.host].tier
                yield story.titles[step.key], tier, host.host, step.duration_s
