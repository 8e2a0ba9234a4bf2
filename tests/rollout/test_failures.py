"""What becomes of a lost host and of its batch: left, rolled back, the run stopped, asked for."""

from __future__ import annotations

from typing import Literal

import pytest

from fleetctl.base.outcome import Outcome
from fleetctl.plan.model import Budget, Gate
from fleetctl.playbook.operations import HostProbe
from fleetctl.rollout import records as r
from fleetctl.rollout.controls import Command
from fleetctl.transport.protocol import StepOrder
from fleetctl.transport.simsegment import Verdict
from fleetctl.transport.simulated import Script
from tests.rollout.builders import a_phase, a_plan, a_step, hosts_named
from tests.rollout.conftest import MakeSim
from tests.rollout.simulation import Sim

HOSTS = hosts_named(6)
STEPS = [a_step("one", undo="undo it"), a_step("two")]


def failing(host: str, times: int = 99) -> Script:
    """Step `two` fails on this host so many times."""
    left = [times]

    def verdict(name: str, step: StepOrder) -> Verdict:
        if name == host and step.key.startswith("two") and left[0]:
            left[0] -= 1
            return Verdict("failed")
        return Verdict()

    return Script(verdict=verdict)


def acts(sim: Sim, host: str) -> dict[str, int]:
    return dict(sim.world.hosts[host].acts)


def test_stop_ends_the_run_at_the_first_loss(make_sim: MakeSim) -> None:
    """Whatever the budget still allows; the lost host is left as it is."""
    phase = a_phase([HOSTS], STEPS, on_failure="stop", budget=Budget(5), limit=1)
    sim = make_sim(a_plan(phase), failing("web002"))
    state = sim.push()
    assert state.stop is not None
    assert state.stop.reason == "failure"
    assert state.ended is not None
    assert state.ended.exit_code == 6
    assert acts(sim, "web002") == {"one": 1, "two": 1}
    assert acts(sim, "web003") == {}


@pytest.mark.parametrize(
    ("choice", "expected", "code"),
    [
        ("retry", {"one": 1, "two": 1, "two.try2": 1}, 0),
        ("rollback", {"one": 1, "two": 1, "one.undo": 1}, 1),
        ("continue", {"one": 1, "two": 1}, 1),
        ("stop", {"one": 1, "two": 1}, 6),
        ("", {"one": 1, "two": 1}, 6),
    ],
)
def test_a_person_says_what_becomes_of_a_lost_host(
    make_sim: MakeSim, choice: str, expected: dict[str, int], code: int
) -> None:
    """Who says nothing in time has said the default, stop; meanwhile nothing begins on its cost."""
    phase = a_phase([HOSTS[:1], HOSTS[1:2]], STEPS, on_failure="ask", budget=Budget(1))
    sim = make_sim(a_plan(phase), failing("web001", times=1))
    if choice:
        sim.commands = [(10.0, Command("answer", "ann", "two/web001/1", choice=choice))]
    state = sim.push()
    assert acts(sim, "web001") == expected
    assert state.ended is not None
    assert state.ended.exit_code == code
    told = next(x for x in sim.records() if isinstance(x, r.QuestionAnswered))
    assert (told.choice, told.by) == ((choice, "ann") if choice else ("stop", ""))


def test_what_is_asked_again_after_a_stop(make_sim: MakeSim) -> None:
    """A drain takes the question back: the host is left as it is, a resume tries it anew."""
    sim = make_sim(a_plan(a_phase([HOSTS[:1]], STEPS, on_failure="ask")), failing("web001", 1))
    sim.commands = [(10.0, Command("drain", "ann"))]
    state = sim.push()
    assert state.accounts.outcomes == {Outcome.FAILED: 1}
    assert not state.asked
    sim.commands = []
    assert sim.resume(only_failed=True).accounts.outcomes[Outcome.CHANGED] == 1


def a_batch_push(why: Literal["gate", "budget"]) -> tuple[list[Gate], Script]:
    if why == "budget":
        return [], failing("web003")
    gate = Gate("g1", "up", HostProbe("up?"), timeout_s=5.0)
    return [gate], Script(look=lambda look: 1)


@pytest.mark.parametrize("why", ["gate", "budget"])
def test_a_failed_batch_is_rolled_back_whole(
    make_sim: MakeSim, why: Literal["gate", "budget"]
) -> None:
    """Also hosts that ended well in it; hosts of other batches are not touched."""
    gates, script = a_batch_push(why)
    phase = a_phase(
        [HOSTS[:3], HOSTS[3:]], STEPS, gates=gates, on_failure="rollback",
        batch_failure="rollback", limit=2,
    )  # fmt: skip
    sim = make_sim(a_plan(phase), script)
    most = [0]
    sim.check = lambda state: most.append(len(state.accounts.in_flight))
    state = sim.push()
    assert [acts(sim, host).get("one.undo") for host in HOSTS] == [1, 1, 1, None, None, None]
    assert max(most) <= 2
    assert +state.accounts.outcomes == {Outcome.FAILED: 3, Outcome.SKIPPED: 3}
    cause = state.host_run("p1", "web001").settled_cause
    assert cause.startswith("rolled back with its batch: ")
    sim.world.script = Script()
    assert sim.resume(only_failed=True).accounts.outcomes[Outcome.CHANGED] == 3
    assert acts(sim, "web001") == {
        "one": 1, "two": 1, "one.undo": 1, "one.try2": 1,
    }  # fmt: skip


def test_a_batch_before_it_stays(make_sim: MakeSim) -> None:
    """What passed its own gate is not what failed."""
    phase = a_phase([HOSTS[:1], HOSTS[1:3]], STEPS, batch_failure="rollback")
    sim = make_sim(a_plan(phase), failing("web003"))
    state = sim.push()
    assert state.host_run("p1", "web001").outcome is Outcome.CHANGED
    assert acts(sim, "web002")["one.undo"] == 1
    assert "one.undo" not in acts(sim, "web003")  # continue: a lost host is left as it is


def test_what_cannot_be_undone_is_told(make_sim: MakeSim) -> None:
    """A step without an undo stays done, and the host is not told as rolled back."""
    phase = a_phase([HOSTS[:2]], [a_step("two")], batch_failure="rollback", limit=1)
    sim = make_sim(a_plan(phase), failing("web002"))
    run = sim.push().host_run("p1", "web001")
    assert run.outcome is Outcome.FAILED
    assert run.settled_cause.startswith("nothing of it can be undone")


def test_the_release_after_a_rollback_is_what_the_undo_says(make_sim: MakeSim) -> None:
    """The journal must not go on holding the host for one of the new release."""
    switch = a_step("switch", undo="back", undo_reads_release=True)
    steps = [switch, a_step("read", reads_release=True, expects="rel-2"), a_step("two")]

    def verdict(host: str, step: StepOrder) -> Verdict:
        if step.undo:
            return Verdict(stdout=b"rel-1\n")
        bad = host == "web002" and step.key == "two"
        return Verdict("failed" if bad else "acted", stdout=b"rel-2\n")

    phase = a_phase([HOSTS[:2]], steps, release="rel-2", on_failure="rollback",
                    batch_failure="rollback", limit=1)  # fmt: skip
    state = make_sim(a_plan(phase), Script(verdict=verdict)).push()
    assert [state.host_run("p1", host).release for host in HOSTS[:2]] == ["rel-1", "rel-1"]
