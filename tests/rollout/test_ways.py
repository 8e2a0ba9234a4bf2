"""The ways hosts go through a phase: barriers, steps run once, retries, undo, read-back, gates."""

from __future__ import annotations

from collections.abc import Callable
from typing import Literal

import pytest

from fleetctl.base.outcome import Outcome
from fleetctl.plan.model import Budget, Gate
from fleetctl.playbook.operations import Approval, HostProbe, HttpProbe, Retry
from fleetctl.rollout import records as r
from fleetctl.rollout.controls import Command, Word
from fleetctl.transport.protocol import Look, Order, Release, RunSegment, StepOrder
from fleetctl.transport.simsegment import Verdict
from fleetctl.transport.simulated import Mishap, Script, SimTransport
from tests.rollout.builders import a_host, a_pause, a_phase, a_plan, a_step, hosts_named
from tests.rollout.conftest import MakeSim

HOSTS = hosts_named(6)


def sent(records: list[r.Record]) -> list[tuple[str, tuple[str, ...]]]:
    return [(x.host, x.keys) for x in records if isinstance(x, r.SegmentSent)]


def once_astray(mishap: Mishap, times: int = 1) -> Callable[[Order], Mishap]:
    """The first segments meet with this, everything after is well."""
    left = [times]

    def choose(order: Order) -> Mishap:
        if isinstance(order, RunSegment) and left[0]:
            left[0] -= 1
            return mishap
        return "none"

    return choose


def test_steps_up_to_a_barrier_go_as_one_order(make_sim: MakeSim) -> None:
    """One segment a host and stretch, and none of the second before all of the first."""
    steps = [a_step("one"), a_step("two", barrier=True), a_step("three")]
    sim = make_sim(a_plan(a_phase([HOSTS], steps)))
    sim.push()
    orders = sent(sim.records())
    assert orders == [(h, ("one", "two")) for h in HOSTS] + [(h, ("three",)) for h in HOSTS]


@pytest.mark.parametrize("free", [True, False])
def test_a_phase_without_steps_asks_its_gates_and_sends_nothing(
    make_sim: MakeSim, free: bool
) -> None:
    """What must hold everywhere is asked of every host before the first change anywhere."""
    asked: set[str] = set()

    def look(order: Look) -> int:
        asked.add(order.host)
        return 0 if free or order.host != HOSTS[3] else 1

    disk = Gate("disk", "room", HostProbe("df"), when="before", timeout_s=5.0)
    plan = a_plan(
        a_phase([HOSTS], [], name="before", gates=[disk]),
        a_phase([HOSTS], [a_step("one")], name="work", needs=["before"]),
    )
    sim = make_sim(plan, Script(look=look))
    state = sim.push()
    assert asked == set(HOSTS)
    assert len(sent(sim.records())) == (len(HOSTS) if free else 0)
    assert state.ended is not None
    assert state.ended.exit_code == (0 if free else 6)


def test_a_resume_comes_to_phases_without_steps_it_did_not_reach(make_sim: MakeSim) -> None:
    """A run stopped before its last look at the hosts goes on to it, and ends well."""
    room = Gate("disk", "room", HostProbe("df"), when="after", timeout_s=5.0)
    plan = a_plan(
        a_phase([HOSTS], [a_step("one"), a_step("two")], name="work", limit=2),
        a_phase([HOSTS], [], name="after", gates=[room], needs=["work"]),
    )
    sim = make_sim(plan)
    sim.commands = [(0.1, Command("drain", "a person", "SIGINT"))]
    assert sim.push().ended == r.RunEnded(130, "drained by a person")
    sim.commands = []
    state = sim.resume()
    assert state.ended is not None
    assert state.ended.exit_code == 0
    assert {run.outcome for run in state.host_runs()} == {Outcome.OK, Outcome.CHANGED}


def test_a_lost_host_does_not_hold_a_barrier(make_sim: MakeSim) -> None:
    """The others go on when a host is lost before it."""
    script = Script(mishap=lambda order: "unsent" if order.host == "web002" else "none")
    plan = a_plan(
        a_phase([HOSTS], [a_step("one", barrier=True), a_step("two")], budget=Budget(1))
    )  # fmt: skip
    state = make_sim(plan, script).push()
    assert state.accounts.outcomes == {Outcome.CHANGED: 5, Outcome.UNREACHABLE: 1}


def test_a_limit_below_the_batch_makes_waves(make_sim: MakeSim) -> None:
    """Hosts parked at a barrier are in flight: the next ones begin when these are settled."""
    steps = [a_step("one", barrier=True), a_step("two")]
    sim = make_sim(a_plan(a_phase([HOSTS], steps, limit=3)))
    sim.push()
    waves = [host for host, keys in sent(sim.records()) if keys == ("one",)]
    kinds = [keys[0] for _, keys in sent(sim.records())]
    assert waves == HOSTS
    assert kinds == ["one"] * 3 + ["two"] * 3 + ["one"] * 3 + ["two"] * 3


@pytest.mark.parametrize(("once", "times"), [("fleet", 1), ("batch", 2), ("shard", 3)])
def test_a_step_runs_once_for_its_scope(make_sim: MakeSim, once: str, times: int) -> None:
    """One host runs it, the others go on after its success and are told where it ran."""
    hosts = {name: a_host(name, "web", shard=str(n % 3)) for n, name in enumerate(HOSTS)}
    steps = [a_step("migrate", once=once), a_step("restart")]  # type: ignore[arg-type]
    sim = make_sim(a_plan(a_phase([HOSTS[:3], HOSTS[3:]], steps), hosts=hosts))
    state = sim.push()
    assert sum(host.acts["migrate"] for host in sim.world.hosts.values()) == times
    assert all(host.acts["restart"] == 1 for host in sim.world.hosts.values())
    assert state.accounts.outcomes == {Outcome.CHANGED: 6}


def test_another_host_is_elected_when_the_first_never_ran_it(make_sim: MakeSim) -> None:
    """An elected host that cannot be reached gives the step to the next."""
    script = Script(mishap=lambda order: "unsent" if order.host == "web001" else "none")
    steps = [a_step("migrate", once="fleet"), a_step("restart")]
    sim = make_sim(a_plan(a_phase([HOSTS], steps, budget=Budget(1))), script)
    state = sim.push()
    assert state.accounts.outcomes == {Outcome.CHANGED: 5, Outcome.UNREACHABLE: 1}
    assert sim.world.hosts["web002"].acts["migrate"] == 1


def test_a_failed_step_of_all_fails_those_who_hang_on_it(make_sim: MakeSim) -> None:
    """The dependents are told as failed, with the host it failed on, and go no further."""

    def verdict(host: str, step: StepOrder) -> Verdict:
        return Verdict("failed" if step.key == "migrate" else "acted")

    steps = [a_step("migrate", once="fleet"), a_step("restart")]
    sim = make_sim(a_plan(a_phase([HOSTS], steps, budget=Budget(10))), Script(verdict=verdict))
    state = sim.push()
    assert state.accounts.outcomes == {Outcome.FAILED: 6}
    assert "failed on web001" in state.host_run("p1", "web004").settled_cause
    assert sum(sum(host.acts.values()) for host in sim.world.hosts.values()) == 1


def test_only_an_idempotent_step_is_tried_again(make_sim: MakeSim) -> None:
    """The one with a retry runs until it succeeds or its tries are up, the other once."""
    fails = {"web001": 2, "web002": 9}

    def verdict(host: str, step: StepOrder) -> Verdict:
        fails[host] = fails.get(host, 0) - 1
        return Verdict("failed" if fails[host] >= 0 else "acted")

    plan = a_plan(
        a_phase([HOSTS[:2]], [a_step("one", retry=Retry(3, 1.0))], budget=Budget(2)),
        a_phase([HOSTS[2:3]], [a_step("two")], budget=Budget(2), name="p2"),
    )
    fails["web003"] = 1
    sim = make_sim(plan, Script(verdict=verdict))
    state = sim.push()
    assert {h: sum(sim.world.hosts[h].acts.values()) for h in HOSTS[:3]} == {
        "web001": 3, "web002": 3, "web003": 1
    }  # fmt: skip
    assert state.accounts.outcomes == {Outcome.CHANGED: 1, Outcome.FAILED: 2}


@pytest.mark.parametrize(
    ("mishap", "outcome", "acts"),
    [
        ("cut before", Outcome.CHANGED, 1),  # absent: sent again
        ("cut after", Outcome.CHANGED, 1),  # it runs on: its answer is fetched
        ("late", Outcome.CHANGED, 1),  # absent, sent again, then the first one arrives
        ("twice", Outcome.CHANGED, 1),
        ("unsent", Outcome.CHANGED, 1),
        ("reboot", Outcome.UNKNOWN, 1),  # begun and gone: nobody may guess
    ],
)
def test_a_lost_order_is_asked_for_never_repeated_blindly(
    make_sim: MakeSim, mishap: Mishap, outcome: Outcome, acts: int
) -> None:
    """Whatever happens to the connection, the effect happens once or the host is unknown."""
    sim = make_sim(
        a_plan(a_phase([HOSTS[:1]], [a_step("one")])), Script(mishap=once_astray(mishap))
    )  # fmt: skip
    state = sim.push()
    assert state.accounts.outcomes == {outcome: 1}
    assert sim.world.hosts["web001"].acts["one"] == acts


@pytest.mark.parametrize("mishap", ["none", "cut after"])
def test_steps_after_a_failed_one_were_not_begun(make_sim: MakeSim, mishap: Mishap) -> None:
    """The rest of a segment is free again, without a question or with the answer to one."""
    script = Script(once_astray(mishap), lambda host, step: Verdict("failed"))
    sim = make_sim(a_plan(a_phase([HOSTS[:1]], [a_step("one"), a_step("two")])), script)
    state = sim.push()
    assert state.host_run("p1", "web001").steps == ["failed", "todo"]
    asked = [x for x in sim.records() if isinstance(x, r.AskSent)]
    assert len(asked) == (0 if mishap == "none" else 1)


@pytest.mark.parametrize("guarded", ["retry", "check"])
def test_a_guarded_step_cut_by_a_reboot_runs_again(make_sim: MakeSim, guarded: str) -> None:
    """Idempotent, or with a check of its own: it may be sent as a new try."""
    step = a_step("one", check="done?") if guarded == "check" else a_step("one", retry=Retry(2))
    sim = make_sim(a_plan(a_phase([HOSTS[:1]], [step])), Script(mishap=once_astray("reboot")))
    assert sim.push().accounts.outcomes == {Outcome.CHANGED: 1}
    assert sim.world.hosts["web001"].acts == {"one": 1, "one.try2": 1}


@pytest.mark.parametrize(
    ("word", "acts"),
    [("done", {"one": 1, "two": 1}), ("again", {"one": 1, "one.try2": 1, "two": 1})],
)
def test_a_person_says_what_became_of_an_unknown_step(
    make_sim: MakeSim, word: Literal["done", "again"], acts: dict[str, int]
) -> None:
    """Where the host cannot say: the run goes on behind the step, or sends it as a new try."""
    steps = [a_step("one"), a_step("two")]
    sim = make_sim(a_plan(a_phase([HOSTS[:1]], steps)), Script(mishap=once_astray("reboot")))
    assert sim.push().accounts.outcomes == {Outcome.UNKNOWN: 1}
    told = (r.Told("web001", word),)
    assert sim.resume(only_failed=True, told=told).accounts.outcomes[Outcome.CHANGED] == 1
    assert sim.world.hosts["web001"].acts == acts


def test_what_a_person_calls_done_is_not_run_again_though_it_might_be(make_sim: MakeSim) -> None:
    """Idempotent is a leave to repeat, not a wish for it; the host was away when it was asked."""
    reachable = [True]

    def mishap(order: Order) -> Mishap:
        if isinstance(order, RunSegment) and reachable[0]:
            reachable[0] = False
            return "reboot"
        return "none" if reachable[0] else "unsent"

    step = a_step("one", retry=Retry(2))
    sim = make_sim(a_plan(a_phase([HOSTS[:1]], [step])), Script(mishap=mishap))
    assert sim.push().accounts.outcomes == {Outcome.UNKNOWN: 1}
    reachable[0] = True
    sim.world.script.mishap = lambda order: "none"
    told = (r.Told("web001", "done"),)
    assert sim.resume(only_failed=True, told=told).accounts.outcomes[Outcome.CHANGED] == 1
    assert sim.world.hosts["web001"].acts == {"one": 1}


@pytest.mark.parametrize("word", ["done", "again"])
def test_a_persons_word_does_not_overrule_the_host(
    make_sim: MakeSim, word: Literal["done", "again"]
) -> None:
    """A host that knows is believed: the step failed there, and is tried anew as a failed one."""
    verdicts = iter([Verdict("failed")])
    silent = [True]
    script = Script(
        mishap=lambda order: "cut after" if silent[0] else "none",
        verdict=lambda host, step: next(verdicts, Verdict()),
    )
    sim = make_sim(a_plan(a_phase([HOSTS[:1]], [a_step("one")])), script)
    assert sim.push().accounts.outcomes == {Outcome.UNKNOWN: 1}
    silent[0] = False
    told = (r.Told("web001", word),)
    assert sim.resume(only_failed=True, told=told).accounts.outcomes[Outcome.FAILED] == 1
    assert sim.world.hosts["web001"].acts == {"one": 1}


def test_a_persons_word_holds_for_one_try(make_sim: MakeSim) -> None:
    """Down again in the step that was to run again: unknown again, not run a third time."""
    script = Script(mishap=once_astray("reboot", times=2))
    sim = make_sim(a_plan(a_phase([HOSTS[:1]], [a_step("one")])), script)
    sim.push()
    again = sim.resume(only_failed=True, told=(r.Told("web001", "again"),))
    assert again.accounts.outcomes == {Outcome.UNKNOWN: 1}
    assert sim.world.hosts["web001"].acts == {"one": 1, "one.try2": 1}
    assert sim.resume(only_failed=True).accounts.outcomes == {Outcome.UNKNOWN: 1}


def test_a_step_past_its_deadline_is_killed_and_told(make_sim: MakeSim) -> None:
    """A lost step that never ends is asked for until its deadline, killed, and asked again."""
    script = Script(once_astray("cut after"), lambda host, step: Verdict(duration_s=10**6))
    sim = make_sim(a_plan(a_phase([HOSTS[:1]], [a_step("one", timeout_s=60.0)])), script)
    state = sim.push()
    assert state.accounts.outcomes == {Outcome.FAILED: 1}
    assert 60.0 < sim.world.clock.monotonic_s() < 200.0


def test_undo_takes_done_steps_back_last_first(make_sim: MakeSim) -> None:
    """The lost host's done steps are undone in reverse; its outcome stays; the others go on."""

    def verdict(host: str, step: StepOrder) -> Verdict:
        bad = host == "web001" and step.key == "three"
        return Verdict("failed" if bad else "checked" if step.key == "zero" else "acted")

    steps = [a_step(key, undo="undo") for key in ("zero", "one", "two", "three")]
    plan = a_plan(a_phase([HOSTS[:2]], steps, on_failure="undo", budget=Budget(1)))
    sim = make_sim(plan, Script(verdict=verdict))
    state = sim.push()
    undone = [x for x in sim.records() if isinstance(x, r.SegmentSent) and x.undo]
    assert [(x.host, x.keys) for x in undone] == [("web001", ("two", "one"))]
    assert state.accounts.outcomes == {Outcome.FAILED: 1, Outcome.CHANGED: 1}
    sim.world.script.verdict = lambda host, step: Verdict()
    assert sim.resume(only_failed=True).accounts.outcomes[Outcome.CHANGED] == 2
    assert sim.world.hosts["web001"].acts["one.try2"] == 1  # undone, so done anew


@pytest.mark.parametrize(
    ("read", "expects", "outcome", "cause"),
    [
        (b"rel-2\n", "rel-2", Outcome.CHANGED, ""),
        (b"noise\nrel-2\n\n", "rel-2", Outcome.CHANGED, ""),
        (b"rel-1\n", "rel-2", Outcome.FAILED, "the host runs rel-1, not rel-2"),
        (b"rel-1\n", "", Outcome.FAILED, "it runs rel-1, not rel-2"),
        (b"", "rel-2", Outcome.FAILED, "the host runs no release, not rel-2"),
        (None, "rel-2", Outcome.FAILED, "its live release was not read back"),
    ],
)
def test_well_is_only_what_was_read_back(
    make_sim: MakeSim, read: bytes | None, expects: str, outcome: Outcome, cause: str
) -> None:
    """A host of a deploying phase ends well only with the planned release live."""
    steps = [a_step("swap")]
    if read is not None:
        steps.append(a_step("read", reads_release=True, expects=expects))
    script = Script(verdict=lambda host, step: Verdict(stdout=read or b""))
    sim = make_sim(a_plan(a_phase([HOSTS[:1]], steps, release="rel-2")), script)
    run = sim.push().host_run("p1", "web001")
    assert (run.outcome, run.settled_cause) == (outcome, cause)


def test_a_throttle_spaces_starts(make_sim: MakeSim) -> None:
    """30 a minute: two seconds between one host and the next."""
    sim = make_sim(a_plan(a_phase([HOSTS], [a_step("one")], throttle=30.0)))
    sim.push()
    assert 10.0 <= sim.world.clock.monotonic_s() < 12.5


def test_a_pause_lets_time_pass_and_sends_nothing(make_sim: MakeSim) -> None:
    """The next step is sent after the pause."""
    sim = make_sim(
        a_plan(a_phase([HOSTS[:1]], [a_step("one"), a_pause("rest", 30.0), a_step("two")]))
    )
    sim.push()
    assert 32.0 <= sim.world.clock.monotonic_s() < 33.0
    assert sent(sim.records()) == [("web001", ("one",)), ("web001", ("two",))]


def gate(probe: object, **more: object) -> Gate:
    return Gate("g1", "is it up", probe, **more)  # type: ignore[arg-type]


def test_a_gate_holds_the_next_batch_until_it_holds(make_sim: MakeSim) -> None:
    """Asked again each interval; the next batch begins after it, not before."""
    asked: list[str] = []

    def look(look: Look) -> int:
        asked.append(look.host)
        return 0 if len(asked) > 3 else 1

    plan = a_plan(a_phase([HOSTS[:1], HOSTS[1:]], [a_step("one")], gates=[gate(HostProbe("up?"))]))
    sim = make_sim(plan, Script(look=look))
    assert sim.push().accounts.outcomes == {Outcome.CHANGED: 6}
    assert asked[:4] == ["web001"] * 4


@pytest.mark.parametrize("signal", [1, None])
def test_a_gate_that_never_holds_stops_the_run(make_sim: MakeSim, signal: int | None) -> None:
    """A no and a missing signal are both not a yes; nothing starts after."""
    plan = a_plan(
        a_phase(
            [HOSTS[:1], HOSTS[1:]], [a_step("one")], gates=[gate(HostProbe("up?"), timeout_s=9.0)]
        )
    )
    sim = make_sim(plan, Script(look=lambda look: signal))
    state = sim.push()
    assert state.ended is not None
    assert state.ended.exit_code == 6
    assert state.stop is not None
    assert state.stop.reason == "gate"
    assert [x.host for x in sim.records() if isinstance(x, r.HostBegan)] == ["web001"]
    sim.world.script.look = lambda look: 0
    assert sim.resume().accounts.outcomes[Outcome.CHANGED] == 6


def test_the_last_round_of_a_gate_has_as_much_time_as_the_first(make_sim: MakeSim) -> None:
    """Near the end of its time, hosts that are well are not told as silent."""
    given: list[float] = []

    def look(look: Look) -> int:
        given.append(look.timeout_s)
        return 1

    gates = [gate(HostProbe("up?"), timeout_s=9.0, interval_s=2.0)]
    make_sim(a_plan(a_phase([HOSTS[:1]], [a_step("one")], gates=gates)), Script(look=look)).push()
    assert len(given) > 3
    assert min(given) == 9.0


def test_a_gate_with_a_lost_probe_does_not_pass(make_sim: MakeSim) -> None:
    """When the probe itself cannot be made, the gate stays shut."""
    script = Script(mishap=lambda order: "unsent" if isinstance(order, Look) else "none")
    plan = a_plan(
        a_phase([HOSTS[:1]], [a_step("one")], gates=[gate(HostProbe("up?"), timeout_s=9.0)])
    )
    state = make_sim(plan, script).push()
    assert state.stop is not None
    assert "no signal" in state.stop.cause


def test_a_soak_goes_on_checking_every_host_done(make_sim: MakeSim) -> None:
    """Hosts of earlier batches are asked again, and one that falls over stops the run."""
    probe = HttpProbe("http://{{host.address}}/")
    plan = a_plan(
        a_phase([HOSTS[:1], HOSTS[1:3]], [a_step("one")], gates=[gate(probe, soak_s=10.0)])
    )
    sim = make_sim(plan)
    asked: list[str] = []

    def holds(order: object) -> bool:
        asked.append(order.host)  # type: ignore[attr-defined]
        return order.host != "web001" or asked.count("web001") < 10  # type: ignore[attr-defined]

    sim.holds = holds
    state = sim.push()
    assert state.stop is not None
    assert "it stopped holding: web001" in state.stop.cause
    assert {"web001", "web002", "web003"} == set(asked)


@pytest.mark.parametrize(("word", "code"), [("approve", 0), ("refuse", 6), (None, 6)])
def test_a_person_opens_an_approval(make_sim: MakeSim, word: Word | None, code: int) -> None:
    """Yes goes on, no stops, and no answer in time is a no; who said it is recorded."""
    plan = a_plan(
        a_phase([HOSTS[:1], HOSTS[1:]], [a_step("one")], gates=[gate(Approval("Go on?"))])
    )
    sim = make_sim(plan)
    if word is not None:
        sim.commands = [(n * 5.0, Command(word, "ann", "g1")) for n in range(1, 4)]
    state = sim.push()
    assert state.ended is not None
    assert state.ended.exit_code == code
    by = next(x.by for x in sim.records() if isinstance(x, r.GateSettled))
    assert by == ("ann" if word else "")


@pytest.mark.parametrize(("default", "code"), [("refuse", 6), ("approve", 0)])
def test_nobody_answers_and_the_default_is_taken(
    make_sim: MakeSim, default: Literal["refuse", "approve"], code: int
) -> None:
    """After the gate's time, not before, and it is told as a default, not as a person's word."""
    asks = gate(Approval("Go on?", default))
    sim = make_sim(a_plan(a_phase([HOSTS[:1], HOSTS[1:]], [a_step("one")], gates=[asks])))
    state = sim.push()
    assert state.ended is not None
    assert state.ended.exit_code == code
    [answered] = [x for x in sim.records() if isinstance(x, r.QuestionAnswered)]
    assert (answered.choice, answered.defaulted) == (default, True)
    settled = next(x for x in sim.records() if isinstance(x, r.GateSettled))
    assert (settled.by, settled.cause) == ("", "nobody answered in time")
    assert sim.world.now_s() >= asks.timeout_s


def test_what_answers_no_open_question_is_ignored(make_sim: MakeSim) -> None:
    """Another question's key, a choice it has not, a second answer: none of them decides."""
    asks = gate(Approval("Go on?"))
    sim = make_sim(a_plan(a_phase([HOSTS[:1], HOSTS[1:]], [a_step("one")], gates=[asks])))
    sim.commands = [
        (5.0, Command("answer", "bob", "g2", choice="refuse")),
        (6.0, Command("answer", "bob", "g1", choice="rollback")),
        (7.0, Command("answer", "ann", "g1", choice="approve", why="all green")),
        (7.0, Command("answer", "bob", "g1", choice="refuse")),
    ]
    state = sim.push()
    assert state.ended is not None
    assert state.ended.exit_code == 0
    settled = next(x for x in sim.records() if isinstance(x, r.GateSettled))
    assert (settled.by, settled.cause) == ("ann", "all green")


def test_an_order_to_stop_withdraws_a_question(make_sim: MakeSim) -> None:
    """It is open no more, an answer that comes late decides nothing, and a resume asks anew."""
    asks = gate(Approval("Go on?"))
    sim = make_sim(a_plan(a_phase([HOSTS[:1], HOSTS[1:]], [a_step("one")], gates=[asks])))
    sim.commands = [(5.0, Command("drain", "ann")), (5.0, Command("approve", "ann", "g1"))]
    assert not sim.push().asked
    sim.commands = [(5.0, Command("approve", "ann", "g1"))]
    state = sim.resume()
    assert state.ended is not None
    assert state.ended.exit_code == 0
    asked = [x.key for x in sim.records() if isinstance(x, r.QuestionAsked)]
    assert asked == ["g1", "g1"]


def test_nobody_is_asked_whether_to_go_on_at_the_very_end(make_sim: MakeSim) -> None:
    """An approval stands between batches and between phases, not behind the last one."""
    ask = gate(Approval("Go on?"))
    phases = [a_phase([HOSTS[:1]], [a_step("a")], name="p1", gates=[ask]),
              a_phase([HOSTS[1:]], [a_step("b")], name="p2", gates=[ask])]  # fmt: skip
    sim = make_sim(a_plan(*phases))
    sim.commands = [(5.0, Command("approve", "ann", "g1"))]
    state = sim.push()
    assert state.ended is not None
    assert state.ended.exit_code == 0
    asked = [x.phase for x in sim.records() if isinstance(x, r.GateAsked)]
    assert asked == ["p1"]


def test_a_host_lost_in_one_phase_is_left_alone_in_the_next(make_sim: MakeSim) -> None:
    """What was not done to it makes the next phase unsafe on it; the others go on."""
    script = Script(verdict=lambda host, step: Verdict("failed" if host == "web001" else "acted"))
    phases = [
        a_phase([HOSTS[:2]], [a_step(f"{name}-one")], name=name, budget=Budget(1))
        for name in ("p1", "p2")
    ]
    sim = make_sim(a_plan(*phases), script)
    state = sim.push()
    assert state.host_run("p2", "web001").outcome is Outcome.SKIPPED
    assert state.host_run("p2", "web002").outcome is Outcome.CHANGED
    assert state.ended is not None
    assert state.ended.exit_code == 1


@pytest.mark.parametrize(
    ("batches", "gates", "released"),
    [
        ([HOSTS[:3], HOSTS[3:]], (), HOSTS[:3]),
        ([HOSTS], (), []),
        ([HOSTS], (Gate("g", "web answers", HttpProbe("http://127.0.0.1/")),),
         HOSTS),
    ],
)  # fmt: skip
def test_a_connection_is_given_up_when_its_host_is_done_unless_the_run_ends_with_it(
    make_sim: MakeSim, monkeypatch: pytest.MonkeyPatch, batches: list[list[str]],
    gates: tuple[Gate, ...], released: list[str],
) -> None:  # fmt: skip
    """The last batch's connections end with the run; a gate after it may take hours."""
    seen: list[str] = []
    submit = SimTransport.submit

    def note(self: SimTransport, order: Order) -> None:
        if isinstance(order, Release):
            seen.append(order.host)
        submit(self, order)

    monkeypatch.setattr(SimTransport, "submit", note)
    make_sim(a_plan(a_phase(batches, [a_step("one")], gates=gates))).push()
    assert seen == released
