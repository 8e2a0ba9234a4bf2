"""A console on this machine over a journal with a run that ended and one that goes on."""

from __future__ import annotations

import http.client
import re
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from types import TracebackType
from typing import NamedTuple, Self
from urllib.parse import urlencode

import msgspec

from fleetctl.console.actions import Launcher
from fleetctl.console.app import Console
from fleetctl.console.bell import Bell
from fleetctl.console.guard import Names, Sessions
from fleetctl.console.pooldesk import Count, PoolDesk, Refresh
from fleetctl.console.serving import Address, Server, listen
from fleetctl.console.shelf import Shelf
from fleetctl.console.sources import Sources
from fleetctl.inventory.model import Fleet, Pools, Tier
from fleetctl.journal.rows import RunRow
from fleetctl.journal.store import Journal
from fleetctl.plan.model import Plan
from fleetctl.report.reading import Entry
from fleetctl.rollout import records as r
from tests.report.weekend import Troubles, Weekend, weekend_plan

TOKEN = "correct-horse-battery-staple"
ENDED, LIVE = "1122-0600-k3f", "1122-0700-m4g"
PINS = {"secure": "2026-11-22-bb", "db": "2026-11-22-bb", "repo": "2026-11-22-bb"}
TROUBLES = Troubles(failing=("repo002", "repo003"), retried=("db004",), lost=("db007",))


def fleet_of(plan: Plan) -> Fleet:
    """The fleet the plan is about; repo hosts keep pools."""
    hosts = {
        name: msgspec.structs.replace(host, pools=Pools() if host.tier == "repo" else None)
        for name, host in plan.hosts.items()
    }
    tiers: dict[str, list[str]] = {}
    for name, host in hosts.items():
        tiers.setdefault(host.tier, []).append(name)
    return Fleet(
        plan.fleet, hosts, {name: Tier(name, tuple(of)) for name, of in tiers.items()}, "acme.yaml"
    )


def keep_run(journal: Journal, plan: Plan, run: str, entries: Sequence[Entry]) -> None:
    """Write a run as its controller would have."""
    journal._database.execute("PRAGMA synchronous=OFF")  # nobody pulls the plug
    first = entries[0]
    row = RunRow(run, plan.fleet, plan.title, "d1", "ann@desk 42", first.wall_s, ("push",),
                 len(plan.hosts))  # fmt: skip
    journal.create_run(row, plan, [body_of(first.record)])
    for entry in entries[1:]:
        add(journal, run, entry)


def add(journal: Journal, run: str, entry: Entry) -> None:
    """One record more; a read-back and the end are kept as a controller keeps them."""
    record = entry.record
    live = {}
    if isinstance(record, r.HostSettled) and record.release:
        live[record.host] = record.release
    ended = record.exit_code if isinstance(record, r.RunEnded) else None
    journal.append(run, entry.seq, entry.wall_s, [body_of(record)], live=live, ended=ended)


def body_of(record: object) -> bytes:
    """As the journal keeps it."""
    return msgspec.msgpack.encode(record)


def half_of(plan: Plan, run: str, troubles: Troubles = TROUBLES) -> list[Entry]:
    """A run up to the middle of its repo phase."""
    entries = Weekend(plan, troubles, run).play()
    last = next(
        at for at, one in enumerate(entries)
        if isinstance(one.record, r.HostSettled) and one.record.outcome.lost
    )  # fmt: skip
    return entries[: last + 3]


class World(NamedTuple):
    """What a console is about, and where its journal is."""

    fleet: Fleet
    plan: Plan
    path: Path
    live: list[Entry]
    """Records of the run that goes on, so far."""


def make_world(folder: Path) -> World:
    """A journal with a run that ended ill, and one that goes on once its lock is held."""
    plan = weekend_plan()
    path = folder / "journal.db"
    live = half_of(plan, LIVE)
    with Journal(path) as journal:
        keep_run(journal, plan, ENDED, Weekend(plan, TROUBLES).play())
        keep_run(journal, plan, LIVE, live)
    return World(fleet_of(plan), plan, path, live)


@contextmanager
def driven(world: World, run: str = LIVE) -> Iterator[None]:
    """The run has a controller meanwhile."""
    lock = Journal(world.path).lock(run)
    lock.take("ann@desk 42")
    try:
        yield
    finally:
        lock.release()


class Served:
    """A console in a thread of this process, on a port of its own."""

    def __init__(
        self,
        world: World,
        *,
        token: str = "",
        program: Sequence[str] = (),
        refresh: Refresh | None = None,
        every_s: float = 0.0,
        count: Count | None = None,
    ) -> None:
        self.shelf = Shelf(world.path)
        self.told = Path()
        """Where a program of a test writes what it was given."""
        self.desk = PoolDesk(world.path.parent, world.fleet, refresh, every_s, count=count)
        sources = Sources(
            world.fleet,
            self.shelf,
            lambda: (PINS, ""),
            lambda: 0,
            self.desk,
            Launcher(program) if program else None,
        )
        self.bell = Bell(sources.stamp, look_s=0.05)
        self._socket = listen(Address("127.0.0.1", 0))
        self.port = int(self._socket.getsockname()[1])
        console = Console(
            sources, Names(loopback=True), self.bell,
            sessions=Sessions(token, time.monotonic) if token else None,
        )  # fmt: skip
        self.server = Server(console.program(), self.bell)
        self._thread = threading.Thread(
            target=self.server.run, kwargs={"sockets": [self._socket]}, daemon=True
        )

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.server.should_exit = True
        self._thread.join(30)
        self._socket.close()
        self.shelf.close()
        assert not self._thread.is_alive()

    def ask(self, path: str, form: Mapping[str, str] | None = None, **headers: str) -> Answer:
        """As the function `ask`."""
        return ask(self.port, path, form, **headers)


class Answer(NamedTuple):
    """What came back."""

    status: int
    headers: dict[str, str]
    text: str


def ask(port: int, path: str, form: Mapping[str, str] | None = None, **headers: str) -> Answer:
    """One request on a connection of its own; `form` makes it a POST."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=30)
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    try:
        if form is None:
            connection.request("GET", path, headers=named)
        else:
            named = {"content-type": "application/x-www-form-urlencoded"} | named
            connection.request("POST", path, urlencode(form), named)
        answer = connection.getresponse()
        told = {name.lower(): value for name, value in answer.getheaders()}
        return Answer(answer.status, told, answer.read().decode())
    finally:
        connection.close()


def form_token(text: str) -> str:
    """What a page's form carries."""
    found = re.search(r'name="form" value="([0-9a-f]{64})"', text)
    assert found is not None
    return found[1]
