"""Random plans: ramps x budgets x floors x pairs x retries x undo x once x gates x lockstep."""

from __future__ import annotations

import random
from collections.abc import Mapping
from typing import Literal

from msgspec import UNSET
from msgspec.structs import replace

from fleetctl.inventory.model import Host
from fleetctl.plan.model import Budget, Gate, Plan, PlanPhase, PlanStep, TierGuard
from fleetctl.playbook.operations import (
    Approval,
    Exec,
    HostProbe,
    LocalProbe,
    Manual,
    Pause,
    Probe,
    Put,
    Retry,
    TcpProbe,
)
from tests.rollout.builders import (
    a_foreach,
    a_host,
    a_hostless,
    a_manual,
    a_pause,
    a_phase,
    a_plan,
    a_step,
    hosts_named,
    limiting,
    using,
)

_TIERS = (("db", 16), ("repo", 16), ("web", 8), ("secure", 4))
_BUDGETS = (0, 1, 2, 5, 10**6, 10**6, 10**6, 10**6)


def make_plan(chance: random.Random, size: int) -> Plan:
    """A plan over so many hosts."""
    hosts = _make_hosts(chance, size)
    tiers = sorted({host.tier for host in hosts.values()})
    phases = []
    for number in range(1, chance.choice((2, 2, 3, 4))):
        if chance.random() < 0.1:
            phases.append(_make_hostless(chance, number))
            continue
        chosen = [tier for tier in tiers if chance.random() < 0.6] or tiers
        names = [n for n, h in hosts.items() if h.tier in chosen and chance.random() < 0.9]
        phase = _make_phase(chance, names or list(hosts), number)
        if phase.gates and chance.random() < 0.3:
            phase = replace(phase, steps=(), release="")
        phases.append(phase)
    guards = [
        _make_guard(chance, tier, [n for n, h in hosts.items() if h.tier == tier])
        for tier in tiers
        if chance.random() < 0.3
    ]
    plan = a_plan(
        *phases, hosts=hosts, guards=guards, budget=chance.choice(_BUDGETS),
        fanout=chance.choice((1, 3, 10, 50)),
    )  # fmt: skip
    return _with_limits(chance, plan)


def _with_limits(chance: random.Random, plan: Plan) -> Plan:
    """Half of the plans have named limits; a good part of their steps takes some of them."""
    if chance.random() < 0.5:
        return plan
    limits: dict[str, int | float] = {"api": chance.choice((1, 2, 5)), "mail": 2, "rate": 0.7}
    phases = [
        replace(phase, steps=tuple(_use(chance, step, limits) for step in phase.steps))
        for phase in plan.phases
    ]
    return limiting(replace(plan, phases=tuple(phases)), **limits)


def _use(chance: random.Random, step: PlanStep, limits: Mapping[str, int | float]) -> PlanStep:
    if isinstance(step.operation, (Pause, Manual)) or chance.random() < 0.6:
        return step
    names = chance.sample(sorted(limits), chance.choice((1, 1, 2)))
    return using(step, **{name: chance.randint(1, max(1, int(limits[name]))) for name in names})


def _make_hosts(chance: random.Random, size: int) -> dict[str, Host]:
    """Hosts of several tiers, in the proportions of a fleet; some in pairs."""
    paired = chance.choice((0.0, 0.0, 0.3, 1.0))
    hosts: dict[str, Host] = {}
    for tier, share in _TIERS:
        names = hosts_named(max(1, round(size * share / 44)), tier)
        for number, name in enumerate(names[: size - len(hosts)]):
            tags = {"shard": str(number % 3)}
            if chance.random() < paired:
                tags["pair"] = f"{tier}-pair{number // 2}"
            hosts[name] = a_host(name, tier, **tags)
    return hosts


def _make_guard(chance: random.Random, tier: str, names: list[str]) -> TierGuard:
    size = len(names)
    floor, limit = chance.randint(0, size - 1), chance.randint(1, size)
    return TierGuard(tier, size, floor, limit, tuple(names))


def _make_phase(chance: random.Random, names: list[str], number: int) -> PlanPhase:
    lockstep = chance.random() < 0.3
    steps = [_make_step(chance, f"p{number}s{n}", lockstep) for n in range(chance.randint(1, 5))]
    steps = _with_items(chance, _with_restores(chance, steps), number)
    release = ""
    if chance.random() < 0.3:
        release = "rel-2"
        steps.append(a_step(f"p{number}read", reads_release=True, expects="rel-2"))
    budget = Budget(
        chance.choice(_BUDGETS),
        chance.choice((None, None, None, 0, 1)),
        chance.choice((UNSET, 1, 3, 10**6, 10**6)),
    )
    return a_phase(
        _divide(chance, names), steps, name=f"p{number}", release=release, budget=budget,
        limit=chance.choice((1, 3, 8, 100)), gates=_make_gates(chance, number),
        throttle=chance.choice((0.0, 0.0, 0.0, 30.0)),
        on_failure=chance.choice(("continue", "rollback", "rollback", "stop", "ask")),
        batch_failure=chance.choice(("continue", "rollback")),
        ask_default=chance.choice(("stop", "rollback", "continue")),
        needs=[f"p{n}" for n in range(1, number) if chance.random() < 0.7],
    )  # fmt: skip


def _make_hostless(chance: random.Random, number: int) -> PlanPhase:
    """A person does all of it."""
    steps = [_make_manual(chance, f"p{number}s{n}") for n in range(chance.randint(1, 3))]
    needs = [f"p{n}" for n in range(1, number) if chance.random() < 0.7]
    return a_hostless(f"p{number}", *steps, needs=needs)


def _make_manual(chance: random.Random, key: str, *, barrier: bool = False) -> PlanStep:
    boxes = ("a box",) * chance.choice((0, 0, 2))
    return a_manual(
        key, *boxes, once=chance.choice(("", "fleet", "batch", "shard")), barrier=barrier,
        default=chance.choice(("failed", "skipped")), timeout_s=60.0,
    )  # fmt: skip


def _divide(chance: random.Random, names: list[str]) -> list[list[str]]:
    """Ramps: all at once, one then a quarter then the rest, in equal parts, or anyhow."""
    ramp = chance.choice(("all", "careful", "equal", "anyhow"))
    left, batches = list(names), []
    sizes = iter((1, max(1, len(names) // 4)))
    equal = chance.randint(1, len(names))
    while left:
        size = len(left)
        if ramp == "careful":
            size = next(sizes, len(left))
        elif ramp == "equal":
            size = equal
        elif ramp == "anyhow":
            size = chance.randint(1, len(left))
        batches.append(left[:size])
        left = left[size:]
    return batches


def _make_step(chance: random.Random, key: str, lockstep: bool) -> PlanStep:
    kind = chance.random()
    if kind < 0.08:
        return a_pause(key, chance.uniform(0.5, 20.0))
    barrier = lockstep or chance.random() < 0.1
    if kind > 0.94:
        return _make_manual(chance, key, barrier=barrier)
    if kind < 0.15:
        put = Put("/release.tar", "00" * 32, 10, "app/release.tar")
        return PlanStep(key, key, put, 60.0, barrier=barrier)
    return a_step(
        key, barrier=barrier,
        once=chance.choice(("", "", "", "", "", "fleet", "batch", "shard")),
        retry=Retry(chance.randint(1, 3), 0.5) if chance.random() < 0.25 else None,
        undo="undo it" if chance.random() < 0.6 else "", undo_last=chance.random() < 0.2,
        check="is it done" if chance.random() < 0.2 else "",
    )  # fmt: skip


def _with_items(chance: random.Random, steps: list[PlanStep], number: int) -> list[PlanStep]:
    """In some phases a step is done for each item a host lists."""
    if chance.random() < 0.6:
        return steps
    at = chance.randint(0, len(steps))
    key = f"p{number}e"
    each = a_foreach(
        key, list_key=f"{key}list", concurrency=chance.choice((1, 2, 4)),
        check="is it done" if chance.random() < 0.2 else "",
        retry=Retry(chance.randint(1, 3), 0.5) if chance.random() < 0.25 else None,
        barrier=chance.random() < 0.2,
    )  # fmt: skip
    return [*steps[:at], *each, *steps[at:]]


def _with_restores(chance: random.Random, steps: list[PlanStep]) -> list[PlanStep]:
    """Some steps say how to put the host back, some of them which later step does."""
    if chance.random() < 0.5:
        return steps
    found = list(steps)
    covers: set[str] = set()
    for at, step in enumerate(steps):
        own = isinstance(step.operation, Exec) and not step.once and step.key not in covers
        if not own or chance.random() < 0.5:
            continue
        later = [e.key for e in steps[at + 1 :] if isinstance(e.operation, Exec) and not e.once]
        by = chance.choice(later) if later and chance.random() < 0.6 else ""
        covers.add(by)
        operation = replace(step.operation, undo="", restore="put it back")
        found[at] = replace(step, operation=operation, restored_by=by)
    return found


def _make_gates(chance: random.Random, number: int) -> list[Gate]:
    places: tuple[Literal["before", "after"], ...] = ("before", "after")
    probes: tuple[Probe, ...] = (
        HostProbe("up?"), HostProbe("up?"), TcpProbe(80), LocalProbe(("true",)),
        Approval("go on?", chance.choice(("refuse", "approve"))),
    )  # fmt: skip
    return [
        Gate(
            f"p{number}g{n}", f"gate {n}", chance.choice(probes), chance.choice(places), 20.0, 2.0,
            chance.choice((0.0, 0.0, 7.0)),
        )
        for n in range(chance.choice((0, 0, 0, 1, 2)))
    ]  # fmt: skip
