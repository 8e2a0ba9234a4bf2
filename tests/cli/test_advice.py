"""Advice: what is told to be typed next reaches the journal it is about."""

from __future__ import annotations

import pytest

from fleetctl.cli import advice
from fleetctl.cli.advice import advised


@pytest.mark.parametrize(
    ("journal", "expected"),
    [
        (None, "fleetctl runs show r"),
        ("/kept/j.db", "fleetctl runs show r"),
        ("here.db", "fleetctl runs show r --journal here.db"),
        ("/a b/j.db", "fleetctl runs show r --journal '/a b/j.db'"),
    ],
)
def test_a_journal_of_its_own_is_named(
    monkeypatch: pytest.MonkeyPatch, journal: str | None, expected: str
) -> None:
    """The usual one, and that of the environment, need no flag; any other does."""
    monkeypatch.setenv("FLEETCTL_JOURNAL", "/kept/j.db")
    advice.about(journal)
    assert advised("fleetctl runs show r") == expected
