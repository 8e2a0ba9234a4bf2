"""Random runs under random faults: promises 1-5 and liveness hold in every one of them."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.sim.campaign import REGRESSIONS, describe, play_all, play_case
from tests.sim.case import load, save
from tests.sim.scenarios import make_case
from tests.sim.seeds import commit_seeds

ROOT = Path(__file__).parents[2]
QUICK, BLOCK, BLOCK_S = 40, 60, 15.0


def test_the_promises_hold_in_random_runs() -> None:
    """A few seeds, so that every check of the code has some."""
    summary = play_all(range(QUICK))
    assert not summary.failures, describe(summary)
    assert summary.played == QUICK


@pytest.mark.slow
@pytest.mark.parametrize("block", range(2))
def test_the_promises_hold_in_fixed_seeds(block: int) -> None:
    """Seeds that were the same yesterday; on a busy machine as many as fit into the time."""
    first = 1000 + block * BLOCK
    summary = play_all(range(first, first + BLOCK), seconds=BLOCK_S)
    assert not summary.failures, describe(summary)
    assert summary.played > 0


@pytest.mark.slow
@pytest.mark.parametrize("block", range(2))
def test_the_promises_hold_in_seeds_of_the_commit(block: int) -> None:
    """Each commit is tried with seeds nobody has tried before."""
    seeds = commit_seeds(2 * BLOCK, ROOT)
    if not seeds:
        pytest.skip("git does not tell which commit this is")
    summary = play_all(seeds[block * BLOCK : (block + 1) * BLOCK], seconds=BLOCK_S)
    assert not summary.failures, describe(summary)


@pytest.mark.parametrize("path", sorted(REGRESSIONS.glob("*.json")), ids=lambda path: path.stem)
def test_what_broke_once_holds(path: Path) -> None:
    """Every case that ever broke a promise keeps them now."""
    play_case(load(path))


def test_commit_gives_seeds_or_none(tmp_path: Path) -> None:
    """Without git the commit's seeds are none, not an error."""
    assert len(commit_seeds(5, tmp_path)) == 0
    found = commit_seeds(5, ROOT)
    assert list(found) == list(commit_seeds(5, ROOT))


def test_case_survives_its_file(tmp_path: Path) -> None:
    """A regression file holds the whole case: it replays without the generator."""
    case = make_case(7)
    save(case, tmp_path / "case.json")
    assert load(tmp_path / "case.json") == case


@pytest.mark.slow
def test_same_seed_gives_same_trace_under_another_hash_seed() -> None:
    """Nothing hangs on the order of a set, on the clock or on the process."""
    told = []
    for hash_seed in ("1", "2"):
        done = subprocess.run(
            [sys.executable, "-m", "tests.sim.digests", "15"], cwd=ROOT, text=True, check=True,
            capture_output=True, timeout=300.0, env={**os.environ, "PYTHONHASHSEED": hash_seed},
        )  # fmt: skip
        told.append(done.stdout.split())
    assert told[0] == told[1]
    assert len(set(told[0])) == 15
