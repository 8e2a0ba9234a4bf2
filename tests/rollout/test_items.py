"""Foreach steps: rounds, budgets for items, what is retried, asked, and never done twice."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from typing import Any

import pytest

from fleetctl.base.errors import ExitCode
from fleetctl.base.outcome import Outcome
from fleetctl.plan.model import Budget, Plan
from fleetctl.playbook.operations import Retry
from fleetctl.rollout import records as r
from fleetctl.rollout.controls import Command
from fleetctl.rollout.items import read_list
from fleetctl.rollout.records import Told
from fleetctl.rollout.tables import ITEM, ItemEvent, ItemState
from fleetctl.transport.protocol import Ask, ItemOrder, Output, RunSegment, StepOrder
from fleetctl.transport.simhost import Blind
from fleetctl.transport.simsegment import Verdict
from fleetctl.transport.simulated import Script
from tests.rollout.builders import a_foreach, a_phase, a_plan, a_step, hosts_named
from tests.rollout.conftest import MakeSim
from tests.rollout.simulation import Crash, Sim
from tests.rollout.test_ways import once_astray

HOSTS = hosts_named(2)
FEW = tuple(f"i{n}" for n in range(5))


class Acts(Blind):
    """Counts what truly began."""

    def __init__(self) -> None:
        self.count: Counter[tuple[str, str]] = Counter()

    def item_began(self, host: str, order: RunSegment, step: StepOrder, item: ItemOrder) -> None:
        self.count[host, item.name] += 1


def script(items: tuple[str, ...] = FEW, bad: Callable[[str, str], str] | None = None) -> Script:
    """Hosts that list these items; `bad` (host, item) -> how it ends, empty for well."""

    def item(host: str, step: StepOrder, name: str) -> Verdict:
        end = bad(host, name) if bad else ""
        return Verdict(end or "acted", 1.0)  # type: ignore[arg-type]

    def verdict(host: str, step: StepOrder) -> Verdict:
        listed = "".join(f"{name}\n" for name in items).encode()
        return Verdict("acted", 0.1, listed if step.key.endswith(".list") else b"")

    return Script(item=item, verdict=verdict)


def a_push(budget: Budget | None = None, **more: Any) -> Plan:
    steps = [a_step("before"), *a_foreach("up", **more), a_step("after")]
    return a_plan(a_phase([HOSTS], steps, budget=budget or Budget(0), limit=1))


def watched(sim: Sim) -> Counter[tuple[str, str]]:
    acts = Acts()
    sim.world.witness = acts
    return acts.count


def settled(sim: Sim) -> dict[tuple[str, str], Outcome]:
    """The last outcome of each item."""
    return {
        (x.host, x.item): x.outcome
        for x in sim.records()
        if isinstance(x, r.ItemSettled) and not x.again
    }


def hosts(sim: Sim) -> dict[str, Outcome]:
    return {x.host: x.outcome for x in sim.records() if isinstance(x, r.HostSettled)}


def rounds(sim: Sim, host: str = "web001") -> list[int]:
    """How many items each round had."""
    return [len(x.items) for x in sim.records() if isinstance(x, r.ItemsSent) and x.host == host]


def test_every_item_is_done_once_and_has_a_record(make_sim: MakeSim) -> None:
    """Each item a host lists is done there, in rounds that begin small, and the host goes on."""
    sim = make_sim(a_push(), script(tuple(f"i{n}" for n in range(400))))
    count = watched(sim)
    state = sim.push()
    assert state.ended is not None
    assert state.ended.exit_code == ExitCode.OK
    assert set(count.values()) == {1}
    assert len(count) == 800
    assert set(settled(sim).values()) == {Outcome.CHANGED}
    assert rounds(sim)[:3] == [2, 8, 32]
    assert hosts(sim) == dict.fromkeys(HOSTS, Outcome.CHANGED)
    assert sim.world.hosts["web001"].acts["after"] == 1


def test_nothing_listed_costs_one_step(make_sim: MakeSim) -> None:
    """A host without items is sent its list and goes on."""
    sim = make_sim(a_push(), script(()))
    state = sim.push()
    assert state.ended is not None
    assert state.ended.exit_code == ExitCode.OK
    assert rounds(sim) == []
    assert hosts(sim) == dict.fromkeys(HOSTS, Outcome.CHANGED)


@pytest.mark.parametrize("order", range(12))
def test_an_item_is_done_once_whenever_the_controller_dies(make_sim: MakeSim, order: int) -> None:
    """Killed at any write and resumed, each item is done once, all the same."""
    crash_at = 4 + 3 * order
    sim = make_sim(a_push(), script())
    count = watched(sim)
    with pytest.raises(Crash):
        sim.push(crash_at=crash_at, after=bool(order % 2))
    state = sim.resume()
    assert state.ended is not None
    assert state.ended.exit_code == ExitCode.OK
    assert count == Counter({(host, item): 1 for host in HOSTS for item in FEW})


def test_the_first_lost_item_stops_the_run(make_sim: MakeSim) -> None:
    """Without a budget for items nothing begins after one is lost, but what is at work already."""
    sim = make_sim(a_push(), script(bad=lambda host, item: "failed" if item == "i2" else ""))
    count = watched(sim)
    state = sim.push()
    assert state.ended is not None
    assert state.ended.exit_code == ExitCode.STOPPED
    assert state.stop is not None
    assert state.stop.cause == "1 item lost, the budget of phase p1 is 0"
    assert hosts(sim) == {"web001": Outcome.FAILED, "web002": Outcome.SKIPPED}
    assert ("web001", "i4") not in count
    assert sim.world.hosts["web001"].acts["after"] == 0


def test_lost_items_are_mended_by_a_resume(make_sim: MakeSim) -> None:
    """`--failed` does the lost ones and those not begun; what was done is not done again."""
    sim = make_sim(a_push(), script(bad=lambda host, item: "failed" if item == "i2" else ""))
    count = watched(sim)
    sim.push()
    assert sim.resume().ended.exit_code == ExitCode.STOPPED  # type: ignore[union-attr]
    sim.world.script.item = lambda host, step, item: Verdict()
    assert sim.resume(only_failed=True).ended.exit_code == ExitCode.STOPPED  # type: ignore[union-attr]
    assert count["web001", "i2"] == 2
    assert all(count["web001", item] == 1 for item in FEW if item != "i2")
    state = sim.resume()
    assert state.ended is not None
    assert state.ended.exit_code == ExitCode.OK
    assert state.accounts.lost_items["p1"] == 0


def test_within_the_budget_the_host_goes_on(make_sim: MakeSim) -> None:
    """The run is not told as well: its exit code says that something failed; resume mends it."""
    bad = script(bad=lambda host, item: "timed out" if item == "i2" else "")
    sim = make_sim(a_push(Budget(0, items=2)), bad)
    count = watched(sim)
    state = sim.push()
    assert state.ended is not None
    assert state.ended.exit_code == ExitCode.HOST_FAILED
    assert hosts(sim) == dict.fromkeys(HOSTS, Outcome.CHANGED)
    assert sim.world.hosts["web002"].acts["after"] == 1
    sim.world.script.item = lambda host, step, item: Verdict()
    state = sim.resume(only_failed=True)
    assert state.ended is not None
    assert state.ended.exit_code == ExitCode.OK
    assert count["web001", "i2"] == 2
    assert sim.world.hosts["web002"].acts["after"] == 1


def test_the_budget_counts_all_hosts_together(make_sim: MakeSim) -> None:
    """What one host lost is not there for the next to lose."""
    bad = script(bad=lambda host, item: "failed" if item == "i0" else "")
    sim = make_sim(a_push(Budget(0, items=1)), bad)
    state = sim.push()
    assert state.ended is not None
    assert state.ended.exit_code == ExitCode.STOPPED
    assert hosts(sim) == {"web001": Outcome.CHANGED, "web002": Outcome.FAILED}


def test_idempotent_items_are_tried_again(make_sim: MakeSim) -> None:
    """Each item has its own tries; those that fail are tried after the others, after a delay."""
    failed: Counter[str] = Counter()

    def bad(host: str, item: str) -> str:
        failed[host + item] += 1
        return "failed" if item == "i1" and failed[host + item] < 3 else ""

    sim = make_sim(a_push(retry=Retry(3)), script(bad=bad))
    count = watched(sim)
    state = sim.push()
    assert state.ended is not None
    assert state.ended.exit_code == ExitCode.OK
    assert count["web001", "i1"] == 3
    assert state.accounts.lost_items["p1"] == 0
    again = [x for x in sim.records() if isinstance(x, r.ItemSettled) and x.again]
    assert len(again) == 4


def reboot_in_first_round(sim: Sim, host: str = "web001") -> None:
    """The host goes down while its first items run."""
    sim.world.at(0.8, lambda: sim.world.hosts[host].reboot())


@pytest.mark.parametrize(
    ("more", "code", "times"),
    [({}, ExitCode.UNKNOWN, 1), ({"check": "true"}, ExitCode.OK, 2),
     ({"retry": Retry(1)}, ExitCode.OK, 2)],
)  # fmt: skip
def test_an_item_cut_off_halfway(
    make_sim: MakeSim, more: dict[str, Any], code: ExitCode, times: int
) -> None:
    """It is unknown and not begun again, unless it has a check or may run twice."""
    sim = make_sim(a_push(**more), script())
    count = watched(sim)
    reboot_in_first_round(sim)
    state = sim.push()
    assert state.ended is not None
    assert state.ended.exit_code == code
    assert count["web001", "i0"] == times


@pytest.mark.parametrize(("word", "times"), [("done", 1), ("again", 2)])
@pytest.mark.parametrize("item", ["", "i0"])
def test_a_person_says_what_became_of_an_item(
    make_sim: MakeSim, word: str, times: int, item: str
) -> None:
    """What a host cannot know is taken from a person, for that item or for all of a host."""
    sim = make_sim(a_push(concurrency=1), script())
    count = watched(sim)
    reboot_in_first_round(sim)
    sim.push()
    assert settled(sim)["web001", "i0"] is Outcome.UNKNOWN
    sim.resume(only_failed=True)
    assert settled(sim)["web001", "i0"] is Outcome.UNKNOWN
    sim.resume(only_failed=True, told=(Told("web001", word, item),))  # type: ignore[arg-type]
    assert count["web001", "i0"] == times
    assert settled(sim)["web001", "i0"] is Outcome.CHANGED
    assert sim.resume().ended.exit_code == ExitCode.OK  # type: ignore[union-attr]


@pytest.mark.parametrize("mishap", ["cut before", "cut after", "late answers", "twice", "frozen"])
def test_a_round_whose_answer_is_lost_is_asked_for(make_sim: MakeSim, mishap: str) -> None:
    """A connection lost in a round makes no item run twice."""
    found = script()
    sim = make_sim(a_push(), found)
    count = watched(sim)
    astray = once_astray(mishap, 99)  # type: ignore[arg-type]
    found.mishap = lambda order: (
        astray(order)
        if isinstance(order, RunSegment) and order.steps[0].key in ("up", "up.try2")
        else "none"
    )
    state = sim.push()
    assert state.ended is not None
    assert state.ended.exit_code == ExitCode.OK
    assert count == Counter({(host, item): 1 for host in HOSTS for item in FEW})


def test_a_drain_ends_after_the_round(make_sim: MakeSim) -> None:
    """The first Ctrl-C lets the round in flight end; no further one begins before a resume."""
    sim = make_sim(a_push(concurrency=1), script())
    count = watched(sim)
    sim.commands = [(0.8, Command("drain", "me", "SIGINT"))]
    state = sim.push()
    assert state.ended is not None
    assert state.ended.exit_code == ExitCode.INTERRUPTED
    assert 0 < len(count) < 5
    sim.commands = []
    assert sim.resume().ended.exit_code == ExitCode.OK  # type: ignore[union-attr]
    assert set(count.values()) == {1}
    assert len(count) == 10


def test_a_kill_ends_the_items_at_work(make_sim: MakeSim) -> None:
    """Ended items are lost, those not begun are not; `--failed` goes on with both."""
    found = script()
    found.item = lambda host, step, item: Verdict("acted", 50.0)
    sim = make_sim(a_push(), found)
    count = watched(sim)
    sim.commands = [(5.0, Command("kill", "me", "SIGINT"))]
    state = sim.push()
    assert state.ended is not None
    assert state.ended.exit_code == ExitCode.INTERRUPTED
    assert settled(sim) == {
        ("web001", "i0"): Outcome.FAILED, ("web001", "i1"): Outcome.FAILED
    }  # fmt: skip
    sim.commands = []
    found.item = lambda host, step, item: Verdict()
    sim.resume(only_failed=True)
    assert sim.resume().ended.exit_code == ExitCode.OK  # type: ignore[union-attr]
    assert count["web001", "i0"] == 2
    assert count["web001", "i4"] == 1


@pytest.mark.parametrize(
    ("said", "why"),
    [
        (b"a\nb\na\n", "it is listed twice"),
        (b"a\0b\n", "control character"),
        (b"\xff\n", "not UTF-8"),
        (b"x" * 201, "longer than 200 bytes"),
        (b"a\r\nb\r\n", "control character"),
    ],
)
def test_what_is_no_list_is_refused(said: bytes, why: str) -> None:
    """A list that cannot be meant is a failed step, never a shorter list."""
    items, trouble = read_list(Output(said, b"", len(said)))
    assert items == ()
    assert why in trouble


def test_a_cut_list_is_refused() -> None:
    """Of a list whose middle is left out nothing is believed."""
    assert read_list(Output(b"a\n", b"b\n", 5))[0] == ()
    assert read_list(Output(b" it's\n\n\n-rf\n", b"", 12)) == ((" it's", "-rf"), "")


def test_an_item_is_lost_or_done_and_done_is_for_good() -> None:
    """The table: every state is reached, and from done and skipped nothing leads on."""
    reached = {ItemState.TODO}
    for _ in range(5):
        reached |= {ITEM.arrows[s, e] for s, e in ITEM.arrows if s in reached}
    assert reached == set(ItemState)
    ways_on = {state: {e for s, e in ITEM.arrows if s is state} for state in ItemState}
    assert ways_on[ItemState.DONE] == ways_on[ItemState.SKIPPED] == set()
    assert ways_on[ItemState.UNKNOWN] == {ItemEvent.RETRY, ItemEvent.REASK}
    assert {e for _, e in ITEM.arrows} == set(ItemEvent)


def test_a_host_that_begins_nothing_has_failed(make_sim: MakeSim) -> None:
    """Rounds that come back without a word of any item end the step, and are not sent for ever."""
    sim = make_sim(a_push(), script())
    sim.world.hosts["web001"].items_max = 0
    state = sim.push()
    assert state.ended is not None
    assert state.ended.exit_code == ExitCode.STOPPED
    assert hosts(sim)["web001"] is Outcome.FAILED
    assert len(rounds(sim)) == 3
    assert state.accounts.unknown_items == 0
    sim.world.hosts["web001"].items_max = 10**6
    sim.resume(only_failed=True)
    assert sim.resume().ended.exit_code == ExitCode.OK  # type: ignore[union-attr]


def test_a_round_nobody_answers_for_is_asked_about_on_resume(make_sim: MakeSim) -> None:
    """Its items are unknown; the resume asks for the round before it sends anything."""
    found = script()
    sim = make_sim(a_push(), found)
    count = watched(sim)
    found.mishap = lambda order: (
        "cut after" if isinstance(order, RunSegment) and order.steps[0].key == "up" else
        "unsent" if isinstance(order, Ask) else "none"
    )  # fmt: skip
    state = sim.push()
    assert state.ended is not None
    assert state.ended.exit_code == ExitCode.UNKNOWN
    assert settled(sim)["web001", "i0"] is Outcome.UNKNOWN
    assert state.accounts.unknown_items == 2
    found.mishap = lambda order: "none"
    sim.resume(only_failed=True)
    assert settled(sim)["web001", "i0"] is Outcome.CHANGED
    state = sim.resume()
    assert state.ended is not None
    assert state.ended.exit_code == ExitCode.OK
    assert count == Counter({(host, item): 1 for host in HOSTS for item in FEW})
