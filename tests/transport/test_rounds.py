"""Rounds of foreach steps on the host, in each shell it may meet there."""

from __future__ import annotations

import itertools
import os
import queue
import shutil
import signal
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from fleetctl.transport.local import LocalTransport
from fleetctl.transport.protocol import Event, ItemOrder, Killed, Round, StepOrder, StepResult
from tests.transport.desk import HOLD, Desk, await_that

SHELLS = ("dash", "bash", "busybox")
_TICKETS = itertools.count(1)
HOSTILE = ("it's", 'say "no"', "a  b ", "-rf", "$(touch x)", "`id`", "\\", "*", "é", " x", "a\tb")


@pytest.fixture(params=SHELLS)
def path(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """A PATH on which `sh` is that shell."""
    found = shutil.which(request.param)
    if found is None:
        pytest.skip(f"no {request.param} here")
    folder = tmp_path / "bin"
    folder.mkdir()
    (folder / "sh").symlink_to(found)
    return f"{folder}:{os.environ['PATH']}"


@pytest.fixture
def home(tmp_path: Path) -> Path:
    """A home with a name that must be quoted."""
    folder = tmp_path / "ho me"
    folder.mkdir()
    return folder


@pytest.fixture
def desk(path: str, home: Path) -> Iterator[Desk]:
    """A desk at that home."""
    events: queue.SimpleQueue[Event] = queue.SimpleQueue()
    transport = LocalTransport(
        events.put, environment=lambda host: {"HOME": str(home), "PATH": path}
    )
    yield Desk(transport, events, _TICKETS)
    transport.close()


def a_round(act: str, *items: str | ItemOrder, try_no: int = 1, check: str = "", width: int = 4,
            timeout_s: float = 50.0, lose: int = 99, keep: bool = True) -> StepOrder:  # fmt: skip
    """A round of the step `up`; each item's act is `act`, with the item in $FLEETCTL_ITEM."""
    orders = tuple(ItemOrder(item) if isinstance(item, str) else item for item in items)
    found = Round("up", act, check, orders, width, timeout_s, lose)
    key = f"up.try{try_no}" if try_no > 1 else "up"
    return StepOrder(key, found, 100.0, try_no=try_no, keep_output=keep)


def ends(result: StepResult) -> dict[str, str]:
    return {item.name: item.end for item in result.items}


MARK = 'printf "%s\\n" "$FLEETCTL_ITEM" >>"$HOME/proof"'


def test_each_item_has_an_end_of_its_own(desk: Desk, home: Path) -> None:
    """Acts, checks, failures and what was said last are told for each item, whatever its name."""
    act = f'{MARK}; echo "did $FLEETCTL_ITEM"; [ "$FLEETCTL_ITEM" != -rf ] || exit 9'
    check = '[ "$FLEETCTL_ITEM" = "*" ]'
    (result,) = desk.do(a_round(act, *HOSTILE, check=check))
    assert (result.end, result.all_told) == ("acted", True), result
    found = {item.name: item for item in result.items}
    assert set(found) == set(HOSTILE)
    assert (found["-rf"].end, found["-rf"].exit_status) == ("failed", 9)
    assert found["*"].end == "checked"
    assert found["it's"].said.head == b"did it's\n"
    done = sorted(set(HOSTILE) - {"*"})
    assert sorted((home / "proof").read_text().splitlines()) == done


def test_as_many_at_once_as_may_be(desk: Desk, home: Path) -> None:
    """Items run beside each other up to the concurrency, and one that is slow holds up no other."""
    act = (
        'mkdir "$HOME/on.$FLEETCTL_ITEM"; set -- "$HOME"/on.*; echo $# >>"$HOME/proof"; '
        '[ "$FLEETCTL_ITEM" != i0 ] || sleep 1; sleep 0.05; rmdir "$HOME/on.$FLEETCTL_ITEM"'
    )
    (result,) = desk.do(a_round(act, *(f"i{n}" for n in range(12)), width=3))
    assert len(result.items) == 12
    assert result.items[-1].name == "i0"
    assert max(map(int, (home / "proof").read_text().split())) == 3


def test_a_hanging_item_is_ended_at_its_deadline(desk: Desk, home: Path) -> None:
    """Its whole group goes, what it started too, and the others go on meanwhile."""
    act = (
        'if [ "$FLEETCTL_ITEM" = i0 ]; then (sleep 60; echo late >>"$HOME/proof"); '
        'echo after >>"$HOME/proof"; fi; echo ok'
    )
    (result,) = desk.do(a_round(act, "i0", "i1", "i2", "i3", width=2, timeout_s=1.5))
    assert ends(result) == {"i0": "timed out", "i1": "acted", "i2": "acted", "i3": "acted"}
    assert result.items[-1].duration_s < 30
    assert not (home / "proof").exists()


def test_nothing_begins_after_too_many_are_lost(desk: Desk, home: Path) -> None:
    """Once more items are lost than may be, those not begun stay so, and are not told."""
    act = f'{MARK}; [ "$FLEETCTL_ITEM" != i1 ]'
    (result,) = desk.do(a_round(act, *(f"i{n}" for n in range(9)), width=1, lose=0))
    assert ends(result) == {"i0": "acted", "i1": "failed"}
    assert result.all_told
    assert (home / "proof").read_text() == "i0\ni1\n"


def test_an_item_is_done_once(desk: Desk, home: Path) -> None:
    """A later round tells what ended well from the record, and tries again what it is told to."""
    act = f'{MARK}; [ "$FLEETCTL_ITEM" != i1 ] || [ -e "$HOME/mended" ]'
    desk.do(a_round(act, "i0", "i1"))
    (home / "mended").touch()
    (again,) = desk.do(a_round(act, "i0", "i1", "i2", try_no=2))
    assert {item.name: (item.end, item.replayed) for item in again.items} == {
        "i0": ("acted", True), "i1": ("failed", True), "i2": ("acted", False),
    }  # fmt: skip
    (third,) = desk.do(a_round(act, ItemOrder("i0", 2), ItemOrder("i1", 2), try_no=3))
    assert {item.name: (item.end, item.replayed) for item in third.items} == {
        "i0": ("acted", True), "i1": ("acted", False),
    }  # fmt: skip
    assert sorted((home / "proof").read_text().split()) == ["i0", "i1", "i1", "i2"]


def _ledger(home: Path) -> Path:
    return home / ".fleetctl/ledger/items.run-1"


def test_an_item_without_an_end_is_not_begun_again(desk: Desk, home: Path) -> None:
    """What began and is gone without an end is told so; a higher try runs it all the same."""
    desk.do(a_round(MARK, "i0", "i1"))
    lines = _ledger(home).read_text().splitlines()
    kept = [line for line in lines if " ended " not in line]
    _ledger(home).write_text("\n".join(kept) + "\n")
    (again,) = desk.do(a_round(MARK, "i0", ItemOrder("i1", 2), try_no=2))
    assert ends(again) == {"i0": "interrupted", "i1": "acted"}
    assert sorted((home / "proof").read_text().split()) == ["i0", "i1", "i1"]


def test_an_item_that_outlives_its_chief_is_waited_for(desk: Desk, home: Path) -> None:
    """With the round's own process killed its items go on; the next round finds them at work."""
    act = f"{MARK}; {HOLD}; exit 3"
    ticket = desk.segment(a_round(act, "i0", "i1", width=1))
    await_that(lambda: (home / "proof").exists())
    chief = int((home / ".fleetctl/runs/run-1=now").read_text().split()[1])
    os.kill(chief, signal.SIGKILL)
    desk.final(ticket)
    (first,) = desk.results(ticket)
    assert (first.items, first.all_told) == ((), False)
    threading.Timer(0.5, (home / "go").touch).start()
    (again,) = desk.do(a_round(act, "i0", "i1", try_no=2))
    assert ends(again) == {"i0": "failed", "i1": "failed"}
    assert {item.name: item.exit_status for item in again.items} == {"i0": 3, "i1": 3}
    assert sorted((home / "proof").read_text().split()) == ["i0", "i1"]


def test_killing_a_round_ends_every_item(desk: Desk, home: Path) -> None:
    """All that run are ended with what they started, and told; what was not begun is not."""
    act = f'trap "" TERM; {MARK}; sleep 30; echo after >>"$HOME/proof"'
    ticket = desk.segment(a_round(act, *(f"i{n}" for n in range(5)), width=3))
    await_that(lambda: len(_lines(home / "proof")) == 3)
    assert desk.kill() == Killed(desk_ticket(desk), "h1", True)
    desk.final(ticket)
    (result,) = desk.results(ticket)
    assert result.end == "killed"
    assert ends(result) == {"i0": "killed", "i1": "killed", "i2": "killed"}
    assert result.all_told
    assert len(_lines(home / "proof")) == 3


def desk_ticket(desk: Desk) -> int:
    return next(event.ticket for event in desk.said if isinstance(event, Killed))


def test_a_flood_is_bounded_and_its_end_is_told(desk: Desk, home: Path) -> None:
    """An item that says more than is kept is told with the last of it, and how much it was."""
    act = "head -c 300000 /dev/zero | tr '\\0' x; echo end; false"
    (result,) = desk.do(a_round(act, "i0"))
    said = result.items[0].said
    assert said.size == 300004
    assert said.tail.endswith(b"xend\n")
    assert len(said.tail) == 4096


def test_what_is_secret_is_not_kept(desk: Desk) -> None:
    """Of a step that is to say nothing only the ends are told."""
    (result,) = desk.do(a_round("echo hush; exit 2", "i0", keep=False))
    assert (result.items[0].end, result.items[0].said.size) == ("failed", 0)


def test_a_round_leaves_nothing_but_its_record(desk: Desk, home: Path) -> None:
    """Neither scripts nor outputs of single items stay on the host."""
    desk.do(a_round("echo hi", *(f"i{n}" for n in range(8))))
    left = {path.name for path in (home / ".fleetctl/runs").iterdir()}
    assert not [name for name in left if "slot" in name or "script" in name or "fifo" in name]


def test_a_told_round_is_told_again(desk: Desk) -> None:
    """Asked for later, a round tells its items as it did."""
    (result,) = desk.do(a_round("echo hi", "i0", "i1"))
    ticket_results = desk.ask("up", rounds=("up",))
    assert set(ends(ticket_results[0])) == set(ends(result))
    assert ticket_results[0].all_told


def _lines(path: Path) -> list[str]:
    return path.read_text().splitlines() if path.exists() else []
