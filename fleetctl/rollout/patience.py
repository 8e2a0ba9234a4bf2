"""How long and how often the rollout tries: pure schedules, all of them bounded."""

from __future__ import annotations

import zlib

import msgspec

from fleetctl.playbook.operations import Retry


class Patience(msgspec.Struct, frozen=True):
    """All times in seconds. The transport has its own, shorter retries below these."""

    connects_max: int = 2
    """Tries at sending one order before the host is unreachable."""
    connect_delay_s: float = 1.0
    shut_outs_max: int = 3
    """Tries at sending one order that another connection or run shuts out, before it failed."""
    asks_max: int = 8
    """Asks that may be lost in a row before the outcome is unknown."""
    asks_least: int = 3
    asks_within_s: float = 60.0
    """So long after the first lost ask no more are made than `asks_least`: a host that takes
    connections and says nothing makes each last a minute by itself."""
    ask_delay_s: float = 0.5
    ask_delay_max_s: float = 30.0
    ask_wait_s: float = 10.0
    """How long one ask stays at a host whose step still runs."""
    grace_s: float = 30.0
    """Beyond the deadlines of its steps, before a step that still runs is killed."""
    kill_wait_s: float = 20.0
    """After a kill, before what has not answered is unknown."""
    look_timeout_s: float = 15.0
    check_timeout_s: float = 120.0
    probe_timeout_s: float = 10.0


def chance(seed: int, *place: object) -> float:
    """A number in [0, 1) that depends on the seed and the place only."""
    return zlib.crc32("/".join(map(str, (seed, *place))).encode()) / 2**32


def backoff_s(first_s: float, factor: float, most_s: float, tries: int, luck: float) -> float:
    """The delay after `tries` tries: grows by `factor`, capped, then 50 to 100 % of it by luck."""
    grown = min(most_s, first_s * factor ** min(tries - 1, 60))
    return grown * (0.5 + 0.5 * luck)


def step_delay_s(retry: Retry, tries: int, luck: float) -> float:
    """The delay before the next try of an idempotent step."""
    return backoff_s(retry.delay_s, retry.factor, retry.delay_max_s, tries, luck)
