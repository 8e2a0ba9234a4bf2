"""The journal as pages read it: nothing is written, and a live run is followed record by record."""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from fleetctl.base.errors import UsageError
from fleetctl.console.atwork import AtWork
from fleetctl.console.doubts import NOTHING, Left, doubtful, left_by
from fleetctl.console.hush import Hush
from fleetctl.journal.rows import LiveRelease, RunRow
from fleetctl.journal.store import Journal
from fleetctl.plan.history import History
from fleetctl.report.page import render_page
from fleetctl.report.reading import decoded
from fleetctl.report.story import RunStory

FOLLOWED_MAX = 8
"""Runs kept in memory; the one looked at longest ago goes first."""
LIVE_MAX = 50
"""Newest runs among which live ones are looked for."""


DOUBTS_MAX = 60
"""Newest runs that may have left hosts nobody knows the release of."""
NO_DEPLOYS = frozenset({"run", "pools", "schema", "hosts"})
"""Commands whose runs change no release."""


class RunLine(NamedTuple):
    """A run in the list."""

    row: RunRow
    state: str
    """ended, live, or cut off: its controller is gone."""


class Followed(NamedTuple):
    """A run up to its newest record."""

    story: RunStory
    at_work: AtWork
    holder: str
    """Who drives it now; empty when nobody does."""


class _Following:
    """A run in memory, hushed, which takes up what was added since."""

    def __init__(self, journal: Journal, run: str) -> None:
        self.story = RunStory(journal.plan_of(run))
        self.at_work = AtWork()
        self._hush = Hush()
        self._run = run
        self._seq = 0

    def catch_up(self, journal: Journal) -> None:
        new = decoded(journal.records(self._run, after=self._seq))
        for entry in self._hush.entries(new):
            self.story.take([entry])
            self.at_work.take([entry])
            self._seq = entry.seq


class Shelf:
    """Reads one journal file, which need not be there yet. Safe to share between threads."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._guard = threading.Lock()
        self._journal: Journal | None = None
        self._inode = 0
        self._followed: OrderedDict[str, _Following] = OrderedDict()
        self._lefts: dict[tuple[str, float | None], Left] = {}

    def close(self) -> None:
        """Let go of the file."""
        with self._guard:
            self._forget()

    def runs(self, most: int) -> list[RunLine]:
        """The newest runs, newest first."""
        with self._guard:
            journal = self._open()
            if journal is None:
                return []
            return [RunLine(row, _state(journal, row)) for row in journal.runs(most)]

    def live_runs(self) -> list[str]:
        """Ids of runs somebody drives now, newest first."""
        return [line.row.id for line in self.runs(LIVE_MAX) if line.state == "live"]

    def live(self, fleet: str) -> dict[str, LiveRelease]:
        """By host: the release last read back."""
        with self._guard:
            journal = self._open()
            return journal.live(fleet) if journal is not None else {}

    def doubtful(self, fleet: str) -> frozenset[str]:
        """Hosts whose last read-back tells nothing any more, by the newest runs."""
        with self._guard:
            journal = self._open()
            if journal is None:
                return frozenset()
            rows = [row for row in journal.runs(DOUBTS_MAX) if row.fleet == fleet]
            return doubtful([self._left(journal, row) for row in reversed(rows)])

    def has(self, run: str) -> bool:
        """Whether there is a run of exactly that id."""
        with self._guard:
            journal = self._open()
            try:
                return journal is not None and bool(journal.stored(run))
            except UsageError:
                return False

    def follow(self, run: str) -> Followed:
        """The run of that whole id, hushed; it must be there."""
        with self._guard:
            journal = self._open()
            assert journal is not None
            following = self._following(journal, run)
            holder = "" if following.story.ended is not None else journal.lock(run).holder()
            return Followed(following.story, following.at_work, holder)

    def report(self, run: str) -> str:
        """The run's report without what hosts said."""
        with self._guard:
            journal = self._open()
            assert journal is not None
            story = self._following(journal, run).story
            stored = journal.stored(run)
            history = History(journal.times(stored.row.fleet, before=run))
            seal = stored.head.chain.hex() if stored.head is not None else ""
            return render_page(story, history, seal)

    def stamp(self) -> tuple[int, ...]:
        """Differs when something was written since."""
        return tuple(_stats((self.path, self.path.with_name(self.path.name + "-wal"))))

    # ---- inside; the guard is held

    def _open(self) -> Journal | None:
        """The journal, opened anew when another file took its place; None: there is none."""
        try:
            inode = self.path.stat().st_ino
        except OSError:
            self._forget()
            return None
        if self._journal is None or inode != self._inode:
            self._forget()
            self._journal, self._inode = Journal(self.path), inode
            self._journal.only_look()
        return self._journal

    def _forget(self) -> None:
        if self._journal is not None:
            self._journal.close()
        self._journal = None
        self._followed.clear()
        self._lefts.clear()

    def _left(self, journal: Journal, row: RunRow) -> Left:
        """Of a run that has ended it is worked out once."""
        if row.words[:1] and row.words[0] in NO_DEPLOYS:
            return NOTHING
        key = (row.id, row.ended_s)
        known = self._lefts.get(key)
        if known is None:
            if row.id in self._followed or row.ended_s is None:
                following = self._following(journal, row.id)
            else:  # not to be kept: it only is read for this
                following = _Following(journal, row.id)
                following.catch_up(journal)
            known = left_by(following.story, following.at_work)
            if row.ended_s is not None:
                self._lefts[key] = known
        return known

    def _following(self, journal: Journal, run: str) -> _Following:
        following = self._followed.pop(run, None) or _Following(journal, run)
        following.catch_up(journal)  # one that is damaged is not kept
        self._followed[run] = following
        while len(self._followed) > FOLLOWED_MAX:
            self._followed.popitem(last=False)
        return following


def _state(journal: Journal, row: RunRow) -> str:
    if row.exit_code is not None:
        return "ended"
    return "live" if journal.lock(row.id).holder() else "cut off"


def _stats(paths: tuple[Path, ...]) -> Iterator[int]:
    for path in paths:
        try:
            found = path.stat()
        except OSError:
            yield 0
        else:
            yield found.st_mtime_ns ^ found.st_size
