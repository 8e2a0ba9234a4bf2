"""What overseers of a crowd of hosts would have told."""

from __future__ import annotations

from collections.abc import Sequence

from fleetctl.pools.cache import HostPools, Remembered
from fleetctl.pools.tallies import Group, Hold, Tally, Trouble

KINDS = ("taskmaster", "pull", "trigger")


def group_of(kind: str, instances: int, number: int) -> Group:
    """One kind on the host of that number: nearly all of it sleeps."""
    busy, failed = number % 3, int(kind == "pull" and number == 2)
    asleep = instances - busy - failed
    slots = {"hibernating": asleep, "busy": busy, "failed": failed}
    words = {"HIBERNATING": asleep, "RUNNING": busy, "FAILED": failed}
    trouble = (Trouble("FAILED", "exit", 1, 300.0),) if failed else ()
    hold = (Hold("PAUSED", "disk swap", "ann@desk", 1, 60.0),) if number == 4 else ()
    return Group(
        pools=instances, instances=instances, words={w: n for w, n in words.items() if n},
        slots={w: n for w, n in slots.items() if n}, places=instances * 4, processes=busy,
        errors_15m=failed * 5, claimable=number % 2, oldest_s=3.0 if number % 2 else None,
        uncounted=instances if kind == "trigger" else 0, next_wake_s=30.0 + number,
        memory_mb=13.0 * busy, measured=busy, troubles=trouble, holds=hold,
    )  # fmt: skip


def told_by(tier: str, number: int, instances: int, at_s: float) -> HostPools:
    """What one host told."""
    groups = {kind: group_of(kind, instances, number) for kind in KINDS}
    own = {"instances": float(instances), "fullness_percent": 40.0 + number % 40}
    return HostPools(tier, at_s, told_s=at_s, groups=groups, overseer=own)


def crowd(fleet: str, hosts: Sequence[str], instances: int, at_s: float) -> Remembered:
    """What all of these hosts told."""
    told = {host: told_by("repo", at, instances, at_s) for at, host in enumerate(hosts)}
    return Remembered(fleet, told)


def by_instance(hosts: Sequence[str], instances: int) -> dict[str, Tally]:
    """A tally by instance of each host, instances being on one host each."""
    asleep = Group(3, 1, {"HIBERNATING": 3}, {"hibernating": 3}, 12, next_wake_s=60.0)
    ill = Group(
        3, 1, {"HIBERNATING": 2, "BACKOFF": 1}, {"hibernating": 2, "backoff": 1}, 12,
        errors_15m=2, troubles=(Trouble("BACKOFF", "exit", 1, 4.0),),
    )  # fmt: skip
    return {
        host: Tally(
            1.0, "instance", KINDS,
            {f"i{at:03d}-{one:04d}": ill if (at, one) == (1, 7) else asleep
             for one in range(instances)},
            Group(), 0, {"instances": float(instances)},
        )
        for at, host in enumerate(hosts)
    }  # fmt: skip
