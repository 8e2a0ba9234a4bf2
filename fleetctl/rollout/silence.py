"""Naming who keeps a run from beginning: hosts that have not said whether they are up."""

from __future__ import annotations

from collections.abc import Collection

from fleetctl.base.durations import format_duration
from fleetctl.base.hostrange import fold

NAMED_AFTER_S = 3.0


class Silence:
    """Tells of the hosts a preflight hangs on, at first after a while and then ever more rarely."""

    def __init__(self) -> None:
        self._since_s: float | None = None
        self._next_s = NAMED_AFTER_S

    def words(self, silent: Collection[str], now_s: float) -> str:
        """What there is to tell now; empty: nothing, or nothing new."""
        if not silent:
            self._since_s = None
            return ""
        if self._since_s is None:
            self._since_s, self._next_s = now_s, NAMED_AFTER_S
        past_s = now_s - self._since_s
        if past_s < self._next_s:
            return ""
        self._next_s = 2 * past_s
        up = "it is up" if len(silent) == 1 else "they are up"
        return f"asking {fold(silent)} whether {up}: no answer for {format_duration(past_s)}"
