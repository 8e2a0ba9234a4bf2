"""Fixtures for the tests of the command line."""

from __future__ import annotations

import pytest

from fleetctl.cli import advice


@pytest.fixture(autouse=True)
def _no_journal_is_meant(monkeypatch: pytest.MonkeyPatch) -> None:
    """What one test's command was given says nothing in the next one's process."""
    monkeypatch.setattr(advice, "_flag", "")
