"""What is done for pools whose source of attention fails for long."""

from __future__ import annotations

import itertools
import os
from pathlib import Path

import pytest

from fleetctl.pools.overseer.lookouts import Lookout
from fleetctl.pools.overseer.loop import Overseer
from fleetctl.pools.overseer.patrol import ROUND_S, Patrol, blind
from fleetctl.pools.overseer.specs import Attention


def test_a_source_is_blind_when_it_has_not_looked_for_a_minute_or_ten_intervals() -> None:
    """Not sooner: it may merely be restarted."""
    assert not blind(100.0, 1.0, 159.0)
    assert blind(100.0, 1.0, 161.0)
    assert not blind(100.0, 60.0, 699.0)
    assert blind(100.0, 60.0, 701.0)


@pytest.mark.parametrize("pools", [1, 3, 59, 60, 61, 1000])
def test_every_pool_is_woken_once_a_round_and_never_more_often(pools: int) -> None:
    """Each second its share; the order is the same in each round."""
    names, patrol = [f"i{n}/k" for n in range(pools)], Patrol()
    woken: dict[str, list[int]] = {}
    for second in range(300):
        chosen = patrol.due(lambda: names, 100, float(second))
        assert len(chosen) <= -(-pools // 60)
        for name in chosen:
            woken.setdefault(name, []).append(second)
    assert list(woken) == names
    for times in woken.values():
        gaps = [later - sooner for sooner, later in itertools.pairwise(times)]
        assert len(times) >= 4
        assert all(ROUND_S <= gap <= ROUND_S + 2 for gap in gaps), times


def test_where_there_is_no_room_the_round_takes_longer() -> None:
    """Known work goes before: nobody is passed over for it, and nobody comes twice."""
    names, patrol = [f"i{n}" for n in range(600)], Patrol()
    chosen = [
        n
        for second in range(200)
        for n in patrol.due(lambda: names, 4 * (second % 2), float(second))
    ]
    assert chosen == names[:400]
    assert not patrol.due(lambda: names, 0, 1e6)


def test_the_overseer_wakes_pools_of_a_blind_source_in_turn(tmp_path: Path) -> None:
    """Those that name it as their queue, asleep and not held back; counted, and shown."""
    specs = tmp_path / "specs"
    specs.mkdir()
    kind = '["sleep", "60"]\nat_start = "asleep"\nready = "exec"\nmax = 1'
    (specs / "a.toml").write_text(
        f'[kind.k]\ncommand = {kind}\nqueue = "q"\n[kind.other]\ncommand = {kind}\n'
        '[[instances]]\nnames = ["a", "b"]\nkinds = ["k", "other"]\n'
        '[attention.q]\ncommand = ["false"]\n'
    )
    overseer = Overseer(str(tmp_path / "o"), str(specs))
    overseer.open()
    (lookout,) = overseer.lookouts.values()
    now = lookout.saw_at
    for second in (59.0, 61.0, 62.0, 63.0):
        overseer._look_for_it(lookout, now + second) if lookout.blind(now + second) else None
        overseer.core.commands.clear()
    hinted = [pool.name for pool in overseer.core.book.pools.values() if pool.hint]
    assert hinted == ["a/k", "b/k"]
    assert lookout.patrol.woken == 2
    overseer.close()
    overseer.notify.close()
    overseer.epoll.close()


def test_a_look_that_ends_makes_it_see_again(tmp_path: Path) -> None:
    """Only a whole look counts; starting it does not."""
    lookout = Lookout(Attention("q", {"command": ["sh", "-c", "echo a/b; echo .; sleep 9"]}), 5.0)
    lookout.start(dict(os.environ), str(tmp_path / "log"), 100.0)
    assert lookout.blind(100.0)
    while len(lookout.read(101.0)) < 2 and lookout.blind(101.0):
        os.sched_yield()
    assert not lookout.blind(101.0)
    lookout.end(0.0)
