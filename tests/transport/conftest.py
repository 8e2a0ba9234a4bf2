"""The places every transport is tried at: `far` gives hosts h1 and h2 reached by each."""

from __future__ import annotations

import itertools
import os
import queue
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from fleetctl.lab.layout import ServerKind
from fleetctl.transport.dispatch import Dispatcher
from fleetctl.transport.local import LocalTransport
from fleetctl.transport.protocol import Event, Sink
from tests.labfixture import RunningLab, StartLab
from tests.transport.desk import Desk, Far

_TICKETS = itertools.count(1)


class Openings:
    """Opens desks and closes their transports at the end."""

    def __init__(self, make: Callable[[Sink], Dispatcher]) -> None:
        self._make = make
        self._opened: list[Dispatcher] = []

    def desk(self) -> Desk:
        events: queue.SimpleQueue[Event] = queue.SimpleQueue()
        transport = self._make(events.put)
        self._opened.append(transport)
        return Desk(transport, events, _TICKETS)

    def cut(self, host: str) -> None:
        """Cut the connections of a host under their users."""
        for transport in self._opened:
            door = transport._doors.get(host)
            if door is not None and door.wire is not None:
                door.wire.close()

    def close(self) -> None:
        for transport in self._opened:
            transport.close()


@pytest.fixture(
    params=[
        "local",
        pytest.param("embedded", marks=pytest.mark.slow),
        pytest.param("openssh", marks=[pytest.mark.slow, pytest.mark.openssh]),
    ]
)
def far(
    request: pytest.FixtureRequest,
    tmp_path: Path,
    module_lab_fleet: StartLab,
    labs: dict[str, RunningLab],
) -> Iterator[Far]:
    """Hosts h1 and h2 behind each transport in turn."""
    if request.param == "local":
        yield from local_far(tmp_path)
    else:
        yield from ssh_far(module_lab_fleet, request.param, labs)


def local_far(folder: Path) -> Iterator[Far]:
    """This machine twice, with a home folder for each."""

    def surroundings(host: str) -> dict[str, str]:
        home = folder / host
        home.mkdir(exist_ok=True)
        return {"HOME": str(home), "PATH": os.environ["PATH"]}

    openings = Openings(lambda sink: LocalTransport(sink, environment=surroundings))
    yield Far(openings.desk, lambda host: folder / host, openings.cut)
    openings.close()


def ssh_far(start: StartLab, server: str, labs: dict[str, RunningLab]) -> Iterator[Far]:
    """Two hosts of a lab that serves the whole module, as if nobody had been there before."""
    from fleetctl.transport.ssh import SshTransport

    if server not in labs:
        kind: ServerKind = "openssh" if server == "openssh" else "embedded"
        labs[server] = start({"t": ["h1", "h2"]}, kind)
    lab = labs[server]
    for host in ("h1", "h2"):
        clear(lab.home(host))

    def make(sink: Sink) -> Dispatcher:
        return SshTransport(lab.fleet.hosts, sink, known_hosts=str(lab.known_hosts))

    openings = Openings(make)
    yield Far(openings.desk, lab.home, openings.cut)
    openings.close()


def clear(home: Path) -> None:
    """Put aside what earlier tests left, also under a runner that has not noticed its end yet."""
    for entry in (".fleetctl", "proof", "in", "go"):
        if (home / entry).exists():
            (home / entry).rename(home / f".before-{next(_TICKETS)}-{entry}")


@pytest.fixture(scope="module")
def labs() -> dict[str, RunningLab]:
    """The labs of this module by their server."""
    return {}
