"""Outcomes: what spends budget, and which exit code a set of them means."""

from __future__ import annotations

import itertools

import pytest

from fleetctl.base.errors import EXIT_CODE_WORDS, ExitCode
from fleetctl.base.outcome import Outcome, exit_code_of


def test_all_but_ok_changed_and_skipped_are_lost() -> None:
    """Unreachable and unknown spend budget just as failed does."""
    fine = {outcome for outcome in Outcome if not outcome.lost}
    assert fine == {Outcome.OK, Outcome.CHANGED, Outcome.SKIPPED}


@pytest.mark.parametrize("companion", list(Outcome))
def test_unknown_outranks_every_other_outcome(companion: Outcome) -> None:
    """A run with one unknown host answers `unknown`, whatever else happened."""
    assert exit_code_of([companion, Outcome.UNKNOWN]) is ExitCode.UNKNOWN


def test_an_exit_code_is_zero_exactly_when_no_host_is_lost() -> None:
    """Over all pairs of outcomes: success never hides a lost host."""
    for pair in itertools.product(Outcome, repeat=2):
        assert (exit_code_of(pair) is ExitCode.OK) == (not any(one.lost for one in pair))


def test_unreachable_is_told_only_when_nothing_worse_happened() -> None:
    """Exit 4 means only unreachable hosts."""
    assert exit_code_of([Outcome.UNREACHABLE, Outcome.OK]) is ExitCode.UNREACHABLE
    assert exit_code_of([Outcome.UNREACHABLE, Outcome.TIMED_OUT]) is ExitCode.HOST_FAILED


def test_every_exit_code_has_its_words() -> None:
    """`--help` can explain each code."""
    assert set(EXIT_CODE_WORDS) == set(ExitCode)
