"""The status of pools as pages read it, and asking for it anew."""

from __future__ import annotations

import threading
from collections.abc import Mapping
from pathlib import Path

from fleetctl.base.errors import Unreachable
from fleetctl.console.pooldesk import PoolDesk
from fleetctl.console.poolsview import STALE_S
from fleetctl.pools.cache import remember
from fleetctl.pools.tallies import Tally
from tests.console.crowd import by_instance, crowd
from tests.console.served import fleet_of
from tests.report.weekend import weekend_plan

FLEET = fleet_of(weekend_plan({"repo": 3, "db": 2}))


def test_it_reads_what_others_asked_anew_when_it_changed(tmp_path: Path) -> None:
    """Nothing is known at first; what `pools status` wrote is there at once, with a new stamp."""
    desk = PoolDesk(tmp_path, FLEET)
    assert desk.keepers == ("repo001", "repo002", "repo003")
    assert desk.remembered().hosts == {}
    before = desk.stamp()
    remember(tmp_path, FLEET.name, crowd(FLEET.name, desk.keepers, 5, 1.0).hosts)
    assert desk.stamp() != before
    assert set(desk.remembered().hosts) == set(desk.keepers)
    assert desk.having("mail", ("repo001", "never-asked")) == ("never-asked",)
    assert desk.silent(("repo001", "never-asked")) == ("never-asked",)
    assert desk.having_now("pull", ("repo001",)) == ("repo001",), "nobody can ask: as it was told"


def test_it_asks_for_instances_only_while_somebody_looks(tmp_path: Path) -> None:
    """The first look is by kind alone; a page of instances makes the next come at once."""
    asked: list[bool] = []
    turn = threading.Semaphore(0)

    def refresh(by_instance_too: bool) -> Mapping[str, Tally]:
        asked.append(by_instance_too)
        turn.release()
        return by_instance(("repo001",), 3) if by_instance_too else {}

    desk = PoolDesk(tmp_path, FLEET, refresh, every_s=600)
    desk.start()
    assert turn.acquire(timeout=30)
    assert desk.instances() is None
    assert turn.acquire(timeout=30)
    desk.close()
    assert asked == [False, True]
    assert _within(lambda: desk.instances() is not None)


def test_a_look_that_fails_is_told_and_tried_again(tmp_path: Path) -> None:
    """The reason is on the page until a look succeeds; asking often makes words old sooner."""
    troubles: list[str] = []
    turn = threading.Semaphore(0)

    def refresh(by_instance_too: bool) -> Mapping[str, Tally]:
        troubles.append(desk.trouble)
        turn.release()
        if len(troubles) == 1:
            raise Unreachable("the bastion cannot be reached")
        return {}

    desk = PoolDesk(tmp_path, FLEET, refresh, every_s=0.01)
    assert desk.stale_s < STALE_S
    desk.start()
    assert turn.acquire(timeout=30)
    assert turn.acquire(timeout=30)
    assert turn.acquire(timeout=30)
    desk.close()
    assert troubles[:3] == ["", "the bastion cannot be reached", ""]


def test_a_bug_of_ours_is_told_once_and_the_looks_go_on(tmp_path: Path) -> None:
    """What nobody expected stands on pages until a look succeeds; it is written down, not lost."""
    seen: list[str] = []
    bugs: list[str] = []
    turn = threading.Semaphore(0)

    def refresh(by_instance_too: bool) -> Mapping[str, Tally]:
        seen.append(desk.trouble)
        turn.release()
        if len(seen) <= 3:
            raise KeyError("groups")
        return {}

    def on_bug(error: Exception) -> str:
        bugs.append(type(error).__name__)
        return "a bug"

    desk = PoolDesk(tmp_path, FLEET, refresh, every_s=0.01, on_bug=on_bug)
    desk.start()
    for _ in range(5):
        assert turn.acquire(timeout=30)
    desk.close()
    assert seen[:5] == ["", "a bug", "a bug", "a bug", ""]
    assert bugs == ["KeyError"]


def _within(holds: object) -> bool:
    import time

    assert callable(holds)
    end_s = time.monotonic() + 30
    while not holds():
        if time.monotonic() > end_s:
            return False
        time.sleep(0.01)
    return True
