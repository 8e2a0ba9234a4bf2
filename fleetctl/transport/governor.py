"""How many connections may be starting at once: fewer when an sshd drops them, else more.

sshd drops connections at random once ten have not logged in yet (its MaxStartups). What counts is
starts under way, not their rate; so this is a window, halved by a drop and widened by greetings.
Pure: it is told what happened and when.
"""

from __future__ import annotations

import msgspec

WINDOW_MAX = 128.0
WINDOW_MIN = 2.0
QUIET_S = 0.5
"""Drops this close together tell of one and the same crowd; they count once."""


class Governor(msgspec.Struct):
    """The window of one road: direct connections, or those through one bastion."""

    window: float = 64.0
    starting: int = 0
    _deaf_until_s: float = 0.0

    def may_start(self) -> bool:
        """Whether one more connection may start now."""
        return self.starting < int(self.window)

    def started(self) -> None:
        """One more is under way."""
        self.starting += 1

    def greeted(self) -> None:
        """A start ended well: the window grows by about one for each windowful of these."""
        self.starting -= 1
        self.window = min(WINDOW_MAX, self.window + 1.0 / self.window)

    def failed(self) -> None:
        """A start ended for a reason that says nothing about a crowd."""
        self.starting -= 1

    def dropped(self, now_s: float) -> None:
        """sshd closed a start before its banner or key exchange."""
        crowd = self.starting
        self.starting -= 1
        if now_s < self._deaf_until_s:
            return
        self._deaf_until_s = now_s + QUIET_S
        self.window = max(WINDOW_MIN, min(self.window, float(crowd)) / 2)
