"""What lies on the lab's hosts for a rehearsal, and giving a host its fault when it gets there."""

from __future__ import annotations

import threading
import time
from collections import Counter
from collections.abc import Iterable, Sequence
from importlib import resources
from types import TracebackType

import msgspec

from fleetctl.lab.control import ClearFaults, SetFaults, ask
from fleetctl.lab.faults import Fault, FaultKind
from fleetctl.lab.layout import Layout
from fleetctl.lab.rehearsal.mishaps import Mishap

FOLDER = "rehearsal"
_POLL_S = 0.03
_OF_NEW_CONNECTIONS = frozenset(
    {FaultKind.REFUSE, FaultKind.HANG, FaultKind.WRONG_HOST_KEY, FaultKind.MAX_STARTUPS}
)
"""Seen by who connects anew, so the connections that are there are cut as well."""


class Happened(msgspec.Struct, frozen=True):
    """A fault that was given."""

    mishap: Mishap
    wall_s: float


class Call(msgspec.Struct, frozen=True):
    """A stand-in that was called."""

    host: str
    word: str
    key: str
    item: str


def set_stage(layout: Layout, hosts: Iterable[str], mishaps: Sequence[Mishap]) -> None:
    """Put the stand-in on every host, and what it needs to know of faults."""
    program = resources.files("fleetctl.lab.rehearsal").joinpath("standin.sh").read_bytes()
    for host in hosts:
        folder = layout.home(host) / FOLDER
        for inside in ("done", "mishaps", "files"):
            (folder / inside).mkdir(parents=True)
        (folder / "standin.sh").write_bytes(program)
    for mishap in mishaps:
        if mishap.key:
            place = layout.home(mishap.host) / FOLDER / "mishaps" / mishap.key
            place.write_text(f"{mishap.kind} {mishap.times}\n")


def read_calls(layout: Layout, hosts: Iterable[str]) -> list[Call]:
    """Every call of a stand-in, host by host, in their order."""
    calls = []
    for host in hosts:
        path = layout.home(host) / FOLDER / "calls"
        for line in path.read_text("utf-8", "replace").splitlines() if path.exists() else ():
            _, word, key, item = line.split(" ", 3)
            calls.append(Call(host, word, key, item))
    return calls


class Prompter:
    """Gives hosts their faults at their moments, from a thread, while it is entered."""

    def __init__(self, layout: Layout, mishaps: Sequence[Mishap]) -> None:
        self._layout = layout
        self._mishaps = mishaps
        self._ends: list[tuple[float, Mishap]] = []
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._watch, name="prompter", daemon=True)
        self.happened: list[Happened] = []

    def __enter__(self) -> Prompter:
        for mishap in self._mishaps:
            if not mishap.key:
                self._give(mishap)
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:  # fmt: skip
        self._over.set()
        self._thread.join()

    def shown(self) -> list[Mishap]:
        """Faults whose moment came."""
        given = {id(each.mishap) for each in self.happened}
        return [m for m in self._mishaps if id(m) in given or self._was_seen(m)]

    def _watch(self) -> None:
        waited = [mishap for mishap in self._mishaps if mishap.key and mishap.fault is not None]
        while not self._over.wait(_POLL_S):
            for mishap in waited:
                self._look(mishap)
            now_s = time.monotonic()
            for end_s, mishap in [each for each in self._ends if each[0] <= now_s]:
                self._ends.remove((end_s, mishap))
                ask(self._layout, ClearFaults((mishap.host,), mishap.kind.value))

    def _look(self, mishap: Mishap) -> None:
        folder = self._layout.home(mishap.host) / FOLDER / "mishaps"
        wanted = list(folder.glob(f"{mishap.key}.wanted.*"))
        if wanted:
            self._give(mishap)
        for each in wanted:
            each.unlink()

    def _give(self, mishap: Mishap) -> None:
        assert mishap.fault is not None
        ask(self._layout, SetFaults((mishap.host,), mishap.fault))
        if mishap.kind in _OF_NEW_CONNECTIONS:
            ask(self._layout, SetFaults((mishap.host,), Fault(FaultKind.CUT)))
        if mishap.lasts_s is not None:
            self._ends.append((time.monotonic() + mishap.lasts_s, mishap))
        self.happened.append(Happened(mishap, time.time()))

    def _was_seen(self, mishap: Mishap) -> bool:
        """Whether the stand-in itself did it."""
        folder = self._layout.home(mishap.host) / FOLDER / "mishaps"
        return any(folder.glob(f"{mishap.key}.seen.*"))


def count_calls(calls: Iterable[Call]) -> Counter[str]:
    """How often each key was called to act."""
    return Counter(call.key for call in calls if call.word == "act")
