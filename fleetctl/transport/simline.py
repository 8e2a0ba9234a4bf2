"""One simulated connection: which orders hang on it, and what they are told when it goes."""

from __future__ import annotations

from collections.abc import Callable
from typing import Literal

from fleetctl.transport.protocol import Ask, Event, Kill, Look, Lost, RunSegment

Sent = RunSegment | Ask | Look | Kill
Cause = Literal["connect", "silence", "closed"]


class Line:
    """A controller's connection to a host. Numbers grow over all controllers."""

    def __init__(self, number: int, host: str, boot: int, deliver: Callable[[Event], None]) -> None:
        self.number = number
        self.boot = boot
        """Of the host, when it was made."""
        self.opened = False
        """An order came under the host's lock over it."""
        self.greeted = False
        self.down = False
        self.out: dict[int, Sent] = {}
        """Ticket -> order without a final event."""
        self._host = host
        self._deliver = deliver

    def cut(self, cause: Cause, detail: str) -> None:
        """It is gone: whatever hangs on it is told so. Idempotent."""
        self.down = True
        lost, self.out = list(self.out.values()), {}
        for order in lost:
            self._deliver(Lost(order.ticket, self._host, True, cause, detail))
