"""A journal that can take no more: the reserve, then nothing more goes out and what is out ends."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import pytest

from fleetctl.base.errors import ExitCode
from fleetctl.journal.errors import JournalFull
from fleetctl.journal.rows import StepTime
from fleetctl.journal.store import Journal
from fleetctl.plan.model import Plan
from fleetctl.rollout import records as r
from fleetctl.rollout.driver import push, resume
from fleetctl.rollout.observers import Recorded
from fleetctl.rollout.runlog import read_records
from fleetctl.transport.protocol import Said
from tests.rollout.builders import a_phase, a_plan, a_step
from tests.rollout.test_local import HOSTS, OPENING, marks, transport_in

ONCE = [["one", "two"]] * 3


class FillingJournal(Journal):
    """Takes so many writes of a run, then none until room is made."""

    writes_left = 0
    reserve = 0
    """Writes the reserve is good for."""

    def append(
        self, run: str, first_seq: int, wall_s: float, bodies: Sequence[bytes], *,
        live: Mapping[str, str] | None = None, times: Sequence[StepTime] = (),
        ended: int | None = None,
    ) -> None:  # fmt: skip
        if self.writes_left <= 0:
            raise JournalFull("the journal could not be written", why="disk full")
        self.writes_left -= 1
        super().append(run, first_seq, wall_s, bodies, live=live, times=times, ended=ended)

    def spend_reserve(self) -> bool:
        self.writes_left, self.reserve = self.reserve, 0
        return super().spend_reserve()


class Notices:
    """An observer that keeps what is no record."""

    name = "notices"

    def __init__(self) -> None:
        self.told: list[str] = []

    def recorded(self, batch: Sequence[Recorded]) -> None: ...

    def said(self, said: Said) -> None: ...

    def notice(self, text: str) -> None:
        self.told.append(text)

    def trouble(self) -> str:
        return ""


def the_plan() -> Plan:
    """Two batches of two steps; each step takes a moment, so that it is out when a write fails."""
    steps = [
        a_step("one", act="sleep 0.1; echo one >> ~/marks", barrier=True),
        a_step("two", act="sleep 0.1; echo two >> ~/marks"),
    ]
    return a_plan(a_phase([HOSTS[:2], HOSTS[2:]], steps))


def kept(path: Path) -> list[r.Record]:
    with Journal(path) as journal:
        return [recorded.record for recorded in read_records(journal, "r1")]


def sent(path: Path) -> set[str]:
    """Hosts whose order is announced in the journal."""
    return {record.host for record in kept(path) if isinstance(record, r.SegmentSent)}


@pytest.mark.parametrize("writes", range(1, 4))
def test_the_reserve_lets_a_run_end_in_good_order(writes: int, tmp_path: Path) -> None:
    """At whichever write: stopped, journaled to its end, resumed, each act once."""
    path = tmp_path / "journal.db"
    with FillingJournal(path) as journal:
        journal.writes_left, journal.reserve = writes, 1000
        result = push(the_plan(), OPENING, journal, transport_in(tmp_path))
    assert result.exit_code is ExitCode.INTERRUPTED
    assert result.cause == "the journal cannot be written: disk full"
    stops = [record for record in kept(path) if isinstance(record, r.StopOrdered)]
    assert [stop.reason for stop in stops] == ["journal"]
    assert isinstance(kept(path)[-1], r.RunEnded)
    with Journal(path) as journal:
        assert resume("r1", OPENING, journal, transport_in(tmp_path)).exit_code is ExitCode.OK
    assert [marks(tmp_path, host) for host in HOSTS] == ONCE


@pytest.mark.parametrize("writes", range(1, 4))
def test_without_it_nothing_goes_out_unrecorded(writes: int, tmp_path: Path) -> None:
    """The error names the way on, no order goes out that is not on disk, a resume is exact."""
    path = tmp_path / "journal.db"
    notices = Notices()
    with FillingJournal(path) as journal:
        journal.writes_left = writes
        with pytest.raises(JournalFull) as caught:
            push(the_plan(), OPENING, journal, transport_in(tmp_path), observers=(notices,))
    assert caught.value.exit_code in (ExitCode.UNKNOWN, ExitCode.INTERRUPTED)
    assert "fleetctl runs resume r1" in caught.value.hint
    assert any("nothing new starts" in text for text in notices.told)
    assert {host for host in HOSTS if marks(tmp_path, host)} <= sent(path)
    with Journal(path) as journal:
        assert resume("r1", OPENING, journal, transport_in(tmp_path)).exit_code is ExitCode.OK
    assert [marks(tmp_path, host) for host in HOSTS] == ONCE
