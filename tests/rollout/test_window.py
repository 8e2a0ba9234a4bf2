"""Nothing new starts when the window is over; what runs ends, and a resume goes on."""

from __future__ import annotations

from fleetctl.base.outcome import Outcome
from fleetctl.playbook.operations import Approval
from fleetctl.rollout import records as r
from fleetctl.rollout.controls import Command
from fleetctl.transport.simsegment import Verdict
from fleetctl.transport.simulated import Script
from tests.rollout.builders import a_phase, a_plan, a_step, hosts_named
from tests.rollout.conftest import MakeSim
from tests.rollout.test_ways import gate

HOSTS = hosts_named(6)


def slowly(host: str, step: object) -> Verdict:
    return Verdict("acted", duration_s=10.0)


def test_no_host_begins_after_the_window(make_sim: MakeSim) -> None:
    """Exit 6 for the window's sake; who was at work is done, who was not is left for a resume."""
    steps = [a_step("one", barrier=True), a_step("two")]
    sim = make_sim(a_plan(a_phase([[host] for host in HOSTS], steps)), Script(verdict=slowly))
    sim.window_s = 45.0
    state = sim.push()
    assert state.ended is not None
    assert state.stop is not None
    assert (state.ended.exit_code, state.stop.reason) == (6, "window")
    assert state.stop.cause == "its window is over"
    done = [x.host for x in sim.records() if isinstance(x, r.HostSettled) and not x.halted]
    assert done == ["web001", "web002"]
    left = state.host_run("p1", "web003")
    assert left.settled_cause == "stopped before two: its window is over"
    sim.window_s = 0.0
    assert +sim.resume().accounts.outcomes == {Outcome.CHANGED: 6}
    assert all(sim.world.hosts[host].acts["one"] == 1 for host in HOSTS)


def test_a_resume_has_a_window_of_its_own(make_sim: MakeSim) -> None:
    """One that is over lets nothing start at all; the run says until when it may."""
    sim = make_sim(
        a_plan(a_phase([[host] for host in HOSTS], [a_step("one")])), Script(verdict=slowly)
    )
    sim.window_s = 25.0
    sim.push()
    before = len([x for x in sim.records() if isinstance(x, r.HostBegan)])
    sim.window_s = 1e-9
    state = sim.resume()
    assert state.ended is not None
    assert state.ended.exit_code == 6
    assert len([x for x in sim.records() if isinstance(x, r.HostBegan)]) == before


def test_a_question_does_not_outlast_the_window(make_sim: MakeSim) -> None:
    """Nobody's answer is waited for when nothing could start after it; it is asked again."""
    plan = a_plan(
        a_phase([HOSTS[:1], HOSTS[1:]], [a_step("one")], gates=[gate(Approval("Go on?"))])
    )
    sim = make_sim(plan)
    sim.window_s = 5.0
    state = sim.push()
    assert state.stop is not None
    assert state.stop.reason == "window"
    sim.window_s = 0.0
    sim.commands = [(5.0, Command("approve", "ann"))]
    assert +sim.resume().accounts.outcomes == {Outcome.CHANGED: 6}
