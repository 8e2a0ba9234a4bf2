"""Fixtures every test may ask for."""

from __future__ import annotations

from tests.labfixture import lab_fleet, module_lab_fleet

__all__ = ["lab_fleet", "module_lab_fleet"]
