"""Leases of others: those of runs over in this journal stop nobody, all others do."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import msgspec
import pytest

from fleetctl.base.errors import LockHeld
from fleetctl.journal.store import Journal
from fleetctl.rollout.driver import Opening, RunResult, push
from fleetctl.rollout.elsewhere import is_over
from fleetctl.rollout.ground import Ground
from fleetctl.transport.lease import Tenure
from tests.rollout.builders import a_phase, a_plan, a_step
from tests.rollout.test_local import transport_in

PLAN = msgspec.structs.replace(
    a_plan(a_phase([["web001"]], [a_step("one")])), keepers={"web": ("web001",)}
)


def push_as(run: str, folder: Path, journal: Journal) -> RunResult:
    return push(PLAN, Opening("tester", ("push",), run), journal, transport_in(folder))


@pytest.fixture
def journal(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Journal]:
    """One with an ended run whose keeper did not hear that its lease is free."""
    with Journal(tmp_path / "journal.db") as opened:
        with monkeypatch.context() as busy:
            busy.setattr(Ground, "_drop", lambda ground, claimant: None)
            push_as("r1", tmp_path, opened)
        yield opened


def test_a_lease_left_by_an_ended_run_does_not_stop_the_next(
    journal: Journal, tmp_path: Path
) -> None:
    """The journal knows that nobody works there, so nobody waits until it ends by itself."""
    assert push_as("r2", tmp_path, journal).exit_code == 0


def test_a_lease_of_somebody_elses_run_is_let_be(journal: Journal, tmp_path: Path) -> None:
    """Another journal knows nothing of that run: it may be alive."""
    with (
        Journal(tmp_path / "other.db") as other,
        pytest.raises(LockHeld, match="somebody else works on tier web"),
    ):
        push_as("r2", tmp_path, other)


def test_a_later_leg_of_an_ended_run_is_not_over(journal: Journal) -> None:
    """The run was taken over elsewhere since it ended here: its fence is in no record."""
    fence = journal.take_fence(0.0) - 1
    tenure = Tenure("held", "web", "r1", 50.0, 0.0, "tester", "", fence)
    assert is_over(journal, tenure)
    assert not is_over(journal, tenure._replace(number=fence + 1))
    leaving = journal.lock("r1")
    leaving.take("somebody")
    assert not is_over(journal, tenure)
    leaving.release()
