"""Asking many hosts one read-only thing at once; every host has an answer or a reason for none."""

from __future__ import annotations

import queue
from collections.abc import Callable, Mapping

from fleetctl.transport.protocol import Event, Look, Looked, Lost, Release, Sink, Transport

GRACE_S = 60.0
"""How long past the last answer's due time before the rest is given up as unknown."""
Answer = Looked | Lost


def ask_hosts(
    scripts: Mapping[str, str], open_transport: Callable[[Sink], Transport], timeout_s: float
) -> dict[str, Answer | None]:
    """Run each host's script on it, all at once; None: neither an answer nor a loss was told."""
    events: queue.SimpleQueue[Event] = queue.SimpleQueue()
    answers: dict[str, Answer | None] = dict.fromkeys(scripts)
    transport = open_transport(events.put)
    try:
        for ticket, (host, script) in enumerate(scripts.items(), 1):
            transport.submit(Look(ticket, host, script, timeout_s))
        left = len(scripts)
        while left:
            event = events.get(timeout=timeout_s + GRACE_S)
            if isinstance(event, (Looked, Lost)) and answers.get(event.host) is None:
                answers[event.host] = event
                left -= 1
                transport.submit(Release(event.host))
    except queue.Empty:
        return answers
    finally:
        transport.close()
    return answers
