"""Dividing a phase's hosts into batches: spread over failure domains, never too much of anything.

The laws, for any hosts and ramp (see tests/plan/test_batches.py):
every host is in exactly one batch; no batch exceeds its size of the ramp, holds two hosts of one
pair, or more hosts of a tier than its cap; the same hosts in the same order give the same batches.
"""

from __future__ import annotations

import heapq
from collections import Counter, deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from operator import itemgetter

from fleetctl.inventory.model import Host
from fleetctl.playbook.units import Amount

WHOLE = (Amount("100%"),)


def divide(
    hosts: Sequence[Host], ramp: Sequence[Amount], caps: Mapping[str, int]
) -> tuple[tuple[str, ...], ...]:
    """The batches in turn; `caps` says how many of a tier one batch may hold, at least 1.

    A size is of all `hosts`, a percentage rounded down but at least 1; the last one is repeated.
    """
    lanes = _lanes(hosts)
    sizes = _sizes(ramp or WHOLE, len(hosts))
    batches: list[tuple[str, ...]] = []
    left = len(hosts)
    while left:
        batch = _fill(lanes, next(sizes), caps)
        assert batch
        left -= len(batch)
        batches.append(tuple(batch))
    return tuple(batches)


def _sizes(ramp: Sequence[Amount], total: int) -> Iterator[int]:
    for size in ramp:
        yield max(1, size.floor_of(total))
    while True:
        yield max(1, ramp[-1].floor_of(total))


class _Lane:
    """The hosts of one tier still to be given out, in order."""

    def __init__(self, tier: str) -> None:
        self.tier = tier
        self.queue: deque[tuple[int, Host]] = deque()
        self.held: list[tuple[int, Host]] = []
        """Passed over in this batch because their partner is in it."""

    def skip_partners(self, pairs: set[str]) -> None:
        while self.queue and self.queue[0][1].pair in pairs:  # "", no pair, is never among them
            self.held.append(self.queue.popleft())

    def release_held(self) -> None:
        self.queue.extendleft(reversed(self.held))
        self.held = []


def _fill(lanes: Sequence[_Lane], size: int, caps: Mapping[str, int]) -> list[str]:
    """Take the next batch out of the lanes, the earliest place of all lanes first."""
    batch: list[str] = []
    pairs: set[str] = set()
    taken: Counter[str] = Counter()
    heads = [(lane.queue[0][0], index) for index, lane in enumerate(lanes) if lane.queue]
    heapq.heapify(heads)
    while heads and len(batch) < size:
        index = heapq.heappop(heads)[1]
        lane = lanes[index]
        lane.skip_partners(pairs)
        if not lane.queue:
            continue
        host = lane.queue.popleft()[1]
        batch.append(host.name)
        taken[lane.tier] += 1
        if host.pair:
            pairs.add(host.pair)
        if lane.queue and taken[lane.tier] < caps.get(lane.tier, size):
            heapq.heappush(heads, (lane.queue[0][0], index))
    for lane in lanes:
        lane.release_held()
    return batch


def _lanes(hosts: Sequence[Host]) -> list[_Lane]:
    lanes: dict[str, _Lane] = {}
    for place, host in enumerate(spread(hosts)):
        if host.tier not in lanes:
            lanes[host.tier] = _Lane(host.tier)
        lanes[host.tier].queue.append((place, host))
    return list(lanes.values())


def spread(hosts: Sequence[Host]) -> list[Host]:
    """The hosts in an order whose every stretch holds its share of each tier, zone and shard.

    The first host stays among the first: a first batch of one is the canary people expect.
    """
    keys: tuple[Callable[[Host], str], ...] = (
        lambda host: host.tier,
        lambda host: host.tags.get("zone", ""),
        lambda host: host.tags.get("shard", ""),
    )
    return _spread(list(hosts), keys)


def _spread(hosts: list[Host], keys: Sequence[Callable[[Host], str]]) -> list[Host]:
    """Groups by the first key, each spread by the rest, merged by how far each host is in its own.

    The i-th of n goes to (2i + 1) / 2n, so that groups of any sizes interleave evenly.
    """
    if not keys or len(hosts) < 2:
        return hosts
    groups: dict[str, list[Host]] = {}
    for host in hosts:
        groups.setdefault(keys[0](host), []).append(host)
    spread_groups = [_spread(group, keys[1:]) for group in groups.values()]
    if len(spread_groups) == 1:
        return spread_groups[0]
    placed = [
        ((2 * place + 1) / (2 * len(group)), number, host)
        for number, group in enumerate(spread_groups)
        for place, host in enumerate(group)
    ]
    placed.sort(key=itemgetter(0, 1))
    return [host for _, _, host in placed]
