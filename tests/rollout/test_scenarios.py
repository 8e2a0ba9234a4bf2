"""Random runs under random faults: the promises hold in every one of them."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.rollout.scenarios import make_case, play


@pytest.mark.parametrize("block", range(5))
def test_the_promises_hold_in_random_runs(block: int, tmp_path: Path) -> None:
    """Ramps x budgets x floors x pairs x retries x undo x faults x crashes keep promises 1-3, 5."""
    for seed in range(block * 40, block * 40 + 40):
        folder = tmp_path / str(seed)
        folder.mkdir()
        try:
            play(make_case(seed), folder).journal.close()
        except BaseException as error:
            error.add_note(f"seed {seed}")
            raise
