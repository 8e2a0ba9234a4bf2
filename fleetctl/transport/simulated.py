"""A simulated fleet behind the Transport protocol: virtual time, one seed, scripted faults.

Nothing here sleeps: `World.step` moves the clock to the next thing due and lets it happen.
"""

from __future__ import annotations

import heapq
import random
from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Literal

from fleetctl.base.clock import ManualClock
from fleetctl.transport.protocol import (
    Ask,
    Connected,
    Event,
    Kill,
    Killed,
    Look,
    Looked,
    Lost,
    Order,
    Output,
    Release,
    RunSegment,
    Sink,
    StepOrder,
)
from fleetctl.transport.simhost import SimHost, Tell, Verdict

Mishap = Literal["none", "unsent", "cut before", "cut after", "late", "reboot", "twice"]
"""What happens to one order. unsent: nothing left us. cut before: it never arrives, and we cannot
know. cut after: it arrives, its answers are lost. late: given up as lost, it arrives much later.
reboot: the host loses its processes in the middle. twice: each answer comes two times."""

_LOOK_S = 0.01


@dataclass(slots=True)
class Script:
    """What the world does, as functions of what is asked; all chance is theirs."""

    mishap: Callable[[Order], Mishap] = lambda order: "none"
    verdict: Callable[[str, StepOrder], Verdict] = lambda host, step: Verdict()
    look: Callable[[Look], int | None] = lambda look: 0
    latency_s: Callable[[str], float] = lambda host: 0.01
    late_s: Callable[[str], float] = lambda host: 20.0


class World:
    """Every host, and the time they live in; outlives controllers."""

    def __init__(self, hosts: Iterable[str], script: Script | None = None, seed: int = 0) -> None:
        self.clock = ManualClock()
        self.script = script or Script()
        self.chance = random.Random(seed)  # noqa: S311 - a simulation is repeatable
        self.mishaps: Counter[str] = Counter()
        self._agenda: list[tuple[float, int, Callable[[], None]]] = []
        self._count = 0
        self.hosts = {name: SimHost(name, self) for name in hosts}

    def at(self, after_s: float, act: Callable[[], None]) -> None:
        """Do something later; things due at one time happen in the order they were asked for."""
        self._count += 1
        due_s = self.clock.monotonic_s() + max(0.0, after_s)
        heapq.heappush(self._agenda, (due_s, self._count, act))

    def verdict(self, host: str, step: StepOrder) -> Verdict:
        return self.script.verdict(host, step)

    def next_s(self) -> float | None:
        """When the next thing is due; None when nothing is."""
        return self._agenda[0][0] if self._agenda else None

    def step(self) -> None:
        """Let the next thing happen, at its time."""
        due_s, _, act = heapq.heappop(self._agenda)
        self.clock.advance(max(0.0, due_s - self.clock.monotonic_s()))
        act()


class SimTransport:
    """One controller's way to the world. It is dropped with its controller; the hosts live on."""

    def __init__(self, world: World, sink: Sink) -> None:
        self._world = world
        self._sink = sink
        self._open = True
        self._connected: set[str] = set()

    def submit(self, order: Order) -> None:
        """Take an order; what becomes of it is the script's choice."""
        if isinstance(order, Release):
            self._connected.discard(order.host)
            return
        world = self._world
        host = world.hosts.get(order.host)
        mishap: Mishap = "unsent" if host is None or not host.up else world.script.mishap(order)
        world.mishaps[mishap] += 1
        latency_s = world.script.latency_s(order.host)
        if host is None or mishap in ("unsent", "cut before"):
            self._lose(order, sent=mishap == "cut before", after_s=latency_s)
            return
        arrives_s = latency_s
        if mishap in ("cut after", "late", "reboot"):
            self._lose(order, sent=True, after_s=latency_s * 2)
        if mishap == "late":
            arrives_s += world.script.late_s(order.host)
        if mishap == "reboot":
            world.at(latency_s * 1.5, host.reboot)
        tell = self._tell_of(mishap, latency_s)
        world.at(arrives_s, lambda: self._arrive(host, order, tell))

    def close(self) -> None:
        """Nothing is told any more; what runs on hosts goes on."""
        self._open = False

    def _tell_of(self, mishap: Mishap, latency_s: float) -> Tell:
        def tell(event: Event, after_s: float = 0.0) -> None:
            for _ in range(2 if mishap == "twice" else 1):
                self._world.at(latency_s + after_s, lambda: self._deliver(event))

        def say_nothing(event: Event, after_s: float = 0.0) -> None:
            """The answers of an order whose connection is gone."""

        return say_nothing if mishap in ("cut after", "late", "reboot") else tell

    def _lose(self, order: RunSegment | Ask | Look | Kill, *, sent: bool, after_s: float) -> None:
        lost = Lost(
            order.ticket, order.host, sent, "closed" if sent else "connect", "the line went dead"
        )  # fmt: skip
        self._world.at(after_s, lambda: self._deliver(lost))

    def _deliver(self, event: Event) -> None:
        if self._open:
            self._sink(event)

    def _arrive(self, host: SimHost, order: RunSegment | Ask | Look | Kill, tell: Tell) -> None:
        if host.name not in self._connected:
            self._connected.add(host.name)
            tell(Connected(order.ticket, host.name, f"boot{host.boot}"))
        match order:
            case RunSegment():
                host.take(order, tell)
            case Ask():
                host.answer(order, tell, order.wait_s)
            case Look():
                status = self._world.script.look(order)
                tell(Looked(order.ticket, host.name, status, Output(), Output(), _LOOK_S), _LOOK_S)
            case Kill():
                tell(Killed(order.ticket, host.name, host.kill()))
