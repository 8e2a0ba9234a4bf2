"""A simulated world for each test, by hand where the test wants it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from fleetctl.plan.model import Plan
from fleetctl.transport.simulated import Script, World
from tests.rollout.simulation import Sim

MakeSim = Callable[..., Sim]


@pytest.fixture
def make_sim(tmp_path: Path) -> Iterator[MakeSim]:
    """`make_sim(plan, script)`; its journal is closed after the test."""
    made: list[Sim] = []

    def make(plan: Plan, script: Script | None = None) -> Sim:
        folder = tmp_path / str(len(made))
        folder.mkdir()
        sim = Sim(folder, plan, World(plan.hosts, script))
        made.append(sim)
        return sim

    yield make
    for sim in made:
        sim.journal.close()
