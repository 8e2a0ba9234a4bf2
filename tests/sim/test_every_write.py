"""The controller dies at every single write of its journal, in every way: each effect once."""

from __future__ import annotations

from typing import get_args

import msgspec
import pytest

from fleetctl.playbook.operations import Retry
from tests.rollout.builders import a_phase, a_plan, a_step, hosts_named
from tests.sim.campaign import play_case
from tests.sim.case import Case, Death, DeathKind, Weather

WRITES = 25


def a_push() -> Case:
    """Two batches with a barrier, a step that runs once, a retry, an undo; nothing may repeat."""
    steps = [
        a_step("p1s0", undo="undo it"), a_step("p1s1", barrier=True),
        a_step("p1s2", once="fleet"), a_step("p1s3"),
    ]  # fmt: skip
    names = hosts_named(4, "db")
    first = a_phase([names[:1], names[1:]], steps, name="p1", on_failure="undo")
    second = a_phase([names], [a_step("p2s0", retry=Retry(2, 0.5))], name="p2", needs=["p1"])
    return Case(5, a_plan(first, second))


@pytest.mark.slow
@pytest.mark.parametrize("deaf", [0.0, 1.0], ids=["hosts hear", "hosts go on alone"])
@pytest.mark.parametrize("how", get_args(DeathKind))
def test_death_at_every_write(how: DeathKind, deaf: float) -> None:
    """Killed before, in or after a write, or told that it failed: resumed, it ends well."""
    case = msgspec.structs.replace(a_push(), weather=Weather(deaf=deaf))
    died = 0
    for at in range(1, WRITES):
        report = play_case(msgspec.structs.replace(case, deaths=(Death(at, how),)))
        assert report.exit_code == 0
        died += report.faults.get(f"journal: {how}", 0)
    assert 10 < died < WRITES - 1  # every write there is, and not one more


@pytest.mark.slow
@pytest.mark.parametrize("how", get_args(DeathKind))
def test_death_of_the_one_who_resumes(how: DeathKind) -> None:
    """The second controller dies as well, at each of its first writes."""
    for at in (4, 9, 14):
        for again in range(1, 9):
            deaths = (Death(at, "after"), Death(again, how))
            report = play_case(msgspec.structs.replace(a_push(), deaths=deaths))
            assert report.exit_code == 0
