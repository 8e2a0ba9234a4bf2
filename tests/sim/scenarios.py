"""The scenario of a seed: a plan, a weather, deaths, rivals and a person's words."""

from __future__ import annotations

import random
from typing import get_args

from fleetctl.plan.model import Budget, Plan
from fleetctl.rollout.controls import Word
from fleetctl.transport.simulated import Mishap
from tests.rollout.builders import a_phase, a_plan, a_step
from tests.sim.case import Case, Death, DeathKind, Rival, RivalKind, Said, Weather
from tests.sim.plans import make_plan

SMALLEST, LARGEST = 4, 44
_MISHAPS: tuple[Mishap, ...] = tuple(m for m in get_args(Mishap) if m != "none")
_DEATHS: tuple[DeathKind, ...] = get_args(DeathKind)
_WORDS: tuple[Word, ...] = ("drain", "kill", "abort", "drain", "kill")


def make_case(seed: int, size: int | None = None) -> Case:
    """The scenario of this seed, the same on every machine; over `size` hosts, or 4 to 44."""
    chance = random.Random(seed)
    plan = make_plan(chance, size or chance.randint(SMALLEST, LARGEST))
    deaths: tuple[Death, ...] = ()
    if chance.random() < 0.5:
        deaths = tuple(
            Death(int(10 ** chance.uniform(0.0, 1.9)), chance.choice(_DEATHS))
            for _ in range(chance.randint(1, 4))
        )
    return Case(
        seed, plan, _make_weather(chance), deaths, _make_rivals(chance, plan), _make_words(chance),
        chance.choice((0.0,) * 6 + (chance.uniform(1.0, 200.0),)),
        tuple(chance.random() < 0.6 for _ in range(chance.choice((0, 0, 1, 1, 2, 3)))),
    )  # fmt: skip


def _make_weather(chance: random.Random) -> Weather:
    """One temper for a whole run; half of the runs see faults of a few kinds only."""
    kinds = _MISHAPS
    if chance.random() < 0.5:
        kinds = tuple(chance.sample(_MISHAPS, chance.randint(1, 3)))
    return Weather(
        astray=chance.choice((0.0, 0.02, 0.05, 0.1, 0.2)),
        mishaps=kinds,
        failing=chance.choice((0.0, 0.02, 0.1, 0.3)),
        shut=chance.choice((0.0, 0.0, 0.0, 0.1)),
        slow_fsync=chance.choice((0.0, 0.0, 0.1)),
        deaf=chance.choice((0.0, 0.5, 1.0)),
        skew_s=chance.choice((0.0, 0.0, 100.0, 1e5)),
        ends_s=chance.choice((20.0, 120.0, 1e9)),
    )


def _make_rivals(chance: random.Random, plan: Plan) -> tuple[Rival, ...]:
    if chance.random() > 0.25:
        return ()
    kinds: tuple[RivalKind, ...] = get_args(RivalKind)
    kind = chance.choice(kinds)
    at_s = 10 ** chance.uniform(-1.0, 1.8)
    return (Rival(kind, at_s, None if kind == "same run" else _other_plan(chance, plan)),)


def _other_plan(chance: random.Random, plan: Plan) -> Plan:
    """Somebody else's small push over some of the same hosts."""
    names = [name for name in plan.hosts if chance.random() < 0.5] or list(plan.hosts)[:1]
    steps = [a_step(f"x1s{n}") for n in range(chance.randint(1, 3))]
    phase = a_phase([names], steps, name="x1", budget=Budget(10**6))
    return a_plan(phase, hosts=plan.hosts)


def _make_words(chance: random.Random) -> tuple[Said, ...]:
    """Approvals come or not; a person may stop the run, more than once."""
    said = [
        Said(chance.uniform(0.0, 120.0), chance.choice(("approve", "approve", "approve", "refuse")))
        for _ in range(chance.choice((0, 6, 12)))
    ]
    if chance.random() < 0.25:
        at_s = 10 ** chance.uniform(-1.0, 1.8)
        said += [Said(at_s * n, chance.choice(_WORDS)) for n in range(1, chance.choice((2, 2, 3)))]
    return tuple(said)
