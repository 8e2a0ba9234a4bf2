"""Observers of a run without a terminal: plain lines with the time, or records as JSON lines."""

from __future__ import annotations

import threading
import time
from collections.abc import Sequence

import click
import msgspec

from fleetctl.cli.interrupts import tell_raw
from fleetctl.cli.output import to_json, write
from fleetctl.cli.progress import RunView
from fleetctl.cli.telling import Teller
from fleetctl.rollout.observers import Recorded
from fleetctl.rollout.records import OrderLost, Record, RetryPlanned, StopOrdered
from fleetctl.transport.protocol import Said

TROUBLE = (OrderLost, RetryPlanned, StopOrdered)
"""What is told even when hosts' answers are shown anyway."""


class Follower:
    """Keeps a view up to date; records already in it (a resume) are not told again.

    One that cannot show what it sees raises: the driver drops it and takes note.
    """

    name = "the view"

    def __init__(self, view: RunView, seq: int = 0) -> None:
        """`seq`: the last record the view already knows."""
        self.view = view
        self.guard = threading.Lock()
        """Held while the view changes or is read."""
        self._seq = seq

    def recorded(self, batch: Sequence[Recorded]) -> None:
        """Take records in order."""
        for seq, wall_s, record in batch:
            if seq <= self._seq:
                continue
            with self.guard:
                self._seq = seq
                self.view.apply(record, wall_s)
            self.saw(seq, wall_s, record)

    def said(self, said: Said) -> None:
        """Take a line of a running step."""
        with self.guard:
            self.view.said(said.host, said.line)

    def trouble(self) -> str:
        """Why nothing of it is seen, though it takes what it is given; empty when all is well."""
        return ""

    @property
    def blocked(self) -> bool:
        """Whether it still sits on its output, though it is closed."""
        return False

    def saw(self, seq: int, wall_s: float, record: Record) -> None:
        """Called after each record, outside the guard."""

    def notice(self, text: str) -> None:
        """Show a line that is no record; called by signals, so it takes no lock."""
        tell_raw(text)


class PlainLines(Follower):
    """Tells the run on stderr, a line a fact, with the time of day; `quiet` tells only trouble."""

    name = "lines on stderr"

    def __init__(self, view: RunView, seq: int = 0, *, quiet: bool = False) -> None:
        super().__init__(view, seq)
        self._teller = Teller(view)
        self._quiet = quiet

    def saw(self, seq: int, wall_s: float, record: Record) -> None:
        if self._quiet and not isinstance(record, TROUBLE):
            return
        text = self._teller.line(record)
        if text:
            click.echo(stamped(wall_s, text), err=True)


class JsonLines(Follower):
    """Streams every record to stdout as one JSON object a line."""

    name = "records on stdout"

    def __init__(self, view: RunView, seq: int = 0) -> None:
        super().__init__(view, seq)
        self._lines: list[str] = []

    def saw(self, seq: int, wall_s: float, record: Record) -> None:
        self._lines.append(to_json(record_row(seq, wall_s, record)))

    def recorded(self, batch: Sequence[Recorded]) -> None:
        """Take records in order; those of one turn are written together."""
        super().recorded(batch)
        lines, self._lines = self._lines, []
        if lines and not write("\n".join(lines)):
            raise BrokenPipeError("its reader went away")


def record_row(seq: int, wall_s: float, record: Record) -> dict[str, object]:
    """A record as a flat object: its place, its Unix time, its type, its fields; output as text."""
    tag = type(record).__struct_config__.tag
    return {"seq": seq, "time": wall_s, "type": tag, **msgspec.structs.asdict(record)}


def stamped(wall_s: float, text: str) -> str:
    """`10:02:11 text`, in local time."""
    return f"{time.strftime('%H:%M:%S', time.localtime(wall_s))} {text}"
