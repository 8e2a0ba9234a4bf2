"""Host scaling law: how many more processes a pool gets now, and what holds it back.

Growth only. A daemon leaves by its own exit, because only it knows that it has claimed nothing.
"""

from __future__ import annotations


class Load:
    """What the law looks at, of one pool at one moment."""

    __slots__ = (
        "all_busy_s",
        "claimable",
        "live",
        "memory",
        "most",
        "observed",
        "sick",
        "starting",
    )

    def __init__(
        self,
        *,
        numbers: tuple[int, int, int, int],
        all_busy_s: float,
        observed: bool,
        claimable: int | None,
        memory: bool,
    ) -> None:
        self.live, self.sick, self.starting, self.most = numbers
        """Slots with a process; in backoff or failed (places that are taken); starting; allowed."""
        self.all_busy_s = all_busy_s
        """How long every live process has been busy; 0 while one is not."""
        self.observed = observed
        """Somebody counts the queue."""
        self.claimable = claimable
        """Tasks that could be taken now; None when the count is not known."""
        self.memory = memory
        """One more fits without touching the reserve."""


def growth(load: Load, up_after: float) -> tuple[int, str]:
    """How many processes to add, and the word for what decided it."""
    room = load.most - load.live - load.sick
    if room <= 0:
        return 0, "most"
    if not load.live:
        return (0, "sick") if load.sick else (0, "asleep")
    if load.all_busy_s <= 0 or load.all_busy_s < up_after:
        return 0, "not_all_busy_long_enough"
    if load.observed and load.claimable is None:
        return 0, "queue_unknown"
    if load.observed and (load.claimable or 0) <= load.starting:
        return 0, "queue_served"
    if not load.memory:
        return 0, "memory"
    if not load.observed:
        return 1, "all_busy"
    return min(max(1, load.live), (load.claimable or 0) - load.starting, room), "all_busy"
