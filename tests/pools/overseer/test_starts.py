"""The line of starts: who is next."""

from __future__ import annotations

from fleetctl.pools.overseer.kinds import Kind
from fleetctl.pools.overseer.pools import Pool, Slot
from fleetctl.pools.overseer.starts import LONG, Start, Starts

KIND = Kind("k", {"command": ["d"]})


def _slot(name: str) -> Slot:
    return Pool(f"{name}/k", KIND).slot(0)


def _served(starts: Starts, most: int = 10_000) -> list[str]:
    found: list[str] = []
    while len(found) < most and (first := starts.pop()) is not None:
        found.append(first[0].pool.instance)
    return found


def test_a_short_line_is_served_oldest_first_and_work_before_the_rest() -> None:
    """Also when they are put in line in another order; reloads and probes come later."""
    starts = Starts()
    for name, trigger, at in (
        ("c", "wake", 3),
        ("p", "probe", 0),
        ("a", "wake", 1),
        ("b", "need", 2),
    ):
        starts.push(_slot(name), Start(trigger, "", float(at)))
    assert _served(starts) == ["a", "b", "c", "p"]


def test_who_comes_during_a_storm_is_served_after_a_few_of_it() -> None:
    """And the storm itself goes on, its oldest as well: nobody is served twice or forgotten."""
    starts = Starts()
    storm = [f"s{number:04d}" for number in range(1000)]
    for name in storm:
        starts.push(_slot(name), Start("wake", "", 1.0))
    assert len(_served(starts, 100)) == 100
    starts.push(_slot("late"), Start("wake", "", 50.0))
    assert "late" in _served(starts, 2)
    rest = _served(starts)
    assert len(rest) == len(set(rest)) == 1000 - 100 - 1
    assert not len(starts)


def test_the_oldest_of_a_long_line_are_not_passed_over() -> None:
    """However many come after them: every second start is theirs."""
    starts = Starts()
    first = [f"f{number}" for number in range(20)]
    for name in first:
        starts.push(_slot(name), Start("wake", "", 1.0))
    served: list[str] = []
    for turn in range(60):
        starts.push(_slot(f"n{turn}"), Start("wake", "", 2.0 + turn))
        served += _served(starts, 1)
    assert set(first) <= set(served[: 2 * len(first) + LONG])


def test_restarts_of_errors_and_growth_never_jump_the_line() -> None:
    """Only somebody's work does."""
    starts = Starts()
    for number in range(100):
        starts.push(_slot(f"s{number}"), Start("wake", "", 1.0))
    for name, trigger, grows in (("due", "due", False), ("more", "need", True)):
        starts.push(_slot(name), Start(trigger, "", 5.0, grows=grows))
    assert not {"due", "more"} & set(_served(starts, 50))


def test_one_taken_out_of_the_line_is_not_served() -> None:
    """Nor is the line confused by one that was put in anew."""
    starts, slots = Starts(), [_slot(f"s{number}") for number in range(40)]
    for slot in slots:
        starts.push(slot, Start("wake", "", 1.0))
    for slot in slots[::2]:
        starts.drop(slot)
    starts.push(slots[0], Start("wake", "", 2.0))
    served = _served(starts)
    assert sorted(served) == sorted({"s0", *(slot.pool.instance for slot in slots[1::2])})
