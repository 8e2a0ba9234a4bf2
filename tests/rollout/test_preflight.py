"""A run does not hang on a silent host that nothing depends on."""

from __future__ import annotations

import pytest

from fleetctl.plan.model import Plan, TierGuard
from fleetctl.rollout import preflight
from fleetctl.rollout import records as r
from fleetctl.rollout.desk import Desk
from fleetctl.rollout.patience import Patience
from fleetctl.rollout.state import RunState
from fleetctl.transport.protocol import Looked, Lost, Output
from tests.rollout.builders import a_host, a_phase, a_plan, a_step, hosts_named

HOSTS = hosts_named(6)


def one_host(floor: int, **pairs: str) -> Plan:
    """web001 alone is pushed to; `pairs` says which hosts are one another's partners."""
    guard = TierGuard("web", 6, floor, 6, tuple(HOSTS))
    hosts = {name: a_host(name, "web", pair=pair) for name, pair in pairs.items()}
    return a_plan(a_phase([HOSTS[:1]], [a_step("one")]), guards=[guard], hosts=hosts)


def _up(host: str) -> Looked:
    return Looked(0, host, 0, Output(), Output(), 0.1)


def looked_around(plan: Plan, silent: str) -> Desk:
    """All hosts but one have answered when the time of a host that is well is over."""
    desk = Desk(plan, RunState(plan), Patience())
    preflight.begin(desk)
    for host in HOSTS:
        if host != silent:
            preflight.take_signal(desk, host, _up(host))
    preflight.tick(desk)
    return desk


def found(desk: Desk) -> list[tuple[str, ...]]:
    return [record.hosts for record in desk.records if isinstance(record, r.FoundDown)]


def test_a_silent_host_holds_up_nobody_while_the_floor_is_far() -> None:
    """It counts as down from then on, whatever it says later."""
    desk = looked_around(one_host(floor=4), "web005")
    assert found(desk) == [("web005",)]
    preflight.take_signal(desk, "web005", Lost(0, "web005", True, "silence", "no answer"))
    assert found(desk) == [("web005",)]


@pytest.mark.parametrize(("plan", "silent"), [
    (one_host(floor=5), "web005"),
    (one_host(floor=3, web001="a", web002="a"), "web002"),
], ids=["the floor", "a pair"])  # fmt: skip
def test_what_hangs_on_the_silent_host_is_not_decided_early(plan: Plan, silent: str) -> None:
    """Counting it as down would refuse a host its turn: its answer, or its loss, is needed."""
    desk = looked_around(plan, silent)
    assert found(desk) == []
    preflight.take_signal(desk, silent, _up(silent))
    assert found(desk) == [()]
