"""The simulation can fail: every guard and every arrow is missed when it is taken out."""

from __future__ import annotations

import pytest

from tests.sim.hunt import MACHINES, first_catch, objection_without, users_of_arrows
from tests.sim.mutants import CATCHERS, MUTANTS, Mutant, alive, catcher_of

SEEDS = 400


@pytest.mark.slow
@pytest.mark.parametrize("mutant", MUTANTS, ids=lambda mutant: mutant.name.replace(" ", "-"))
def test_every_guard_is_missed(mutant: Mutant) -> None:
    """Some scenario objects, and names the promise that is broken."""
    with alive(mutant):
        caught = first_catch(SEEDS, mutant.promise, catcher_of(mutant))
    assert caught is not None, f"nobody noticed that {mutant.name}"


def test_catchers_are_known_of_mutants_that_are() -> None:
    """A name misspelt would only cost time, and nobody would see it."""
    known = {name for names in CATCHERS.values() for name in names}
    assert known <= {mutant.name for mutant in MUTANTS}


@pytest.mark.slow
def test_every_arrow_of_every_table_is_missed() -> None:
    """Each arrow is taken by some scenario, which breaks when the arrow is not there."""
    users = users_of_arrows(SEEDS)
    every = {(machine.name, arrow) for machine in MACHINES for arrow in machine.arrows}
    assert sorted(every - users.keys()) == [], "arrows no scenario takes"
    kept = [key for key, case in users.items() if objection_without(*key, case) is None]
    assert not kept, "arrows nobody misses"
