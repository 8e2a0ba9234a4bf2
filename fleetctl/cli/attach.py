"""`fleetctl attach`: watch a run that is driven on another machine."""

from __future__ import annotations

import sys
import time
from collections.abc import Iterable
from typing import TYPE_CHECKING

import click

from fleetctl.base.errors import ExitCode, Unreachable
from fleetctl.cli.lookout import Lookout, age_words, open_lookout
from fleetctl.cli.output import emit, output_option, tell
from fleetctl.cli.picture import wall_text
from fleetctl.cli.selection import inventory_option, open_fleet

if TYPE_CHECKING:
    from fleetctl.cli.progress import RunView
    from fleetctl.cli.watching import Follower
    from fleetctl.journal.rows import StoredRecord
    from fleetctl.rollout.carried import Reading
    from fleetctl.rollout.fetching import Copy, Library
    from fleetctl.rollout.observers import Recorded

COLUMNS = ("run", "opened", "title", "hosts", "state", "exit", "heard_s_ago", "by", "carried_by")
POLL_S = 1.0
SILENT_S = 15.0
"""A controller tells a sign of life more often than that."""
_LEASE_POLL_S = 5.0


@click.command()
@click.argument("run", required=False, metavar="[RUN]")
@inventory_option
@output_option
def attach(run: str | None, inventory: str | None, output: str) -> ExitCode:
    """Watch a run that is driven on another machine; without RUN, list those that are carried.

    The bastions of the fleet carry the journals of its runs (see docs/handover.md). This only
    reads: Ctrl-C leaves (exit code 130), and the run goes on. It ends when the run does, with the
    run's exit code. RUN is an id, the beginning of one, or `last`.
    """
    with open_lookout(open_fleet(inventory)) as lookout:
        if run is None:
            _list(lookout, output)
            return ExitCode.OK
        copy = lookout.library.fetch(lookout.library.find(run))
        watch = _Watch(lookout, copy, output)
        try:
            return watch.go()
        except KeyboardInterrupt:
            watch.tell(f"no longer watching; run {copy.carried.row.id} goes on")
            return ExitCode.INTERRUPTED
        finally:
            watch.close()


def _list(lookout: Lookout, output: str) -> None:
    library = lookout.library
    rows = [
        {
            "run": known.row.id,
            "opened": wall_text(known.row.opened_s),
            "title": known.row.title,
            "hosts": known.row.hosts,
            "state": "ended" if known.exit_code is not None else _state(known.age_s),
            "exit": known.exit_code,
            "heard_s_ago": None if known.age_s is None else round(known.age_s),
            "by": known.row.by,
            "carried_by": ",".join(known.hosts),
        }
        for known in library.runs()
    ]
    for host, why in library.silent.items():
        tell(f"{host} did not say: {why}")
    if not rows and output == "table":
        tell("no run is carried by this fleet's hosts")
        return
    emit(rows, COLUMNS, output)


def _state(age_s: float | None) -> str:
    return "live" if age_s is not None and age_s < SILENT_S else "silent"


class _Watch:
    """Follows one copy, and says how fresh it is."""

    def __init__(self, lookout: Lookout, copy: Copy, output: str) -> None:
        self._lookout, self._copy, self._output = lookout, copy, output
        self._library: Library = lookout.library
        self._follower = self._open(copy)
        self._heard_s: float | None = None
        """When its controller was heard of last, by our own clock."""
        self._quiet = self._gone = False
        self._lease_at_s = 0.0

    def go(self) -> ExitCode:
        """To the end of the run."""
        self._hear(self._copy.carried.age_s)
        if self._view.ended is None:
            self.tell(f"{_progress(self._view)}; {age_words(self._copy.carried.age_s)}")
        from fleetctl.rollout.carried import Reading

        reading = Reading(self._copy.link)
        while self._view.ended is None:
            time.sleep(POLL_S)
            carried = self._copy.carried
            watched = self._library.news(self._copy.host, carried.row.id, carried.leg, reading)
            if watched is not None:
                self._hear(watched.age_s)
                self._show(reading)
                if watched.legs and watched.legs[-1] > carried.leg and self._switch():
                    reading = Reading(self._copy.link)
            self._judge()
        return self._recap()

    def tell(self, text: str) -> None:
        """A line of our own."""
        from fleetctl.cli.live import Screen

        if isinstance(self._follower, Screen):
            self._follower.notice(text)
        else:
            tell(text)

    def close(self) -> None:
        """The picture ends."""
        from fleetctl.cli.live import Screen

        if isinstance(self._follower, Screen):
            self._follower.close()

    @property
    def _view(self) -> RunView:
        return self._follower.view

    def _open(self, copy: Copy) -> Follower:
        """A follower that knows what was there already; records for programs are told whole."""
        from fleetctl.cli.progress import RunView
        from fleetctl.cli.watching import JsonLines, PlainLines

        entries = _decoded(copy.carried.records)
        view = RunView(copy.carried.plan)
        if self._output == "jsonl":
            lines = JsonLines(view)
            lines.recorded(entries)
            return lines
        view.take(entries)
        if not sys.stderr.isatty() or view.ended is not None:
            return PlainLines(view, len(entries))
        from fleetctl.cli.live import Screen
        from fleetctl.plan.history import History

        class Onlooker(Screen):
            """Asks nobody anything: approvals are given where the run is driven."""

            def _question(self) -> None:
                return None

        screen = Onlooker(view, lambda key, choice, why: None, History(), len(entries))
        screen.start()
        return screen

    def _show(self, reading: Reading) -> None:
        new, reading.records = reading.records, []
        self._follower.recorded(_decoded(new))

    def _switch(self) -> bool:
        """Somebody else goes on with the run: what they wrote has the word."""
        known = self._library.find(self._copy.carried.row.id)
        copy = self._library.fetch(known)
        if copy.carried.leg == self._copy.carried.leg:
            return False
        self.close()
        self._copy = copy
        self._follower = self._open(copy)
        from fleetctl.rollout.takeover import last_driver

        self.tell(f"{last_driver(copy.carried)} goes on with it")
        return True

    # ---- how fresh it is

    def _hear(self, age_s: float | None) -> None:
        if age_s is not None:
            self._heard_s = time.monotonic() - age_s

    def _judge(self) -> None:
        now_s = time.monotonic()
        age_s = None if self._heard_s is None else now_s - self._heard_s
        silent = age_s is None or age_s > SILENT_S
        if silent != self._quiet:
            self._quiet, self._gone = silent, False
            self.tell(age_words(age_s) if silent else "heard of again")
        if silent and not self._gone and now_s >= self._lease_at_s:
            self._lease_at_s = now_s + _LEASE_POLL_S
            self._look_for_lease()

    def _look_for_lease(self) -> None:
        run = self._copy.carried.row.id
        try:
            tenure = self._lookout.tenure(run)
        except Unreachable:
            return
        if tenure is None:
            self._gone = True
            self.tell(f"its controller seems gone: fleetctl resume {run} --take-over")

    def _recap(self) -> ExitCode:
        from fleetctl.cli.results import tell_result

        self.close()
        return tell_result(self._view, self._output)


def _progress(view: RunView) -> str:
    from fleetctl.cli.recap import accounted

    return f"run {view.run}: {accounted(view)}"


def _decoded(records: Iterable[StoredRecord]) -> list[Recorded]:
    from fleetctl.rollout.observers import Recorded
    from fleetctl.rollout.runlog import decode_record

    return [Recorded(seq, wall_s, decode_record(body)) for seq, wall_s, body in records]
