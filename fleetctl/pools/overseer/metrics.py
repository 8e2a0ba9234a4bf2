"""An overseer's figures in the text format of Prometheus; loaded when somebody asks for them."""

from __future__ import annotations

from fleetctl.pools.overseer import views
from fleetctl.pools.overseer.histogram import BOUNDS_S

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from fleetctl.pools.overseer.core import Core
    from fleetctl.pools.overseer.histogram import Histogram

HELP = {
    "pools": "Pools it keeps.",
    "processes": "Daemons that are its children.",
    "in_line": "Starts that are due and have no token yet.",
    "wakes": "Wakes it has measured since it was started.",
    "wake_p50_s": "From work to ready, half of all wakes within.",
    "wake_p99_s": "From work to ready, 99 of 100 wakes within.",
    "wake_max_s": "From work to ready, the longest.",
    "refused_messages": "Datagrams of strangers it took no notice of.",
    "unknown_hints": "Hints, as datagrams or files, for pools nobody knows.",
    "instances": "Instances it keeps pools of.",
    "memory_available_mb": "Memory of the host, or its group, that may be had.",
    "memory_total_mb": "Memory of the host, or its group.",
    "fullness_percent": "Memory in use of what may be used; from 100 on nothing grows.",
    "log_failing": "1: its log of events cannot be written.",
    "starved": "1: the host is starved, and watchdogs stand back.",
    "lookouts_failing": "Sources of attention that fail.",
    "lookouts_blind": "Sources of attention that have not looked for too long.",
    "blind_wakes": "Pools woken to look for themselves, their source being blind.",
    "watchdogs_held": "Ends for a missed heartbeat that were held back.",
    "zygotes": "Zygotes that are ready.",
    "zygotes_failing": "Zygotes that cannot be had.",
    "warm_starts": "Daemons forked from zygotes.",
    "sockets": "Sockets held for pools.",
    "sockets_failing": "Sockets that cannot be opened.",
}
_UNITS = (("_mb", "_bytes", 1 << 20), ("_s", "_seconds", 1))
"""How a figure's name ends, how its family's does, and what one of it comes to."""


def family(figure: str, value: float) -> tuple[str, str, float]:
    """The family of a figure, what it means, and its value in base units."""
    name = f"overseer_{figure}"
    for short, whole, size in _UNITS:
        if figure.endswith(short):
            name, value = name[: -len(short)] + whole, value * size
    return name, HELP.get(figure, "The overseer's own figure."), value


def text(core: Core, latency: Histogram, own: Mapping[str, float], now: float) -> str:
    """All families, each with its help."""
    lines = [*_head("pools", "Pools by their word.")]
    lines += [
        f'fleetctl_pools{{state="{word.lower()}"}} {number}'
        for word, number in sorted(views.counts(core).items())
    ]
    lines += [*_processes(core), *_errors(core, now), *_wakes(latency)]
    for figure, told in own.items():
        name, meaning, value = family(figure, told)
        lines += [*_head(name, meaning), f"fleetctl_{name} {value:.15g}"]
    return "\n".join(lines) + "\n"


def _head(name: str, meaning: str, kind: str = "gauge") -> tuple[str, str]:
    return f"# HELP fleetctl_{name} {meaning}", f"# TYPE fleetctl_{name} {kind}"


def _processes(core: Core) -> Iterator[str]:
    yield from _head("pool_processes", "Processes of a pool by their state.")
    for pool in core.awake:
        for state in ("busy", "idle", "starting", "stopping"):
            number = sum(slot.state == state for slot in pool.slots)
            labels = f'{_labels(pool.name)},state="{state}"'
            yield f"fleetctl_pool_processes{{{labels}}} {number}"


def _errors(core: Core, now: float) -> Iterator[str]:
    yield from _head("pool_errors_15m", "Errors of a pool in the last 15 minutes.")
    for name in core.book.errors:
        number = core.book.errors_lately(name, now)
        yield f"fleetctl_pool_errors_15m{{{_labels(name)}}} {number}"


def _wakes(latency: Histogram) -> Iterator[str]:
    yield from _head("wake_seconds", "From work to ready.", "histogram")
    total = 0
    for bound, number in zip((*map(str, BOUNDS_S), "+Inf"), latency.counts):
        total += number
        yield f'fleetctl_wake_seconds_bucket{{le="{bound}"}} {total}'
    yield f"fleetctl_wake_seconds_sum {latency.sum_s:.6f}"
    yield f"fleetctl_wake_seconds_count {latency.count}"


def _labels(pool: str) -> str:
    instance, _, kind = pool.partition("/")
    return f'instance="{instance}",kind="{kind}"'
