"""Pushing again and again in one process leaves nothing behind: no thread, no descriptor."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from bench import soak

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(sys.platform != "linux", reason="the process is looked at in /proc"),
]


@pytest.mark.parametrize("way", [soak.simulated, soak.local, soak.over_ssh])
def test_a_process_that_pushes_often_stays_as_it_is(
    way: Callable[[int, int, Path], soak.Soak], tmp_path: Path
) -> None:
    """Pushes that end well and others that fail and are resumed: each ends without a trace."""
    found = way(soak.WARM_UP + 9, 4, tmp_path)
    after = found.samples[soak.WARM_UP :]
    assert {sample.descriptors for sample in after[:3]} == {
        sample.descriptors for sample in after[-3:]
    }
    assert min(sample.threads for sample in after[-3:]) <= min(one.threads for one in after[:3])
