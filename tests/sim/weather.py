"""What the world does in a case: its weather turned into the script of a simulated fleet."""

from __future__ import annotations

import random
from collections.abc import Callable

from fleetctl.playbook.operations import Exec
from fleetctl.transport.protocol import Look, Order, Round, StepOrder
from fleetctl.transport.simsegment import Verdict
from fleetctl.transport.simulated import Mishap, Script
from tests.sim.case import Weather


def make_script(weather: Weather, chance: random.Random, now_s: Callable[[], float]) -> Script:
    """All chance comes from `chance`; after the weather's end nothing goes wrong."""

    def bad(rate: float) -> bool:
        return rate > 0 and now_s() < weather.ends_s and chance.random() < rate

    def mishap(order: Order) -> Mishap:
        return chance.choice(weather.mishaps) if bad(weather.astray) else "none"

    def verdict(host: str, step: StepOrder) -> Verdict:
        took_s = chance.uniform(0.01, 3.0)
        if step.key.partition(".")[0].endswith("read"):
            return Verdict("acted", took_s, b"rel-1\n" if bad(weather.failing / 2) else b"rel-2\n")
        if bad(weather.failing):
            return Verdict("failed" if chance.random() < 0.5 else "timed out", took_s)
        if step.whole:
            return _list(chance, took_s)
        checks = not isinstance(step.operation, Exec) or (step.operation.check and not step.undo)
        if checks and chance.random() < 0.5:
            return Verdict("checked", took_s)
        if chance.random() < 0.01:
            took_s += chance.uniform(10.0, 100.0)
        return Verdict("acted", took_s)

    def look(look: Look) -> int | None:
        return chance.choice((1, None)) if bad(weather.shut) else 0

    return Script(
        mishap, verdict, look,
        latency_s=lambda host: chance.uniform(0.001, 0.3),
        late_s=lambda host: chance.uniform(1.0, 90.0),
        item=_item_script(weather, chance, bad),
        goes_on=lambda host: weather.deaf > 0 and chance.random() < weather.deaf,
    )  # fmt: skip


def _list(chance: random.Random, took_s: float) -> Verdict:
    """What a host lists, which is nothing, one, or some."""
    count = chance.choice((0, 1, 3, 8, 8, 20))
    said = "".join(f"i{n}\n" for n in range(count)).encode()
    return Verdict("acted", took_s, said)


def _item_script(
    weather: Weather, chance: random.Random, bad: Callable[[float], bool]
) -> Callable[[str, StepOrder, str], Verdict]:
    """How items end, each by itself; most of them well."""

    def item(host: str, step: StepOrder, name: str) -> Verdict:
        took_s = chance.uniform(0.01, 3.0)
        assert isinstance(step.operation, Round)
        if bad(weather.failing / 2):
            return Verdict("failed" if chance.random() < 0.5 else "timed out", took_s)
        if step.operation.check and chance.random() < 0.5:
            return Verdict("checked", took_s)
        if chance.random() < 0.01:
            took_s += chance.uniform(10.0, 100.0)
        return Verdict("acted", took_s)

    return item
