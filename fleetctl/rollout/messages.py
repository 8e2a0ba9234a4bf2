"""What goes into the reducer besides transport events, and what comes out besides orders."""

from __future__ import annotations

from typing import NamedTuple

import msgspec

from fleetctl.playbook.operations import HttpProbe, LocalProbe, TcpProbe
from fleetctl.rollout.controls import Command
from fleetctl.rollout.records import Record
from fleetctl.transport.protocol import Event, Order

TimerKey = tuple[str, ...]


class TimerFired(NamedTuple):
    """A timer is due; stale when a newer one was set under the same key."""

    key: TimerKey
    number: int


class ProbeAnswered(msgspec.Struct, frozen=True):
    """A probe made from this machine has an answer."""

    ticket: int
    host: str
    holds: bool
    """False also when no signal came: a missing signal is not a pass."""
    detail: str = ""


class Continue(msgspec.Struct, frozen=True):
    """The run was opened or resumed: begin."""


class ViewLost(NamedTuple):
    """An observer was dropped."""

    view: str
    cause: str


class SetTimer(NamedTuple):
    """Post `TimerFired(key, number)` after so many seconds."""

    key: TimerKey
    number: int
    after_s: float


class RunProbe(msgspec.Struct, frozen=True):
    """Ask this of the world from this machine; answered by ProbeAnswered, always, in time."""

    ticket: int
    host: str
    probe: LocalProbe | HttpProbe | TcpProbe
    """Filled in for the host."""
    address: str
    """Of the host, for probes that name none."""
    timeout_s: float


Incoming = Event | TimerFired | ProbeAnswered | Command | Continue | ViewLost
Outgoing = Order | SetTimer | RunProbe


class Decision(NamedTuple):
    """First these records become durable, then these go out."""

    records: list[Record]
    orders: list[Outgoing]
