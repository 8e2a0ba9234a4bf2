"""Memory admission: what is promised counts, pressure counts, the floor is below the reserve."""

from __future__ import annotations

import pytest

from fleetctl.pools.overseer.memory import Memory, look


@pytest.mark.parametrize(
    ("available", "starting", "pressed", "fits"),
    [
        (200.0, 0.0, 0.0, True),
        (100.0, 0.0, 0.0, False),
        (200.0, 99.0, 0.0, True),
        (200.0, 101.0, 0.0, False),
        (900.0, 0.0, 25.0, False),
    ],
)
def test_growth_leaves_a_tenth_alone(
    available: float, starting: float, pressed: float, fits: bool
) -> None:
    """Of 1,000 MB, 100 stay free, those that are starting included; under pressure none grows."""
    assert Memory(available, 1000.0, pressed, 0.0).fits(starting) is fits


def test_a_first_process_may_use_the_reserve_but_not_the_floor() -> None:
    """Between 3 and 10 percent free, pools wake and none grows."""
    assert not Memory(50.0, 1000.0, 0.0, 0.0).floor_reached()
    assert not Memory(50.0, 1000.0, 0.0, 0.0).fits(0.0)
    assert Memory(29.0, 1000.0, 0.0, 0.0).floor_reached()


def test_the_kernel_is_understood() -> None:
    """On this very host: some memory, not more free than there is."""
    found = look()
    assert 0 < found.available_mb < found.total_mb
    assert 0 <= found.pressed <= 100
