"""A run read back from its journal, as the model a watcher would have."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from fleetctl.cli.progress import RunView
from fleetctl.plan.history import History

if TYPE_CHECKING:
    from fleetctl.journal.store import Journal
    from fleetctl.rollout.observers import Recorded


class Account(NamedTuple):
    """A run's records and the view after them."""

    view: RunView
    entries: list[Recorded]

    @property
    def seq(self) -> int:
        """The last record's place."""
        return self.entries[-1].seq if self.entries else 0


def read_account(journal: Journal, run: str) -> Account:
    """Everything the journal knows of the run `run` (its whole id)."""
    from fleetctl.rollout.runlog import read_records

    entries = list(read_records(journal, run))
    return Account(RunView(journal.plan_of(run)).take(entries), entries)


def earlier_than(journal: Journal, view: RunView) -> History:
    """What steps took in the fleet's runs before this one."""
    return History(journal.times(view.plan.fleet, before=view.run))
