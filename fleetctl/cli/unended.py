"""Runs that have not ended: driven by somebody now, or cut off and nobody's any more."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, NamedTuple

from fleetctl.cli.advice import advised
from fleetctl.cli.journal import journal_path, open_journal

if TYPE_CHECKING:
    from fleetctl.journal.rows import RunRow
    from fleetctl.journal.store import Journal

_LOOKED_AT = 20
_NAMED_MOST = 3
_TOLD_FOR_S = 7 * 86400.0


class Unended(NamedTuple):
    """One of them."""

    row: RunRow
    holder: str
    """Who drives it; empty: it was cut off."""

    @property
    def words(self) -> str:
        if self.holder:
            return f"run {self.row.id} is live: {self.holder}"
        return f"run {self.row.id} ({self.row.title}) was cut off and is not ended"

    @property
    def next(self) -> str:
        """What to type about it."""
        return f"fleetctl runs {'show' if self.holder else 'resume'} {self.row.id}"


def unended(journal: Journal, fleet: str) -> Iterator[Unended]:
    """Those of a fleet among the latest runs, newest first."""
    for row in journal.runs(_LOOKED_AT):
        if row.exit_code is None and row.fleet == fleet:
            yield Unended(row, journal.lock(row.id).holder())


def cut_off_notes(journal: str | None, fleet: str, now_s: float) -> list[str]:
    """What a person should know before beginning another run: none may be left half done unseen.

    One nobody took up for a week has been seen often enough.
    """
    if not journal_path(journal).exists():
        return []
    with open_journal(journal) as opened:
        left = [
            one
            for one in unended(opened, fleet)
            if not one.holder and one.row.opened_s > now_s - _TOLD_FOR_S
        ]
    notes = [f"note: {one.words}: {advised(one.next)}" for one in left[:_NAMED_MOST]]
    more = len(left) - _NAMED_MOST
    return (
        [*notes, f"note: and {more} more: {advised('fleetctl runs list')}"] if more > 0 else notes
    )
