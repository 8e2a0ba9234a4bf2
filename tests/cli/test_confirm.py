"""A change is confirmed by its size, or not at all."""

from __future__ import annotations

import pytest

from fleetctl.base.errors import Refused
from fleetctl.cli.confirm import confirm


@pytest.mark.parametrize("answer", ["44", " 44 \n"])
def test_the_number_of_hosts_confirms(answer: str) -> None:
    """Whoever typed the number has read it."""
    confirm(44, yes=False, ask=lambda question: answer)


@pytest.mark.parametrize("answer", ["y", "yes", "", "4", "044", "43\n"])
def test_anything_else_refuses(answer: str) -> None:
    """A habit of the fingers starts nothing."""
    with pytest.raises(Refused, match="not confirmed"):
        confirm(44, yes=False, ask=lambda question: answer)


def test_a_script_says_so() -> None:
    """With --yes nobody is asked; without it and without a terminal nothing starts."""
    confirm(44, yes=True, ask=None)
    with pytest.raises(Refused, match="nobody confirmed"):
        confirm(44, yes=False)  # pytest's standard input is no terminal
