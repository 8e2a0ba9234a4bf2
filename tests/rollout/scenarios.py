"""Random plans and random worlds from one seed, and what must hold in all of them."""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

from fleetctl.base.outcome import Outcome
from fleetctl.inventory.model import Host
from fleetctl.plan.model import Budget, Gate, Plan, PlanPhase, PlanStep, TierGuard
from fleetctl.playbook.operations import Exec, HostProbe, Retry, TcpProbe
from fleetctl.rollout import records as r
from fleetctl.rollout.controls import Command, Word
from fleetctl.rollout.state import RunState, rebuild
from fleetctl.rollout.tables import HostState
from fleetctl.transport.protocol import Look, Order, StepOrder
from fleetctl.transport.simsegment import Verdict
from fleetctl.transport.simulated import Mishap, Script, World
from tests.rollout.builders import a_host, a_pause, a_phase, a_plan, a_step, hosts_named
from tests.rollout.simulation import Crash, Sim

MISHAPS: tuple[Mishap, ...] = ("unsent", "cut before", "cut after", "late", "reboot", "twice")


@dataclass
class Case:
    """One scenario: everything in it comes from the seed."""

    seed: int
    plan: Plan
    world: World
    commands: list[tuple[float, Command]] = field(default_factory=list)
    crashes: list[tuple[int, bool]] = field(default_factory=list)
    """(records until it dies, whether the last ones were durable)"""
    later: list[bool] = field(default_factory=list)
    """Legs after the first end: True tries lost hosts again only, False goes on with the rest."""


def make_case(seed: int) -> Case:
    """The scenario of this seed, the same on every machine."""
    chance = random.Random(seed)
    plan = _make_plan(chance)
    case = Case(seed, plan, World(plan.hosts, _make_script(chance), seed))
    if chance.random() < 0.25:
        words: tuple[Word, ...] = ("drain", "kill", "abort")
        word = chance.choice(words)
        case.commands.append((chance.uniform(0.0, 30.0), Command(word, "tester")))
    if chance.random() < 0.6:
        case.crashes = [
            (chance.randint(1, 60), chance.random() < 0.5) for _ in range(chance.randint(1, 3))
        ]
    case.later = [chance.random() < 0.6 for _ in range(chance.choice((0, 0, 1, 2, 3)))]
    return case


def _make_plan(chance: random.Random) -> Plan:
    names = hosts_named(chance.randint(2, 9), "db") + hosts_named(chance.randint(0, 7), "web")
    hosts: dict[str, Host] = {}
    for number, name in enumerate(names):
        tags = {"shard": str(number % 3)}
        if chance.random() < 0.4:
            tags["pair"] = f"pair{number // 2}"
        hosts[name] = a_host(name, name.rstrip("0123456789"), **tags)
    phases = [_make_phase(chance, names, n) for n in range(1, chance.choice((2, 2, 3)))]
    size = sum(1 for name in names if name.startswith("db"))
    guards = []
    if chance.random() < 0.4:
        floor = chance.randint(0, size - 1)
        limit = chance.randint(1, size)
        guards = [TierGuard("db", size, floor, limit, tuple(hosts_named(size, "db")))]
    budget = chance.choice((0, 1, 2, 100))
    return a_plan(*phases, hosts=hosts, guards=guards, budget=budget, fanout=chance.randint(1, 20))


def _make_phase(chance: random.Random, names: list[str], number: int) -> PlanPhase:
    chosen = [name for name in names if chance.random() < 0.8] or names[:1]
    batches, rest = [], chosen
    while rest:
        size = chance.randint(1, len(rest))
        batches.append(rest[:size])
        rest = rest[size:]
    lockstep = chance.random() < 0.4
    steps = [_make_step(chance, f"p{number}s{n}", lockstep) for n in range(chance.randint(1, 5))]
    release = ""
    if chance.random() < 0.3:
        release = "rel-2"
        steps.append(a_step(f"p{number}read", reads_release=True, expects="rel-2"))
    batch_budget = chance.choice((None, None, 0, 1))
    return a_phase(
        batches, steps, name=f"p{number}", release=release, limit=chance.randint(1, 12),
        budget=Budget(chance.choice((0, 1, 2, 100)), batch_budget),
        gates=_make_gates(chance, number), throttle=chance.choice((0.0, 0.0, 30.0)),
        on_failure=chance.choice(("leave", "undo")), needs=[f"p{n}" for n in range(1, number)],
    )  # fmt: skip


def _make_step(chance: random.Random, key: str, lockstep: bool) -> PlanStep:
    if chance.random() < 0.1:
        return a_pause(key, chance.uniform(0.5, 20.0))
    return a_step(
        key, barrier=lockstep or chance.random() < 0.15,
        once=chance.choice(("", "", "", "", "fleet", "batch", "shard")),
        retry=Retry(chance.randint(2, 3), 0.5) if chance.random() < 0.25 else None,
        undo="undo it" if chance.random() < 0.4 else "",
        check="is it done" if chance.random() < 0.2 else "",
    )  # fmt: skip


def _make_gates(chance: random.Random, number: int) -> list[Gate]:
    gates = []
    for n in range(chance.choice((0, 0, 1, 2))):
        probe = chance.choice((HostProbe("up?"), TcpProbe(80)))
        places: tuple[Literal["before", "after"], ...] = ("before", "after")
        when = chance.choice(places)
        soak = chance.choice((0.0, 0.0, 7.0))
        gates.append(Gate(f"p{number}g{n}", f"gate {n}", probe, when, 20.0, 2.0, soak))
    return gates


def _make_script(chance: random.Random) -> Script:
    """A world of one temper: how often orders go astray, how often steps fail."""
    astray = chance.choice((0.0, 0.0, 0.05, 0.2))
    failing = chance.choice((0.0, 0.0, 0.05, 0.2))
    shut = chance.choice((0.0, 0.0, 0.0, 0.1))
    faults_end = chance.choice((50, 200, 10**9))
    orders = 0

    def mishap(order: Order) -> Mishap:
        nonlocal orders
        orders += 1
        if orders > faults_end or chance.random() >= astray:
            return "none"
        return chance.choice(MISHAPS)

    def verdict(host: str, step: StepOrder) -> Verdict:
        assert isinstance(step.operation, Exec)
        took_s = chance.uniform(0.01, 3.0)
        if step.key.partition(".")[0].endswith("read"):
            wrong = chance.random() < failing / 2
            return Verdict("acted", took_s, b"rel-1\n" if wrong else b"rel-2\n")
        if chance.random() < failing:
            return Verdict(chance.choice(("failed", "timed out")), took_s)
        if step.operation.check and not step.undo and chance.random() < 0.5:
            return Verdict("checked", took_s)
        return Verdict("acted", took_s)

    def look(look: Look) -> int | None:
        if chance.random() < shut:
            return chance.choice((1, None))
        return 0

    def latency_s(host: str) -> float:
        return chance.uniform(0.001, 0.3)

    return Script(mishap, verdict, look, latency_s, lambda host: chance.uniform(1.0, 90.0))


# ---- what must hold


def play(case: Case, folder: Path) -> Sim:
    """Push, die, resume, end, try again; every invariant is checked on the way."""
    sim = Sim(folder, case.plan, case.world, case.seed)
    sim.check = check_now
    sim.commands = case.commands
    crashes = list(case.crashes)
    _play_leg(sim, crashes, lambda at, after: sim.push(crash_at=at, after=after))
    _check_all(case, sim)
    for only_failed in case.later:
        _resume_leg(sim, crashes, only_failed)
        _check_all(case, sim)
    return sim


def _play_leg(sim: Sim, crashes: list[tuple[int, bool]], go: Callable[[int, bool], object]) -> None:
    """One leg, resumed each time its controller dies."""
    at, after = crashes.pop(0) if crashes else (0, False)
    try:
        go(at, after)
    except Crash:
        sim.commands = []
        _resume_leg(sim, crashes, False)


def _resume_leg(sim: Sim, crashes: list[tuple[int, bool]], only_failed: bool) -> None:
    sim.commands = []
    _play_leg(
        sim,
        crashes,
        lambda at, after: sim.resume(only_failed=only_failed, crash_at=at, after=after),
    )


def _check_all(case: Case, sim: Sim) -> None:
    check_replay(sim)
    check_story(case.plan, sim.records())
    check_effects(case, sim)


def check_now(state: RunState) -> None:
    """Promise 2: never more in flight than limit, connections, tier guard and pairs allow."""
    accounts = state.accounts
    flying = accounts.in_flight.values()
    if not any(state.phases[run.phase].recipe.has_barriers for run in flying):
        assert len(flying) <= state.plan.fanout
    by_phase = Counter(run.phase for run in flying)
    for phase, count in by_phase.items():
        assert count <= state.phases[phase].plan.limit, (phase, count)
    pairs = Counter(state.plan.hosts[run.host].pair for run in flying)
    assert all(count == 1 for pair, count in pairs.items() if pair), pairs
    for guard in accounts.guards.values():
        mine = [run.host for run in flying if run.host in guard.guard.hosts]
        assert len(mine) == guard.in_flight <= guard.guard.limit


def check_replay(sim: Sim) -> None:
    """The records alone give the very state the live run had."""
    again = rebuild(sim.plan, sim.records())
    assert fingerprint(again) == fingerprint(sim.state)


def fingerprint(state: RunState) -> object:
    """Everything a state holds, comparable."""
    runs = [
        (
            run.phase, run.host, run.state, tuple(run.steps), run.next_step, tuple(run.open_steps),
            run.outcome, run.fault, dict(run.tries), run.attempt, run.release, run.halted,
            run.changed, run.undone_with, run.retrying,
        )
        for run in sorted(state.host_runs(), key=lambda run: (run.phase, run.host))
    ]  # fmt: skip
    accounts = state.accounts
    groups = [
        (phase.state, tuple(phase.batches), tuple(phase.unsettled), dict(phase.gates))
        for phase in state.phases.values()
    ]
    sums = (
        +accounts.outcomes, accounts.lost_in_run, +accounts.lost_in_phase, +accounts.lost_hosts,
        accounts.halted, sorted(accounts.in_flight), sorted(accounts.doubtful), accounts.found_down,
        {tier: (g.in_flight, sorted(g.out)) for tier, g in accounts.guards.items()},
    )  # fmt: skip
    return runs, groups, sums, dict(state.elections), state.leg, state.stop, state.fence


def check_story(plan: Plan, records: Iterable[r.Record]) -> None:
    """Promises 1, 2 and 5, from the records alone."""
    state = RunState(plan)
    entered: set[tuple[str, str, int]] = set()
    for record in records:
        if isinstance(record, r.HostBegan):
            assert state.stop is None, f"{record} after {state.stop}"
            phase = state.phases[record.phase]
            accounts = state.accounts
            assert accounts.lost_in_run <= plan.budget.per_phase, record
            assert accounts.lost_in_phase[record.phase] <= phase.plan.budget.per_phase, record
            per_batch = phase.plan.budget.per_batch
            batch = phase.batch_of[record.host]
            assert per_batch is None or accounts.lost_in_batch[record.phase, batch] <= per_batch
        if isinstance(record, r.SegmentSent) and not record.undo:
            assert state.stop is None, f"{record} after {state.stop}"
            _check_barrier(state, record, entered)
        state.apply(record)
        if isinstance(record, r.HostBegan):
            guard = state.accounts.guard_of(record.host)
            assert guard is None or len(guard.out) <= guard.out_max, f"{record} below the floor"
    assert state.ended is not None
    for planned in plan.phases:
        for host in (host for batch in planned.batches for host in batch):
            run = state.host_run(planned.name, host)
            assert run.state is HostState.SETTLED, f"{host} has no outcome"
            if run.outcome in (Outcome.OK, Outcome.CHANGED):
                assert run.release == planned.release, f"{host} was not read back"
    if state.ended.exit_code == 0:
        good = {Outcome.OK, Outcome.CHANGED}
        seen = {outcome for outcome, count in state.accounts.outcomes.items() if count}
        assert seen <= good


def _check_barrier(
    state: RunState, record: r.SegmentSent, entered: set[tuple[str, str, int]]
) -> None:
    """Who goes past a barrier for the first time leaves nobody in flight behind it."""
    recipe = state.phases[record.phase].recipe
    number = recipe.stage_of[recipe.index_of[record.keys[0]]]
    stage = recipe.stages[number]
    if stage.barrier and (record.phase, record.host, number) not in entered:
        flying = state.accounts.in_flight.values()
        behind = [run.host for run in flying if run.next_step < stage.first]
        assert not behind, f"{record} with {behind} behind the barrier"
    entered.add((record.phase, record.host, number))


def check_effects(case: Case, sim: Sim) -> None:
    """Promise 3, counted on the hosts: one act, and one more for each recorded reason to repeat it.

    Reasons: it failed, it was undone, it was begun and cut off but may be repeated.
    """
    reasons: Counter[tuple[str, str]] = Counter()
    for record in sim.records():
        if isinstance(record, r.StepSettled) and (record.outcome in _FAILED or record.undo):
            reasons[record.host, record.key] += 1
        elif isinstance(record, r.AskAnswered):
            for key in record.again:
                reasons[record.host, key] += 1
    for phase in case.plan.phases:
        for run in sim.state.phases[phase.name].hosts.values():
            acts = case.world.hosts[run.host].acts
            for index, step in enumerate(phase.steps):
                done = acts[step.key] + sum(acts[f"{step.key}.try{n}"] for n in range(2, 30))
                most = 1 + reasons[run.host, step.key]
                assert done <= most, f"{run.host} did {step.key} {done} times, of {most}"
                if run.steps[index] in ("done", "undone", "undo failed"):
                    assert done >= 1, f"{run.host} never did {step.key}"
                if run.steps[index] == "todo" and not _late(case):
                    assert done <= most - 1, f"{run.host} did {step.key}, and nobody knows"


_FAILED = (Outcome.FAILED, Outcome.TIMED_OUT)


def _late(case: Case) -> bool:
    return case.world.mishaps["late"] > 0
