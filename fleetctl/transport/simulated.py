"""A simulated fleet behind the Transport protocol: virtual time, one seed, scripted faults.

Nothing here sleeps: `World.step` moves the clock to the next thing due and lets it happen.
"""

from __future__ import annotations

import heapq
import random
from collections import Counter
from collections.abc import Callable, Iterable
from typing import Literal

import msgspec

from fleetctl.base.clock import ManualClock
from fleetctl.transport.protocol import (
    Ask,
    Connected,
    Event,
    FinalEvent,
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
from fleetctl.transport.simhost import Blind, SimHost, Witness
from fleetctl.transport.simline import Line, Sent
from fleetctl.transport.simsegment import Tell, Verdict

Mishap = Literal["none", "unsent", "cut before", "cut after", "late", "late answers", "reboot",
                 "down", "frozen", "twice", "shuffled"]  # fmt: skip
"""What happens to one order. unsent: nothing left us. cut before: it never arrives, and we cannot
know. cut after: it arrives, its answers are lost. late: given up as lost, it arrives much later.
late answers: given up as lost, its answers come all the same. reboot: the host loses its processes
in the middle; down: and stays away for a while. frozen: the host stands still for a while. twice:
each answer comes two times. shuffled: its answers overtake each other."""

SILENCE_S = 20.0
"""How long a frozen host is waited for."""
_LOOK_S = 0.01
_CUT: frozenset[Mishap] = frozenset({"cut after", "late", "late answers"})
_FINAL = FinalEvent.__args__


class Script(msgspec.Struct):
    """What the world does, as functions of what is asked; all chance is theirs."""

    mishap: Callable[[Order], Mishap] = lambda order: "none"
    verdict: Callable[[str, StepOrder], Verdict] = lambda host, step: Verdict()
    look: Callable[[Look], int | None] = lambda look: 0
    latency_s: Callable[[str], float] = lambda host: 0.01
    late_s: Callable[[str], float] = lambda host: 20.0
    """How late; also how long a host is down or frozen."""
    goes_on: Callable[[str], bool] = lambda host: True
    item: Callable[[str, StepOrder, str], Verdict] = lambda host, step, item: Verdict()
    """How an item of a round ends when it runs."""


class World:
    """Every host, and the time they live in; outlives controllers."""

    def __init__(self, hosts: Iterable[str], script: Script | None = None, seed: int = 0) -> None:
        self.clock = ManualClock()
        self.script = script or Script()
        self.chance = random.Random(seed)  # noqa: S311 - a simulation is repeatable
        self.witness: Witness = Blind()
        self.mishaps: Counter[str] = Counter()
        self._agenda: list[tuple[float, int, Callable[[], None]]] = []
        self._count = 0
        self._lines = 0
        self.hosts = {name: SimHost(name, self) for name in hosts}

    def now_s(self) -> float:
        return self.clock.monotonic_s()

    def at(self, after_s: float, act: Callable[[], None]) -> None:
        """Do something later; things due at one time happen in the order they were asked for."""
        self._count += 1
        due_s = self.clock.monotonic_s() + max(0.0, after_s)
        heapq.heappush(self._agenda, (due_s, self._count, act))

    def verdict(self, host: str, step: StepOrder) -> Verdict:
        return self.script.verdict(host, step)

    def item(self, host: str, step: StepOrder, item: str) -> Verdict:
        return self.script.item(host, step, item)

    def goes_on(self, host: str) -> bool:
        return self.script.goes_on(host)

    def next_line(self) -> int:
        self._lines += 1
        return self._lines

    def next_s(self) -> float | None:
        """When the next thing is due; None when nothing is."""
        return self._agenda[0][0] if self._agenda else None

    def step(self) -> None:
        """Let the next thing happen, at its time."""
        due_s, _, act = heapq.heappop(self._agenda)
        self.clock.advance(max(0.0, due_s - self.clock.monotonic_s()))
        act()

    def pass_time(self, seconds: float) -> None:
        """Let so much time go by, with all that happens in it."""
        until_s = self.now_s() + seconds
        while self._agenda and self._agenda[0][0] <= until_s:
            self.step()
        self.clock.advance(max(0.0, until_s - self.now_s()))


class SimTransport:
    """One controller's way to the world. It is dropped with its controller; the hosts live on."""

    def __init__(self, world: World, sink: Sink) -> None:
        self._world = world
        self._sink = sink
        self._open = True
        self._lines: dict[str, Line] = {}

    def submit(self, order: Order) -> None:
        """Take an order; what becomes of it is the script's choice."""
        if isinstance(order, Release):
            line = self._lines.pop(order.host, None)
            if line is not None:
                line.cut("closed", "released")
            return
        world = self._world
        host = world.hosts.get(order.host)
        mishap: Mishap = "unsent"
        if host is not None and host.up:
            mishap = world.script.mishap(order)
        world.mishaps[mishap] += 1
        latency_s = world.script.latency_s(order.host)
        if host is None or mishap == "unsent":
            self._lose_unsent(order, latency_s)
            return
        line = self._line_to(host)
        if line is None:
            world.mishaps["frozen at connect"] += 1
            self._lose_unsent(order, SILENCE_S)
            return
        self._send(order, host, line, mishap, latency_s)

    def close(self) -> None:
        """Nothing is told any more; what runs on hosts goes on."""
        self._open = False
        for line in self._lines.values():
            line.down = True

    def _line_to(self, host: SimHost) -> Line | None:
        """The connection to the host, made when there is none; None when it does not answer."""
        line = self._lines.get(host.name)
        if line is not None and not line.down:
            return line
        if host.frozen:
            return None
        line = Line(self._world.next_line(), host.name, host.boot, self._deliver)
        self._lines[host.name] = line
        host.lines = [other for other in host.lines if not other.down]
        host.lines.append(line)
        return line

    def _send(
        self, order: Sent, host: SimHost, line: Line, mishap: Mishap, latency_s: float
    ) -> None:
        world = self._world
        line.out[order.ticket] = order
        arrives_s = latency_s
        match mishap:
            case "late":
                arrives_s += world.script.late_s(order.host)
            case "reboot" | "down":
                world.at(latency_s * 1.5, lambda: self._go_down(host, stays=mishap == "down"))
            case "frozen":
                world.at(latency_s * 0.5, lambda: self._freeze(host))
            case _:
                pass
        if mishap in _CUT or mishap == "cut before":
            world.at(latency_s * 2, lambda: line.cut("closed", "the line went dead"))
        elif host.frozen:
            host.watch_silence(line, SILENCE_S)
        if mishap != "cut before":
            tell = self._tell_of(line, order.ticket, mishap, latency_s)
            host.later(arrives_s, lambda: self._arrive(host, order, line, tell))

    def _go_down(self, host: SimHost, *, stays: bool) -> None:
        host.reboot()
        if stays and host.up:
            host.up = False
            self._world.at(self._world.script.late_s(host.name), lambda: _come_back(host))

    def _freeze(self, host: SimHost) -> None:
        if host.up:
            host.freeze(self._world.script.late_s(host.name), SILENCE_S)

    def _tell_of(self, line: Line, ticket: int, mishap: Mishap, latency_s: float) -> Tell:
        world = self._world

        def tell(event: Event, after_s: float = 0.0) -> None:
            for _ in range(2 if mishap == "twice" else 1):
                slow_s = world.chance.uniform(0.0, 2.0) if mishap == "shuffled" else 0.0
                world.at(latency_s + after_s + slow_s, lambda: deliver(event))

        def deliver(event: Event) -> None:
            if not line.down and isinstance(event, _FINAL):
                line.out.pop(ticket, None)
            if not line.down or mishap == "late answers":
                self._deliver(event)

        def say_nothing(event: Event, after_s: float = 0.0) -> None:
            """The answers of an order whose connection is gone."""

        return say_nothing if mishap in ("cut after", "late") else tell

    def _lose_unsent(self, order: Sent, after_s: float) -> None:
        lost = Lost(order.ticket, order.host, False, "connect", "no way to the host")
        self._world.at(after_s, lambda: self._deliver(lost))

    def _deliver(self, event: Event) -> None:
        if self._open:
            self._sink(event)

    def _arrive(self, host: SimHost, order: Sent, line: Line, tell: Tell) -> None:
        if line.boot != host.boot or not host.up:
            return  # the connection died with the host's last boot
        if not line.greeted:
            line.greeted = True
            tell(Connected(order.ticket, host.name, f"boot{host.boot}"))
        match order:
            case RunSegment():
                host.take(order, line, tell)
            case Ask():
                host.answer(order, line, tell, order.wait_s)
            case Look():
                status = self._world.script.look(order)
                tell(Looked(order.ticket, host.name, status, Output(), Output(), _LOOK_S), _LOOK_S)
            case Kill():
                ruled = order.fence >= host.fence or order.under == host.holder
                tell(Killed(order.ticket, host.name, ruled and host.kill(order.run)))


def _come_back(host: SimHost) -> None:
    host.up = True
