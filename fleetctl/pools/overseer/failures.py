"""How long a failing slot rests, when its budget is spent, and when it is tried again."""

from __future__ import annotations

DELAY_FIRST_S = 1.0
DELAY_MOST_S = 300.0
JITTER = 0.2
BUDGET = 5
WINDOW_S = 120.0
PROBE_FIRST_S = 300.0
PROBE_MOST_S = 3600.0
BITES_LEAST = 3
BITES_WITHIN_S = 60.0
STABLE_S = 60.0
"""A process that has been ready this long has left its slot's failures behind."""


def delay_s(attempt: int, chance: float) -> float:
    """Seconds to rest after this failure in a row, the first being 1; `chance` is in [0, 1)."""
    whole: float = min(DELAY_MOST_S, DELAY_FIRST_S * 2.0 ** min(attempt - 1, 30))
    return whole * (1 - JITTER + 2 * JITTER * chance)


def bites_most(live: int) -> int:
    """How many processes of a host watchdogs may end in a minute: when more hang at once, it is
    rather the host, and killing makes that worse. Those that may not be ended yet are later."""
    return max(BITES_LEAST, live // 10)


def spent(times: list[float], probes: int) -> bool:
    """Nothing is left of the budget; after a probe, one failure is one too many."""
    return probes > 0 or len(times) >= BUDGET


def within(times: list[float], now: float) -> list[float]:
    """The failures that still count."""
    return [time for time in times if time > now - WINDOW_S]


def probe_s(probes: int) -> float:
    """Seconds until the next probe, after this many in vain."""
    longest: float = min(PROBE_MOST_S, PROBE_FIRST_S * 2.0 ** min(probes, 20))
    return longest
