"""`make mutations` takes long and runs seldom; that it still fits the source is looked at daily."""

from __future__ import annotations

import pytest

from tests.mutations import MUTATIONS, ROOT, Mutation


@pytest.mark.parametrize("mutation", MUTATIONS, ids=lambda mutation: mutation.name)
def test_every_guard_stands_where_it_is_taken_out(mutation: Mutation) -> None:
    """A guard that was rewritten must not drop out of what is tried."""
    assert mutation.old in (ROOT / mutation.file).read_text()
    for test in mutation.tests:
        assert (ROOT / test.partition("::")[0]).exists()
