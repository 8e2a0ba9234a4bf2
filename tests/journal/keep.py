"""Makes a journal worth keeping: `python -m tests.journal.keep tests/journal/kept/format2.db`.

Run once per format, by the code that writes it; the files are replayed by every later version.
"""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path

from fleetctl.journal.store import Journal
from fleetctl.plan.model import Budget, Plan
from fleetctl.rollout.controls import Controls
from fleetctl.rollout.driver import Opening, push
from fleetctl.rollout.messages import ViewLost
from fleetctl.transport.protocol import Order, RunSegment, Sink, Transport
from tests.rollout.builders import a_phase, a_plan, a_step, hosts_named
from tests.rollout.test_local import transport_in

HOSTS = hosts_named(3)
DRAINED = "0101-0800-zzz"
DONE, STOPPED, CUT = "0101-0900-aaa", "0101-1000-bbb", "0101-1100-ccc"


def done_plan() -> Plan:
    """Two steps, a barrier, a release read back."""
    steps = [
        a_step("one", act="echo one >> ~/marks", barrier=True),
        a_step("two", act="echo two >> ~/marks; echo said; echo cried >&2"),
        a_step("read", act="echo rel-2", reads_release=True, expects="rel-2"),
    ]
    return a_plan(a_phase([HOSTS[:1], HOSTS[1:]], steps, release="rel-2"))


def stopped_plan() -> Plan:
    """The first host fails, which stops the rest."""
    steps = [
        a_step("one", act="echo one >> ~/marks"),
        a_step("two", act="test -f ~/mended && echo two >> ~/marks"),
    ]
    return a_plan(a_phase([HOSTS[:1], HOSTS[1:]], steps, budget=Budget(0)))


class Cut(Exception):
    """The controller ends here."""


class CutTransport:
    """Takes the first host's orders; at the second host's segment the controller ends."""

    def __init__(self, inner: Transport) -> None:
        self._inner = inner

    def submit(self, order: Order) -> None:
        if isinstance(order, RunSegment) and order.host != HOSTS[0]:
            raise Cut
        self._inner.submit(order)

    def close(self) -> None:
        self._inner.close()


def keep(path: Path, folder: Path) -> None:
    """One run that ended well, one that was stopped, one that was cut off; hosts in `folder`."""
    way = transport_in(folder)

    def cut(sink: Sink) -> Transport:
        return CutTransport(way(sink))

    with Journal(path) as journal:
        push(done_plan(), Opening("ann@desk 1", ("push", "done"), DONE, 1), journal, way)
        push(stopped_plan(), Opening("ann@desk 2", ("push", "stopped"), STOPPED, 2), journal, way)
        try:
            push(done_plan(), Opening("bob@lap 3", ("push", "cut"), CUT, 3), journal, cut)
        except Cut:
            journal.give_order(CUT, "abort", "ann@desk 4")


def keep_words(path: Path, folder: Path) -> None:
    """A run that was told to drain, and lost its view: records there are since format 2."""
    controls = Controls()
    controls.drain("ann@desk 0", "SIGINT")
    way = transport_in(folder)

    def lost(sink: Sink) -> Transport:
        sink(ViewLost("records on stdout", "its reader went away"))  # type: ignore[arg-type]
        return way(sink)

    with Journal(path) as journal:
        opening = Opening("ann@desk 0", ("push", "drained"), DRAINED, 0)
        push(done_plan(), opening, journal, lost, controls=controls)


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as folder:
        make = keep_words if Path(sys.argv[1]).name.startswith("words") else keep
        make(Path(sys.argv[1]), Path(folder))
