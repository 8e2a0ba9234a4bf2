"""What every transport owes a round of items, over each of them."""

from __future__ import annotations

from fleetctl.transport.protocol import ItemOrder, Killed, Round, StepOrder
from tests.transport.desk import Far
from tests.transport.test_contract import await_proof, mark, proof


def a_round(act: str, *items: str, try_no: int = 1, timeout_s: float = 50.0) -> StepOrder:
    """A round of the step `up`, one item after the other."""
    found = Round("up", act, "", tuple(map(ItemOrder, items)), 1, timeout_s, 9)
    return StepOrder("up" if try_no == 1 else f"up.try{try_no}", found, 100.0, try_no=try_no)


def test_items_of_a_lost_round_are_told_later(far: Far) -> None:
    """The round outlives its connection; asked for, it tells each item, and a later one does none
    of them again."""
    act = f'{mark("$FLEETCTL_ITEM")}; while [ -e "$HOME/hold" ]; do sleep 0.1; done; echo said'
    far.home("h1").mkdir(exist_ok=True)
    (far.home("h1") / "hold").touch()
    desk = far.open_desk()
    ticket = desk.segment(a_round(act, "i0", "it's 1"))
    await_proof(far, "i0\n")
    far.cut("h1")
    desk.final(ticket)
    (far.home("h1") / "hold").unlink()
    other = far.open_desk()
    (asked,) = other.ask("up", fence=11, rounds=("up",))
    assert asked.all_told
    assert [(item.name, item.end) for item in asked.items] == [("i0", "acted"), ("it's 1", "acted")]
    (again,) = other.do(a_round(act, "i0", "it's 1", "i2", try_no=2), fence=11)
    assert [(i.name, i.end, i.replayed) for i in again.items] == [
        ("i0", "acted", True), ("it's 1", "acted", True), ("i2", "acted", False),
    ]  # fmt: skip
    assert proof(far) == "i0\nit's 1\ni2\n"


def test_a_killed_round_tells_its_items(far: Far) -> None:
    """The item at work is ended with all it started, and told; the next one does not begin."""
    desk = far.open_desk()
    ticket = desk.segment(a_round(f"{mark('$FLEETCTL_ITEM')}; sleep 50; {mark('late')}", "a", "b"))
    await_proof(far, "a\n")
    killed = desk.kill()
    assert isinstance(killed, Killed)
    assert killed.found
    desk.final(ticket)
    (result,) = desk.results(ticket)
    assert [(item.name, item.end) for item in result.items] == [("a", "killed")]
    assert result.all_told
    assert proof(far) == "a\n"
