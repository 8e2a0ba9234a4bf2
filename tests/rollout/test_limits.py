"""Named limits: never more at once, never faster, nobody overtakes, and nobody stands for ever."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from itertools import pairwise

import pytest

from fleetctl.base.outcome import Outcome
from fleetctl.plan.model import Budget, Plan
from fleetctl.playbook.operations import Retry
from fleetctl.rollout import records as r
from fleetctl.rollout.controls import Command
from fleetctl.transport.protocol import Order, RunSegment
from fleetctl.transport.simsegment import Verdict
from fleetctl.transport.simulated import Mishap, Script
from tests.rollout.builders import (
    a_foreach,
    a_host,
    a_manual,
    a_phase,
    a_plan,
    a_step,
    hosts_named,
    limiting,
    using,
)
from tests.rollout.conftest import MakeSim
from tests.rollout.simulation import Crash, Sim

HOSTS = hosts_named(6)


def in_use(sim: Sim, plan: Plan) -> Iterator[Counter[str]]:
    """What is in use after each record, by the records alone."""
    uses = {step.key: step.uses or {} for phase in plan.phases for step in phase.steps}
    open_: dict[tuple[str, str], object] = {}
    for record in sim.records():
        if isinstance(record, r.SegmentSent):
            open_.update(dict.fromkeys((record.host, key) for key in record.keys))
        elif isinstance(record, (r.StepSettled, r.RoundEnded)):
            open_.pop((record.host, record.key), None)
        elif isinstance(record, r.AskAnswered):
            for key in (*record.absent, *record.again):
                open_.pop((record.host, key), None)
        now: Counter[str] = Counter()
        for _, key in open_:
            now.update(uses[key])
        yield now


def most(sim: Sim, plan: Plan, name: str = "api") -> int:
    return max(now[name] for now in in_use(sim, plan))


def slowly(host: str, step: object) -> Verdict:
    return Verdict("acted", duration_s=1.0 + int(host[-1]) / 10)


def ended_well(sim: Sim, count: int = 6) -> None:
    state = sim.push()
    assert state.ended is not None
    assert state.ended.exit_code == 0, state.ended.cause
    assert +state.accounts.outcomes == {Outcome.CHANGED: count}
    assert not +state.accounts.used


@pytest.mark.parametrize("limit", [1, 2, 5])
def test_a_limit_holds_over_all_steps_that_use_it(make_sim: MakeSim, limit: int) -> None:
    """Two steps of one name share it; what uses nothing runs beside them."""
    steps = [using(a_step("one"), api=1), a_step("two"), using(a_step("three"), api=1)]
    plan = limiting(a_plan(a_phase([HOSTS], steps)), api=limit)
    sim = make_sim(plan, Script(verdict=slowly))
    ended_well(sim)
    assert most(sim, plan) == limit
    alone = [x.keys for x in sim.records() if isinstance(x, r.SegmentSent)]
    assert set(alone) == {("one",), ("two",), ("three",)}


def test_weights_add_up_and_nobody_overtakes(make_sim: MakeSim) -> None:
    """A heavy step is not kept out by light ones that come later; two names are taken together."""
    heavy = using(a_step("heavy"), api=3, mail=1)
    light = using(a_step("light"), api=1)
    phases = [a_phase([HOSTS], [light, heavy, using(a_step("last"), api=1)])]
    plan = limiting(a_plan(*phases), api=3, mail=2)
    sim = make_sim(plan, Script(verdict=slowly))
    ended_well(sim)
    assert most(sim, plan) == 3
    sent = [x.keys[0] for x in sim.records() if isinstance(x, r.SegmentSent)]
    assert sent[:9] == ["light"] * 6 + ["heavy"] * 3, "who comes later does not keep it out"


@pytest.mark.parametrize("once", ["", "fleet", "batch", "shard"])
@pytest.mark.parametrize("barrier", [False, True])
def test_no_order_of_things_stands_still(make_sim: MakeSim, once: str, barrier: bool) -> None:
    """Barriers, pairs, elections, people, retries and two names all come to an end."""
    hosts = {
        name: a_host(name, "web", shard=str(n % 2), pair=f"p{n // 2}")
        for n, name in enumerate(HOSTS)
    }
    steps = [
        using(a_step("a", barrier=barrier), x=1, y=1),
        using(a_step("b", once=once, retry=Retry(2, 0.5)), y=1),  # type: ignore[arg-type]
        a_manual("look"),
        using(a_step("c", barrier=barrier), y=2),
        using(a_step("d"), x=2),
    ]
    plan = limiting(a_plan(a_phase([HOSTS[:4], HOSTS[4:]], steps, limit=3), hosts=hosts), x=2, y=2)
    tried: Counter[str] = Counter()

    def verdict(host: str, step: object) -> Verdict:
        tried[host] += 1
        fails = getattr(step, "key", "") == "b" and host in HOSTS[:2]
        return Verdict("failed" if fails else "acted", duration_s=1.0 + tried[host] / 7)

    sim = make_sim(plan, Script(verdict=verdict))
    sim.commands = [(90.0 * n, Command("answer", "ann", choice="done")) for n in range(1, 4)]
    ended_well(sim)
    assert most(sim, plan, "x") <= 2
    assert most(sim, plan, "y") <= 2


def test_items_weigh_what_runs_at_once(make_sim: MakeSim) -> None:
    """A round of a foreach step takes its concurrency, and gives it back before the next."""
    listing, each = a_foreach("up", concurrency=2)
    plan = limiting(a_plan(a_phase([HOSTS], [listing, using(each, api=2)])), api=4)
    listed = Verdict("acted", 0.1, b"a\nb\nc\nd\ne\n")
    sim = make_sim(plan, Script(verdict=lambda host, step: listed))
    ended_well(sim)
    assert most(sim, plan) == 4
    assert sum(isinstance(x, r.RoundEnded) for x in sim.records()) >= 6


def test_a_rate_spaces_the_starts(make_sim: MakeSim) -> None:
    """At most so many starts in any second, over two phases; a weight of two counts twice."""
    phases = [
        a_phase([HOSTS[:3]], [using(a_step("one"), mail=1)], name="p1"),
        a_phase([HOSTS[3:]], [using(a_step("two"), mail=2)], name="p2", needs=["p1"]),
    ]
    plan = limiting(a_plan(*phases), mail=0.5)
    starts: list[tuple[float, str]] = []
    sim = make_sim(plan)

    def watch(order: Order) -> Mishap:
        if isinstance(order, RunSegment):
            starts.append((sim.world.now_s(), order.steps[0].key))
        return "none"

    sim.world.script = Script(mishap=watch)
    ended_well(sim)
    gaps = [later[0] - sooner[0] for sooner, later in pairwise(starts)]
    assert [round(gap, 2) for gap in gaps] == [2.0, 2.0, 2.0, 4.0, 4.0]


def test_who_is_in_doubt_keeps_what_it_uses(make_sim: MakeSim) -> None:
    """A lost connection frees nothing before the host has told; a crash neither."""
    plan = limiting(a_plan(a_phase([HOSTS], [using(a_step("one"), api=1)])), api=2)
    left = [2]

    def choose(order: Order) -> Mishap:
        if isinstance(order, RunSegment) and left[0]:
            left[0] -= 1
            return "cut after"
        return "none"

    sim = make_sim(plan, Script(mishap=choose, verdict=slowly))
    ended_well(sim)
    assert most(sim, plan) == 2
    for at in range(4, 20, 3):
        sim = make_sim(plan, Script(verdict=slowly))
        with pytest.raises(Crash):
            sim.push(crash_at=at)
        state = sim.resume()
        assert +state.accounts.outcomes == {Outcome.CHANGED: 6}
        assert most(sim, plan) <= 2


def test_who_lines_up_is_left_alone_by_a_stop(make_sim: MakeSim) -> None:
    """A stop halts those in the line where they are; nothing of them was sent."""
    steps = [a_step("zero"), using(a_step("one"), api=1)]
    plan = limiting(a_plan(a_phase([HOSTS], steps, budget=Budget(0))), api=1)
    sim = make_sim(plan, Script(verdict=slowly))
    sim.commands = [(2.0, Command("drain", "ann"))]
    state = sim.push()
    assert state.accounts.halted >= 4
    sim.commands = []
    assert +sim.resume().accounts.outcomes == {Outcome.CHANGED: 6}
    assert most(sim, plan) == 1
