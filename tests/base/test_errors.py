"""Errors say what, where, why and a hint."""

from __future__ import annotations

from fleetctl.base.errors import InputError, InputErrors, Location, UsageError
from fleetctl.base.names import did_you_mean


def test_an_error_tells_place_cause_and_hint() -> None:
    """One line a piece; missing pieces leave no empty line."""
    error = InputError("unknown tier", Location("f.yaml", 3, 5), hint='did you mean "db"?')
    assert str(error) == 'f.yaml:3:5: unknown tier\n  hint: did you mean "db"?'
    assert str(UsageError("no such run", why="the journal is empty")) == (
        "no such run\n  why: the journal is empty"
    )


def test_several_errors_are_told_in_the_order_of_the_file() -> None:
    """A person mends from top to bottom."""
    late = InputError("b", Location("f", 9, 1))
    early = InputError("a", Location("f", 2, 7))
    assert str(InputErrors([late, early])) == "f:2:7: a\nf:9:1: b"


def test_the_nearest_known_name_is_offered_else_some_that_exist() -> None:
    """A typo gets its correction, a stranger gets the choices."""
    assert did_you_mean("wbe", ["web", "db"]) == 'did you mean "web"?'
    assert did_you_mean("zzz", ["web", "db"]) == "known: db, web"
    assert did_you_mean("zzz", []) == ""
