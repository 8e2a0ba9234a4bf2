"""Read-only looks at many hosts at once; who hangs is named while the others go on."""

from __future__ import annotations

import contextlib
import queue
import time
from collections.abc import Callable, Mapping, Sequence
from typing import NamedTuple

from fleetctl.base.durations import format_duration
from fleetctl.base.hostrange import fold
from fleetctl.transport.protocol import Event, Look, Looked, Lost, Sink, Transport

NAMED_AFTER_S = 3.0
"""Who has not answered by then is named, and again when twice that has passed, and so on."""
Key = tuple[str, str]
"""A host, and what it is asked."""


class Asked(NamedTuple):
    """One look to take."""

    host: str
    what: str
    script: str
    timeout_s: float


class Answer(NamedTuple):
    """What came of it."""

    event: Looked | Lost
    wall_s: float
    """Unix time here when it came."""


def look_at_all(
    looks: Sequence[Asked],
    open_transport: Callable[[Sink], Transport],
    connect_s: float,
    tell: Callable[[str], None],
) -> Mapping[Key, Answer]:
    """The answers that came in time: each look has `connect_s` besides its own time.

    Whoever keeps us is named meanwhile.
    """
    heard: queue.SimpleQueue[tuple[Event, float]] = queue.SimpleQueue()
    transport = open_transport(lambda event: heard.put((event, time.time())))
    answers: dict[Key, Answer] = {}
    asked = dict(enumerate(looks, 1))
    try:
        for ticket, look in asked.items():
            transport.submit(Look(ticket, look.host, look.script, look.timeout_s))
        began_s, naming_s = time.monotonic(), NAMED_AFTER_S
        while asked:
            past_s = time.monotonic() - began_s
            asked = {t: look for t, look in asked.items() if past_s < connect_s + look.timeout_s}
            if asked and past_s >= naming_s:
                left = fold(look.host for look in asked.values())
                tell(f"no answer yet from {left} ({format_duration(past_s)})")
                naming_s *= 2
            next_s = min([naming_s, *(connect_s + look.timeout_s for look in asked.values())])
            with contextlib.suppress(queue.Empty):
                event, wall_s = heard.get(timeout=max(0.01, next_s - past_s))
                if isinstance(event, (Looked, Lost)) and event.ticket in asked:
                    look = asked.pop(event.ticket)
                    answers[look.host, look.what] = Answer(event, wall_s)
    finally:
        transport.close()
    return answers
