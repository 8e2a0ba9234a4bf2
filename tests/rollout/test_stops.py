"""What stops a run, what becomes of its hosts, and how it goes on."""

from __future__ import annotations

import pytest

from fleetctl.base.outcome import Outcome
from fleetctl.plan.model import Budget, Plan, TierGuard
from fleetctl.playbook.operations import Retry
from fleetctl.rollout import records as r
from fleetctl.rollout.controls import Command, Word
from fleetctl.rollout.state import RunState
from fleetctl.transport.protocol import Look, RunSegment, StepOrder
from fleetctl.transport.simsegment import Verdict
from fleetctl.transport.simulated import Script
from tests.rollout.builders import a_phase, a_plan, a_step, hosts_named
from tests.rollout.conftest import MakeSim

HOSTS = hosts_named(6)


def failing_on(*hosts: str) -> Script:
    """Every step fails on these hosts."""

    def verdict(host: str, step: StepOrder) -> Verdict:
        return Verdict("failed" if host in hosts else "acted")

    return Script(verdict=verdict)


def one_by_one(budget: Budget, run_budget: int = 100) -> Plan:
    return a_plan(
        a_phase([HOSTS], [a_step("one")], limit=1, budget=budget), budget=run_budget
    )  # fmt: skip


def begun(records: list[r.Record]) -> list[str]:
    return [record.host for record in records if isinstance(record, r.HostBegan)]


def outcomes(state: RunState) -> dict[str, Outcome | None]:
    return {run.host: run.outcome for run in state.host_runs()}


@pytest.mark.parametrize(
    ("budget", "run_budget", "started"),
    [
        (Budget(0), 100, 1),
        (Budget(1), 100, 2),
        (Budget(100), 2, 3),
        (Budget(100, 0), 100, 1),
        (Budget(100), 100, 6),
    ],
)
def test_the_budget_is_asked_before_every_start(
    make_sim: MakeSim, budget: Budget, run_budget: int, started: int
) -> None:
    """With N allowed, host N+1 that is lost is the last that started; per batch, phase and run."""
    sim = make_sim(one_by_one(budget, run_budget), failing_on(*HOSTS))
    state = sim.push()
    assert begun(sim.records()) == HOSTS[:started]
    assert state.ended is not None
    assert state.ended.exit_code == (6 if started < 6 else 1)


def test_an_overspent_budget_halts_who_is_in_flight(make_sim: MakeSim) -> None:
    """Hosts begun already end their segment and go no further, also with nothing left to begin."""
    steps = [a_step("one", barrier=True), a_step("two")]
    sim = make_sim(a_plan(a_phase([HOSTS], steps, budget=Budget(0))), failing_on("web003"))
    state = sim.push()
    assert state.ended is not None
    assert state.ended.exit_code == 6
    assert all(not host.acts["two"] for host in sim.world.hosts.values())
    assert state.host_run("p1", "web001").halted


@pytest.mark.parametrize("lost", ["unreachable", "timed out", "unknown", "failed"])
def test_every_way_to_be_lost_spends_the_budget(make_sim: MakeSim, lost: str) -> None:
    """Unreachable, timed out and unknown count as failed does."""
    script = Script(
        mishap=lambda order: "unsent" if lost == "unreachable" else
        ("reboot" if lost == "unknown" and isinstance(order, RunSegment) else "none"),
        verdict=lambda host, step: Verdict("timed out" if lost == "timed out" else "failed"),
    )  # fmt: skip
    sim = make_sim(one_by_one(Budget(0)), script)
    state = sim.push()
    assert begun(sim.records()) == HOSTS[:1]
    assert outcomes(state)["web001"] == lost
    assert state.ended is not None
    assert state.ended.exit_code == (3 if lost == "unknown" else 6)


def test_no_host_starts_while_one_in_doubt_could_overspend(make_sim: MakeSim) -> None:
    """A host whose connection is gone counts as spent until it is known what became of it."""
    cut = {"done": False}

    def mishap(order: object) -> str:
        if isinstance(order, RunSegment) and not cut["done"]:
            cut["done"] = True
            return "cut after"
        return "none"

    plan = a_plan(a_phase([HOSTS], [a_step("one")], throttle=60.0))
    script = Script(mishap=mishap, verdict=lambda host, step: Verdict(duration_s=9.0))  # type: ignore[arg-type]
    sim = make_sim(plan, script)
    state = sim.push()
    told = [type(x) for x in sim.records() if isinstance(x, (r.HostBegan, r.StepSettled))]
    assert told[:2] == [r.HostBegan, r.StepSettled]
    assert state.accounts.outcomes == {Outcome.CHANGED: 6}


@pytest.mark.parametrize("word", ["drain", "abort"])
def test_drained_hosts_end_their_segment_and_resume_goes_on(make_sim: MakeSim, word: Word) -> None:
    """Nothing new starts; begun hosts are told truthfully; resume ends the work, each act once."""
    steps = [a_step("one", barrier=True), a_step("two")]
    sim = make_sim(a_plan(a_phase([HOSTS[:3], HOSTS[3:]], steps)))
    sim.commands = [(0.5, Command(word, "ann"))]
    state = sim.push()
    assert state.ended is not None
    assert state.ended.exit_code == 130
    assert outcomes(state) == {
        **dict.fromkeys(HOSTS[:3], Outcome.FAILED), **dict.fromkeys(HOSTS[3:], Outcome.SKIPPED)
    }  # fmt: skip
    run = state.host_run("p1", "web001")
    assert run.settled_cause.startswith("stopped before two: ")
    assert run.halted
    sim.commands = []
    again = sim.resume()
    assert again.accounts.outcomes == {Outcome.CHANGED: 6} | dict.fromkeys(
        (Outcome.FAILED, Outcome.SKIPPED), 0
    )
    assert all(host.acts == {"one": 1, "two": 1} for host in sim.world.hosts.values())


def test_a_kill_stops_what_runs_and_records_it(make_sim: MakeSim) -> None:
    """The second Ctrl-C: steps are stopped, failed for good unless idempotent, and told so."""
    steps = [a_step("one", retry=Retry(2)), a_step("two")]
    script = Script(verdict=lambda host, step: Verdict(duration_s=1000.0))
    sim = make_sim(a_plan(a_phase([HOSTS], steps)), script)
    sim.commands = [(0.5, Command("drain", "ann")), (1.0, Command("kill", "ann"))]
    state = sim.push()
    assert state.ended is not None
    assert state.ended.exit_code == 130
    assert sim.world.clock.monotonic_s() < 10.0
    assert outcomes(state) == dict.fromkeys(HOSTS, Outcome.FAILED)
    sim.commands, sim.world.script.verdict = [], lambda host, step: Verdict()
    assert sim.resume().accounts.outcomes[Outcome.CHANGED] == 6


def test_what_a_host_runs_stays_known_when_a_resume_stops_before_it(make_sim: MakeSim) -> None:
    """The budget is spent before the resume comes to it: its release was read back all the same."""
    steps = [a_step("read", reads_release=True, expects="r2"), a_step("two", retry=Retry(2))]

    def verdict(host: str, step: StepOrder) -> Verdict:
        long = step.key == "two" or host == "web002"
        return Verdict(duration_s=1000.0 if long else 0.1, stdout=b"r2\n")

    sim = make_sim(a_plan(a_phase([HOSTS[:2]], steps, budget=Budget(0))), Script(verdict=verdict))
    sim.commands = [(1.0, Command("kill", "ann"))]
    assert sim.push().host_run("p1", "web001").halted
    sim.commands = []
    again = sim.resume().host_run("p1", "web001")
    assert (again.outcome, again.last and again.last.release) == (Outcome.FAILED, "r2")
    assert again.settled_cause.startswith("not begun: ")


def test_a_host_that_does_not_answer_a_kill_is_unknown_in_time(make_sim: MakeSim) -> None:
    """The bound holds when the order to stop gets lost as well; a resume asks first."""
    script = Script(verdict=lambda host, step: Verdict(duration_s=40.0))
    sim = make_sim(a_plan(a_phase([HOSTS[:1]], [a_step("one")])), script)
    script.mishap = lambda order: "none" if isinstance(order, RunSegment) else "cut before"
    sim.commands = [(1.0, Command("kill", "ann"))]
    state = sim.push()
    assert state.ended is not None
    assert state.ended.exit_code == 3
    assert 20.0 < sim.world.clock.monotonic_s() < 30.0
    sim.commands, script.mishap = [], lambda order: "none"
    again = sim.resume()
    assert again.accounts.outcomes[Outcome.CHANGED] == 1
    assert sim.world.hosts["web001"].acts == {"one": 1}


def test_asks_that_are_lost_are_counted(make_sim: MakeSim) -> None:
    """A person sees how often a silent host was asked: the tries go up to the last but one."""
    script = Script()
    script.mishap = lambda order: "cut after" if isinstance(order, RunSegment) else "unsent"
    sim = make_sim(a_plan(a_phase([HOSTS[:1]], [a_step("one")])), script)
    assert sim.push().accounts.outcomes[Outcome.UNKNOWN] == 1
    asked = [one.try_no for one in sim.records() if isinstance(one, r.RetryPlanned)]
    assert asked == list(range(2, len(asked) + 2))
    assert len(asked) > 3


def test_asks_that_each_hang_for_a_minute_are_few(make_sim: MakeSim) -> None:
    """A host that takes connections and says nothing is unknown after three, not after eight."""
    script = Script(latency_s=lambda _: 60.0)
    script.mishap = lambda order: "cut after" if isinstance(order, RunSegment) else "unsent"
    sim = make_sim(a_plan(a_phase([HOSTS[:1]], [a_step("one")])), script)
    assert sim.push().accounts.outcomes[Outcome.UNKNOWN] == 1
    assert sum(isinstance(one, r.OrderLost) for one in sim.records()) == 1 + 3


def test_a_newer_run_fences_this_one_off(make_sim: MakeSim) -> None:
    """A host that obeys a newer run is not touched, and the whole run ends with 7."""
    sim = make_sim(one_by_one(Budget(0)))
    sim.world.hosts["web002"].fence = 10**15
    sim.world.hosts["web002"].holder = "r-newer"
    state = sim.push()
    assert state.ended is not None
    assert state.ended.exit_code == 7
    assert begun(sim.records()) == HOSTS[:2]
    assert not sim.world.hosts["web002"].acts


def test_hosts_found_down_count_against_the_floor(make_sim: MakeSim) -> None:
    """2 of 6 may be out; 2 unselected ones are down, so nothing starts at all."""
    guard = TierGuard("web", 6, 4, 6, tuple(HOSTS))
    plan = a_plan(a_phase([HOSTS[:3]], [a_step("one")]), guards=[guard])
    script = Script(look=lambda look: 1 if look.host in ("web005", "web006") else 0)
    sim = make_sim(plan, script)
    state = sim.push()
    assert state.stop is not None
    assert state.stop.reason == "floor"
    assert begun(sim.records()) == []
    assert r.FoundDown(("web005", "web006")) in sim.records()
    script.look = lambda look: 0
    assert sim.resume().accounts.outcomes[Outcome.CHANGED] == 3


def test_the_partner_of_a_lost_host_is_left_alone(make_sim: MakeSim) -> None:
    """Taking the second host of a pair after the first was lost would take both down."""
    from tests.rollout.builders import a_host

    hosts = {name: a_host(name, "web", pair="a") for name in HOSTS[:2]}
    plan = a_plan(a_phase([HOSTS[:1], HOSTS[1:3]], [a_step("one")], budget=Budget(1)), hosts=hosts)
    sim = make_sim(plan, failing_on("web001"))
    state = sim.push()
    assert outcomes(state) == {
        "web001": Outcome.FAILED, "web002": Outcome.SKIPPED, "web003": Outcome.CHANGED
    }  # fmt: skip
    sim.world.script.verdict = lambda host, step: Verdict()
    again = sim.resume(only_failed=True)
    assert outcomes(again) == dict.fromkeys(HOSTS[:3], Outcome.CHANGED)


def test_check_only_touches_nothing(make_sim: MakeSim) -> None:
    """No segment is sent; each step is told as nothing to do or as what would run."""
    sent: list[object] = []

    def look(look: Look) -> int:
        sent.append(look)
        return 0

    plan = a_plan(a_phase([HOSTS], [a_step("one", check="true"), a_step("two")]))
    sim = make_sim(plan, Script(look=look))
    state = sim.push(check_only=True)
    assert len(sent) == 6
    assert all(not host.acts and not host.records for host in sim.world.hosts.values())
    assert not any(isinstance(record, r.SegmentSent) for record in sim.records())
    assert set(outcomes(state).values()) == {Outcome.SKIPPED}


def test_every_word_is_recorded_though_it_changes_nothing(make_sim: MakeSim) -> None:
    """Who told the run what by which means is in the journal, the second drain as well."""
    script = Script(verdict=lambda host, step: Verdict(duration_s=5.0))
    sim = make_sim(a_plan(a_phase([HOSTS], [a_step("one")])), script)
    sim.commands = [
        (0.5, Command("drain", "ann@desk 4", means="SIGTERM")),
        (1.0, Command("drain", "ann@desk 4", means="SIGHUP")),
        (1.5, Command("leave", "bob@lap 5", means="SIGINT")),
    ]
    state = sim.push()
    assert [record for record in sim.records() if isinstance(record, r.WordTaken)] == [
        r.WordTaken("drain", "ann@desk 4", "SIGTERM"),
        r.WordTaken("drain", "ann@desk 4", "SIGHUP"),
        r.WordTaken("leave", "bob@lap 5", "SIGINT"),
    ]
    assert state.stop is not None
    assert state.stop.cause == "drained by ann@desk 4 (SIGTERM)"
