"""Fixtures every test may ask for."""

from __future__ import annotations

from hypothesis import settings

from tests.labfixture import lab_fleet, module_lab_fleet

__all__ = ["lab_fleet", "module_lab_fleet"]

# How long one example takes says how busy the machine is, not whether we are right.
settings.register_profile("fleetctl", deadline=None)
settings.load_profile("fleetctl")
