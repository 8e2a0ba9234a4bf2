"""What is stopped is started again: restores on every way out of a phase, once each."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Literal

import pytest

from fleetctl.base.outcome import Outcome
from fleetctl.plan.model import Budget, Gate, Plan, PlanStep
from fleetctl.playbook.operations import HostProbe, Retry
from fleetctl.rollout import records as r
from fleetctl.rollout.controls import Command, Word
from fleetctl.transport.protocol import Order, RunSegment, StepOrder
from fleetctl.transport.simsegment import Verdict
from fleetctl.transport.simulated import Mishap, Script
from tests.rollout.builders import a_pause, a_phase, a_plan, a_step, hosts_named
from tests.rollout.conftest import MakeSim
from tests.rollout.simulation import Crash, Sim

HOSTS = hosts_named(3)
STOP = a_step("stop", restore="start it")


def a_push(
    steps: Sequence[PlanStep], hosts: Sequence[str] = HOSTS[:1], *,
    on_failure: Literal["leave", "undo"] = "leave", gates: Sequence[Gate] = (), budget: int = 0,
) -> Plan:  # fmt: skip
    batches = [[host] for host in hosts]
    phase = a_phase(batches, steps, on_failure=on_failure, gates=gates, budget=Budget(budget))
    return a_plan(phase)


def failing(*keys: str) -> Callable[[str, StepOrder], Verdict]:
    return lambda host, step: Verdict("failed" if step.key in keys else "acted")


def acts(sim: Sim, host: str = "web001") -> dict[str, int]:
    return dict(sim.world.hosts[host].acts)


def is_restore(order: Order) -> bool:
    return isinstance(order, RunSegment) and ".restore" in order.steps[0].key


def lose_first(times: int, mishap: Mishap, wanted: Callable[[Order], bool]) -> Script:
    """So many orders of this kind meet with this, then everything is well."""
    left = [times]

    def choose(order: Order) -> Mishap:
        if wanted(order) and left[0]:
            left[0] -= 1
            return mishap
        return "none"

    return Script(mishap=choose)


def test_a_host_that_is_done_is_put_back_before_it_ends_well(make_sim: MakeSim) -> None:
    """Without a later step that does it, the end of the phase does."""
    sim = make_sim(a_push([STOP, a_step("work")]))
    assert sim.push().accounts.outcomes == {Outcome.CHANGED: 1}
    assert acts(sim) == {"stop": 1, "work": 1, "stop.restore": 1}


def test_a_later_step_ends_the_need(make_sim: MakeSim) -> None:
    """Where the step it names has ended well nothing is restored, whatever fails after it."""
    steps = [a_step("stop", restore="start", restored_by="start"), a_step("start"), a_step("check")]
    sim = make_sim(a_push(steps), Script(verdict=failing("check")))
    assert sim.push().accounts.outcomes == {Outcome.FAILED: 1}
    assert acts(sim) == {"stop": 1, "start": 1, "check": 1}


@pytest.mark.parametrize("bad", ["stop", "work", "start"])
def test_a_failure_before_that_puts_the_host_back(make_sim: MakeSim, bad: str) -> None:
    """Also when the step itself failed: it may have had half its effect."""
    steps = [a_step("stop", restore="start", restored_by="start"), a_step("work"), a_step("start")]
    sim = make_sim(a_push(steps), Script(verdict=failing(bad)))
    assert sim.push().accounts.outcomes == {Outcome.FAILED: 1}
    assert acts(sim)["stop.restore"] == 1


def test_what_had_nothing_to_do_is_not_put_back(make_sim: MakeSim) -> None:
    """A check that said so: what was stopped before the run stays stopped."""
    script = Script(verdict=lambda host, step: Verdict("checked"))
    sim = make_sim(a_push([a_step("stop", check="stopped?", restore="start")]), script)
    assert sim.push().accounts.outcomes == {Outcome.OK: 1}
    assert acts(sim) == {}


def test_a_retry_that_finds_nothing_to_do_is_put_back(make_sim: MakeSim) -> None:
    """The first try failed, and may have been what the second one found."""
    verdicts = iter([Verdict("failed"), Verdict("checked")])
    script = Script(verdict=lambda host, step: next(verdicts, Verdict()))
    sim = make_sim(a_push([a_step("stop", check="?", restore="start", retry=Retry(2))]), script)
    assert sim.push().accounts.outcomes == {Outcome.OK: 1}
    assert acts(sim) == {"stop": 1, "stop.restore": 1}


def test_undos_and_restores_go_in_reverse_and_once_each(make_sim: MakeSim) -> None:
    """Undoing the step that started it again brings the need of the restore back."""
    steps = [
        a_step("stop", restore="start", restored_by="start"), a_step("deploy", undo="back"),
        a_step("start", undo="stop"), a_step("check"),
    ]  # fmt: skip
    sim = make_sim(a_push(steps, on_failure="undo"), Script(verdict=failing("check")))
    sim.push()
    back = [(x.keys, x.undo, x.restore) for x in sim.records() if isinstance(x, r.SegmentSent)][1:]
    assert back == [(("start", "deploy"), True, False), (("stop",), False, True)]
    sim.world.script.verdict = lambda host, step: Verdict()
    assert sim.resume(only_failed=True).accounts.outcomes[Outcome.CHANGED] == 1
    assert acts(sim)["stop.try2"] == acts(sim)["deploy.try2"] == acts(sim)["start.try2"] == 1


def test_a_failed_undo_does_not_keep_a_host_from_being_put_back(make_sim: MakeSim) -> None:
    """What could not be undone is told, and the daemons run."""
    steps = [STOP, a_step("deploy", undo="back"), a_step("check")]

    def verdict(host: str, step: StepOrder) -> Verdict:
        return Verdict("failed" if step.undo or step.key == "check" else "acted")

    sim = make_sim(a_push(steps, on_failure="undo"), Script(verdict=verdict))
    run = sim.push().host_run("p1", "web001")
    assert "not undone: deploy" in run.settled_cause
    assert acts(sim)["stop.restore"] == 1


@pytest.mark.parametrize("word", ["drain", "kill", "abort"])
def test_a_person_who_stops_the_run_leaves_nothing_stopped(make_sim: MakeSim, word: Word) -> None:
    """Halted before the next step, or killed in it: put back, and begun anew by a resume."""
    slow = a_step("work", timeout_s=600.0)
    sim = make_sim(
        a_push([STOP, slow, a_pause("rest", 5.0), a_step("end")]),
        Script(verdict=lambda host, step: Verdict(duration_s=30.0 if step.key == "work" else 1.0)),
    )
    sim.commands = [(10.0, Command(word, "ann"))]
    state = sim.push()
    assert state.ended is not None
    assert acts(sim)["stop.restore"] == 1
    sim.commands = []
    assert sim.resume(only_failed=True).accounts.outcomes[Outcome.CHANGED] == 1
    assert acts(sim)["stop.try2"] == acts(sim)["stop.restore2"] == 1


def test_a_restore_is_not_killed_nor_given_up_after_a_kill(make_sim: MakeSim) -> None:
    """It takes longer than a killed step is waited for, and is waited for all the same."""

    def verdict(host: str, step: StepOrder) -> Verdict:
        return Verdict(duration_s=50.0 if step.key in ("work", "stop.restore") else 1.0)

    sim = make_sim(a_push([STOP, a_step("work")]), Script(verdict=verdict))
    sim.commands = [(10.0, Command("kill", "ann")), (30.0, Command("kill", "ann"))]
    run = sim.push().host_run("p1", "web001")
    assert run.duties.states == {0: "restored"}
    assert run.outcome is Outcome.FAILED


def test_a_gate_that_stops_the_run_finds_every_host_put_back(make_sim: MakeSim) -> None:
    """Hosts are put back before they are settled, so before the gate is asked."""
    gate = Gate("g1", "up", HostProbe("up?"), timeout_s=5.0)
    sim = make_sim(a_push([STOP], HOSTS[:2], gates=[gate]), Script(look=lambda look: 1))
    sim.push()
    assert acts(sim, "web001") == {"stop": 1, "stop.restore": 1}
    assert acts(sim, "web002") == {}


def test_a_failed_restore_is_lost_and_named(make_sim: MakeSim) -> None:
    """Never reported well; a plain resume tries it once more before anything else."""
    sim = make_sim(
        a_push([STOP, a_step("work")], HOSTS[:2], budget=1),
        Script(verdict=failing("stop.restore")),
    )
    state = sim.push()
    assert state.accounts.outcomes == {Outcome.FAILED: 2}
    run = state.host_run("p1", "web001")
    assert run.settled_cause == '"stop" is not put back: its restore failed: failed'
    sim.world.script.verdict = lambda host, step: Verdict()
    state = sim.resume()
    assert [run.owed for run in state.host_runs()] == [[], []]
    assert acts(sim)["stop.restore2"] == 1
    assert state.accounts.outcomes[Outcome.FAILED] == 2  # --failed goes on with them
    assert sim.resume(only_failed=True).accounts.outcomes[Outcome.CHANGED] == 2
    assert acts(sim) == {"stop": 1, "work": 1, "stop.restore": 1, "stop.restore2": 1}


def test_an_unreachable_host_is_owed_its_restore(make_sim: MakeSim) -> None:
    """It is told what stays stopped; the resume puts it back first, then goes on with it."""
    sim = make_sim(a_push([STOP, a_pause("rest", 20.0), a_step("work")], HOSTS[:2]),
                   lose_first(9, "unsent", is_restore))  # fmt: skip
    sim.commands = [(10.0, Command("drain", "ann"))]
    state = sim.push()
    run = state.host_run("p1", "web001")
    assert run.halted
    assert "is not put back" in run.settled_cause
    assert run.outcome is Outcome.FAILED
    sim.commands = []
    sim.world.script.mishap = lambda order: "none"
    state = sim.resume()
    assert state.accounts.outcomes[Outcome.CHANGED] == 2
    leg = sim.records()[[type(x) for x in sim.records()].index(r.RunResumed) :]
    first = next(x for x in leg if isinstance(x, r.SegmentSent))
    assert first.restore
    assert acts(sim) == {"stop": 1, "stop.restore": 1, "stop.try2": 1, "work": 1,
                         "stop.restore2": 1}  # fmt: skip


def test_a_lost_restore_is_asked_for_and_runs_again(make_sim: MakeSim) -> None:
    """A reboot in the middle of it: it may run twice, so it does."""
    sim = make_sim(a_push([STOP]), lose_first(1, "reboot", is_restore))
    assert sim.push().accounts.outcomes == {Outcome.CHANGED: 1}
    assert acts(sim) == {"stop": 1, "stop.restore": 1, "stop.restore2": 1}


def test_a_restore_that_takes_its_host_down_is_not_sent_for_ever(make_sim: MakeSim) -> None:
    """Three tries in one leg, then its end is unknown, and told."""
    sim = make_sim(a_push([STOP]), lose_first(99, "reboot", is_restore))
    state = sim.push()
    assert state.accounts.outcomes == {Outcome.UNKNOWN: 1}
    assert "is not known to have ended" in state.host_run("p1", "web001").settled_cause


def test_an_act_cut_off_is_asked_for_then_put_back(make_sim: MakeSim) -> None:
    """Unknown stays unknown, but its daemons run; a resume does it anew, nobody has to look."""

    def is_stop(order: Order) -> bool:
        return isinstance(order, RunSegment) and order.steps[0].key == "stop"

    sim = make_sim(a_push([STOP, a_step("work")]), lose_first(1, "reboot", is_stop))
    assert sim.push().accounts.outcomes == {Outcome.UNKNOWN: 1}
    assert acts(sim) == {"stop": 1, "stop.restore": 1}
    assert sim.resume(only_failed=True).accounts.outcomes[Outcome.CHANGED] == 1


def test_an_act_nobody_can_be_asked_about_is_put_back_when_it_is_known(make_sim: MakeSim) -> None:
    """The host is gone: nothing is sent into the unknown; a plain resume asks, then restores."""
    away = [True]

    def mishap(order: Order) -> Mishap:
        return "cut after" if away[0] else "none"

    sim = make_sim(a_push([STOP, a_step("work")]), Script(mishap=mishap))
    state = sim.push()
    assert state.accounts.outcomes == {Outcome.UNKNOWN: 1}
    assert "its restore could not be sent" in state.host_run("p1", "web001").settled_cause
    away[0] = False
    state = sim.resume()
    assert acts(sim)["stop.restore"] == 1
    assert state.host_run("p1", "web001").owed == []
    assert state.accounts.outcomes[Outcome.FAILED] == 1


@pytest.mark.parametrize("after", [True, False])
def test_after_a_crash_at_any_record_nothing_stays_stopped(make_sim: MakeSim, after: bool) -> None:
    """Whatever was durable: the resumed run ends with every host put back, each act once."""
    steps = [a_step("stop", restore="start", restored_by="start"), a_step("work"), a_step("start")]
    for crash_at in range(1, 40):
        sim = make_sim(a_push(steps, HOSTS[:2], budget=2), Script(verdict=failing("work")))
        sim.journal.close()
        sim.journal = type(sim.journal)(sim.journal.path.with_name(f"j{crash_at}{after}.db"))
        try:
            sim.push(crash_at=crash_at, after=after)
            break
        except Crash:
            if crash_at == 1:
                continue
            sim.resume()
        for host in HOSTS[:2]:
            assert acts(sim, host).get("stop.restore", 0) == acts(sim, host).get("stop", 0) == 1
