"""Steps a person does: who is asked how often, what an answer does, what a resume remembers."""

from __future__ import annotations

import pytest

from fleetctl.base.outcome import Outcome
from fleetctl.plan.model import Budget, Plan
from fleetctl.rollout import records as r
from fleetctl.rollout.controls import Command
from fleetctl.transport.protocol import Look, Order, RunSegment
from fleetctl.transport.simsegment import Verdict
from fleetctl.transport.simulated import Script
from tests.rollout.builders import a_hostless, a_manual, a_phase, a_plan, a_step, hosts_named
from tests.rollout.conftest import MakeSim
from tests.rollout.simulation import Crash, Sim

HOSTS = hosts_named(4)


def says(choice: str, key: str = "", why: str = "", by: str = "ann") -> Command:
    return Command("answer", by, key, choice=choice, why=why)


def asked(sim: Sim) -> list[tuple[str, str]]:
    return [(x.key, x.host) for x in sim.records() if isinstance(x, r.QuestionAsked)]


def sent(sim: Sim, key: str) -> list[str]:
    return [x.host for x in sim.records() if isinstance(x, r.SegmentSent) and key in x.keys]


def test_a_person_is_asked_once_and_all_hosts_go_on(make_sim: MakeSim) -> None:
    """Over two batches one question; nothing behind it is sent before its answer."""
    steps = [a_step("one"), a_manual("page"), a_step("two")]
    sim = make_sim(a_plan(a_phase([HOSTS[:2], HOSTS[2:]], steps)))
    sim.commands = [(30.0, says("done", why="it is up"))]
    state = sim.push()
    assert state.ended is not None
    assert state.ended.exit_code == 0
    assert asked(sim) == [("page", "")]
    entries = sim.records()
    answered = next(n for n, x in enumerate(entries) if isinstance(x, r.QuestionAnswered))
    assert sent(sim, "two") == HOSTS
    early = [x for x in entries[:answered] if isinstance(x, r.SegmentSent) and "two" in x.keys]
    assert not early
    ends = {x.host: x.cause for x in entries if isinstance(x, r.StepSettled) and x.key == "page"}
    assert ends == dict.fromkeys(HOSTS, "done by ann: it is up")


@pytest.mark.parametrize(("once", "keys"), [
    ("batch", ["page/0", "page/1"]),
    ("", [f"page/{host}" for host in HOSTS]),
])  # fmt: skip
def test_a_person_is_asked_for_each_batch_or_host(
    make_sim: MakeSim, once: str, keys: list[str]
) -> None:
    """The question names what it is for, and an answer lets only that go on."""
    plan = a_plan(a_phase([HOSTS[:2], HOSTS[2:]], [a_manual("page", once=once)]))  # type: ignore[arg-type]
    sim = make_sim(plan)
    sim.commands = [(10.0 * n, says("done", key)) for n, key in enumerate(keys, 1)]
    state = sim.push()
    assert state.ended is not None
    assert state.ended.exit_code == 0
    assert [key for key, _ in asked(sim)] == keys


def test_no_host_is_reached_where_a_person_does_all(make_sim: MakeSim) -> None:
    """Neither with hosts named nor without, in a push nor in a check."""
    orders: list[Order] = []

    def watch(order: Order) -> str:
        orders.append(order)
        return "none"

    plan = a_plan(
        a_hostless("before", a_manual("page")),
        a_phase([HOSTS], [a_manual("look", once="")], name="p2"),
    )
    sim = make_sim(plan, Script(mishap=watch))  # type: ignore[arg-type]
    sim.commands = [(5.0, says("done", "page"))]
    sim.commands += [(10.0, says("done", f"look/{host}")) for host in HOSTS]
    assert sim.push().accounts.outcomes == {Outcome.OK: 4}
    other = make_sim(plan, Script(mishap=watch))  # type: ignore[arg-type]
    assert other.push(check_only=True).accounts.outcomes == {Outcome.SKIPPED: 4}
    assert asked(other) == []
    assert not [order for order in orders if isinstance(order, (Look, RunSegment))]


def test_what_failed_for_one_host_spends_the_budget(make_sim: MakeSim) -> None:
    """The host is lost with the person's words; tried again, the person is asked again."""
    steps = [a_manual("page", once=""), a_step("two")]
    sim = make_sim(a_plan(a_phase([HOSTS[:2]], steps, budget=Budget(1))))
    sim.commands = [(5.0, says("failed", "page/web001", "no disk")), (6.0, says("done"))]
    state = sim.push()
    assert state.host_run("p1", "web001").outcome is Outcome.FAILED
    assert state.host_run("p1", "web001").settled_cause == "failed by ann: no disk"
    assert state.host_run("p1", "web002").outcome is Outcome.CHANGED
    sim.commands = [(5.0, says("done"))]
    assert +sim.resume(only_failed=True).accounts.outcomes == {Outcome.CHANGED: 2}
    assert [key for key, _ in asked(sim)] == ["page/web001", "page/web002", "page/web001"]


def test_what_failed_for_all_stops_and_no_host_is_lost(make_sim: MakeSim) -> None:
    """Exit 6, hosts are left where they are, and a resume asks again and goes on."""
    sim = make_sim(a_plan(a_phase([HOSTS], [a_step("one"), a_manual("page"), a_step("two")])))
    sim.commands = [(10.0, says("failed", why="no key"))]
    state = sim.push()
    assert state.ended is not None
    assert (state.ended.exit_code, state.stop and state.stop.reason) == (6, "gate")
    assert "page, please: failed by ann: no key" in state.ended.cause
    assert state.accounts.halted == 4
    sim.commands = [(10.0, says("done"))]
    assert +sim.resume().accounts.outcomes == {Outcome.CHANGED: 4}
    assert sent(sim, "one") == HOSTS
    assert len(asked(sim)) == 2


@pytest.mark.parametrize(("default", "code"), [("failed", 6), ("skipped", 0)])
def test_silence_is_never_taken_for_done(make_sim: MakeSim, default: str, code: int) -> None:
    """Nobody's answer fails the step, or skips it where the author says so."""
    step = a_manual("page", default=default)  # type: ignore[arg-type]
    sim = make_sim(a_plan(a_phase([HOSTS], [step])))
    state = sim.push()
    assert state.ended is not None
    assert state.ended.exit_code == code
    [answered] = [x for x in sim.records() if isinstance(x, r.QuestionAnswered)]
    assert answered.defaulted
    if not code:
        ends = [x for x in sim.records() if isinstance(x, r.StepSettled)]
        assert {end.cause for end in ends} == {"skipped: nobody answered in time"}


def test_boxes_are_ticked_before_it_is_done_and_stay_ticked(make_sim: MakeSim) -> None:
    """Done is no answer while a box is open; a box ticked before a crash needs no second look."""
    plan = a_plan(a_phase([HOSTS], [a_manual("page", "one", "two", "three")]))
    sim = make_sim(plan)
    sim.commands = [
        (5.0, says("box 1", "page")), (6.0, says("box 3", "page")), (7.0, says("box 9", "page")),
        (8.0, says("done")), (9.0, Command("drain", "ann")),
    ]  # fmt: skip
    assert sim.push().boxes == {"page": {1, 3}}
    sim.commands = [(5.0, says("done")), (6.0, says("box 2", "page")), (7.0, says("done"))]
    state = sim.resume()
    assert state.ended is not None
    assert state.ended.exit_code == 0
    ticked = [(x.box, x.by) for x in sim.records() if isinstance(x, r.BoxTicked)]
    assert ticked == [(1, "ann"), (3, "ann"), (2, "ann")]


def test_what_was_done_is_not_asked_again_after_a_crash(make_sim: MakeSim) -> None:
    """Whichever record the controller dies at, a person is asked again only while not answered."""
    steps = [a_step("one"), a_manual("page"), a_step("two")]
    plan = a_plan(a_hostless("before", a_manual("first")), a_phase([HOSTS[:2]], steps, name="p1"))
    whole = make_sim(plan)
    whole.commands = [(5.0, says("done", "first")), (10.0, says("done", "page"))]
    whole.push()
    for at in range(2, len(whole.records())):
        sim = make_sim(plan)
        sim.commands = whole.commands
        with pytest.raises(Crash):
            sim.push(crash_at=at)
        answered = [x.key for x in sim.records() if isinstance(x, r.QuestionAnswered)]
        before = len(asked(sim))
        state = sim.resume()
        assert state.ended is not None
        assert state.ended.exit_code == 0
        assert not [key for key, _ in asked(sim)[before:] if key in answered]


def hostless_first() -> Plan:
    return a_plan(
        a_hostless("before", a_manual("page"), a_manual("mail")),
        a_phase([HOSTS], [a_step("one")], name="p2", needs=["before"]),
    )


def test_a_phase_without_hosts_is_asked_step_by_step(make_sim: MakeSim) -> None:
    """In the order written, skipped counts, and the phase that needs it comes after."""
    sim = make_sim(hostless_first())
    sim.commands = [(5.0, says("done", "page")), (9.0, says("skipped", "mail", "nobody reads it"))]
    assert sim.push().accounts.outcomes == {Outcome.CHANGED: 4}
    kinds = [type(x).__name__ for x in sim.records()]
    assert kinds.index("HostBegan") > max(n for n, k in enumerate(kinds) if k == "GateSettled")
    causes = [x.cause for x in sim.records() if isinstance(x, r.GateSettled)]
    assert causes == ["", "skipped by ann: nobody reads it"]


def test_a_phase_without_hosts_stops_the_run_and_is_gone_on_with(make_sim: MakeSim) -> None:
    """Failed: exit 6, nothing behind it began; a resume asks what is not done, no more."""
    sim = make_sim(hostless_first())
    sim.commands = [(5.0, says("done", "page")), (9.0, says("failed", "mail", "server down"))]
    state = sim.push()
    assert state.ended is not None
    assert state.ended.exit_code == 6
    assert sim.world.hosts["web001"].acts["one"] == 0
    sim.commands = [(5.0, says("done", "mail"))]
    assert +sim.resume().accounts.outcomes == {Outcome.CHANGED: 4}
    assert [key for key, _ in asked(sim)] == ["page", "mail", "mail"]


def test_a_run_does_not_end_well_with_a_phase_nobody_did(make_sim: MakeSim) -> None:
    """Lost hosts alone are tried again: the person's phase is left, and the exit code says so."""
    plan = a_plan(
        a_phase([HOSTS], [a_step("one")], budget=Budget(0)), a_hostless("after", a_manual("page"))
    )
    failing = [True]
    script = Script(
        verdict=lambda host, step: Verdict("failed" if failing[0] and host == "web001" else "acted")
    )
    sim = make_sim(plan, script)
    sim.push()
    failing[0] = False
    state = sim.resume(only_failed=True)
    assert state.ended is not None
    assert state.ended.exit_code == 6
    assert "after is not done" in state.ended.cause
    sim.commands = [(5.0, says("done"))]
    last = sim.resume().ended
    assert last is not None
    assert last.exit_code == 0
