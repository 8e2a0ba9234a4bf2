"""All pools counted, by kind or by instance: small enough to be told to whoever asks a whole fleet.

Nearly every pool sleeps, so sleepers are counted on a path of their own; what has errors, tasks or
processes is found from the lists that know it.
"""

from __future__ import annotations

import re

from fleetctl.pools.overseer import states, views
from fleetctl.pools.overseer.groups import Group, add, together, told
from fleetctl.pools.overseer.pools import DRAINED, NEVER, PAUSED, RUN
from fleetctl.pools.overseer.states import EMPTY, HIBERNATING, LIVE

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping
    from typing import Any

    from fleetctl.pools.overseer.core import Core
    from fleetctl.pools.overseer.pools import Pool, Slot

GROUPS_MOST = 100
"""So many are told when nobody says how many; the worst come first."""
MEASURED_MOST = 1000
WHY_MOST = 120
NOBODY, SURE, UNSURE = range(3)
"""Who counts the tasks of a pool: nobody, a source that works, one that fails."""
_TROUBLED = ("FAILED", "BACKOFF")
_ORDER = (
    *(
        "FAILED",
        "BACKOFF",
        "HELD",
        "PAUSED",
        "DRAINING",
        "STOPPING",
        "RESTARTING",
        "STARTING",
        "RUNNING",
    ),
    *("DRAINED", "EMPTY", "HIBERNATING"),
)
_RANK = {word: rank for rank, word in enumerate(_ORDER)}


def tally(
    core: Core, asked: Asked, now: float, sources: Mapping[str, int], measure: Callable[[int], int]
) -> dict[str, Any]:
    """The pools asked for, in groups; times are seconds from now.

    `sources` says of each source of attention whether it can be believed now (SURE, UNSURE);
    `measure` is the resident memory of a process in KiB, 0 when it cannot be known.
    """
    chosen = asked.choose(core.book.pools)
    groups = _count(chosen.values(), asked, {"": NOBODY, **sources})
    _add_errors(core, chosen, asked, groups, now)
    _add_tasks(core, chosen, asked, groups, sources)
    _add_memory(core, chosen, asked, groups, measure)
    shown, rest = asked.page(groups)
    return {
        "by": "instance" if asked.by_instance else "kind",
        "kinds": sorted({pool.kind.name for pool in core.book.pools.values()}),
        "groups": {name: told(groups[name], now) for name in shown},
        "rest": told(together(groups[name] for name in rest), now),
        "left_out": len(rest),
    }


class Asked:
    """What a tally is about; words with * and ? stand for many names, nothing for all."""

    def __init__(self, request: Mapping[str, Any]) -> None:
        self.kinds = _pattern(request.get("kinds"))
        self.instances = _pattern(request.get("instances"))
        self.by_instance = request.get("by") == "instance"
        self.most = int(request.get("most") or GROUPS_MOST)

    def choose(self, pools: Mapping[str, Pool]) -> Mapping[str, Pool]:
        """The pools that are meant."""
        kinds, instances = self.kinds, self.instances
        if kinds is None and instances is None:
            return pools
        return {
            name: pool
            for name, pool in pools.items()
            if (kinds is None or kinds.fullmatch(pool.kind.name))
            and (instances is None or instances.fullmatch(pool.instance))
        }

    def name(self, pool: Pool) -> str:
        """The group a pool is counted in."""
        return pool.instance if self.by_instance else pool.kind.name

    def page(self, groups: Mapping[str, Group]) -> tuple[list[str], list[str]]:
        """The names that are told, the worst first, and those that are only counted."""
        names = sorted(groups, key=lambda name: (_worst(groups[name]), name))
        return names[: self.most], names[self.most :]


def _pattern(words: object) -> re.Pattern[str] | None:
    """Any of some words; None for all there are."""
    if not words:
        return None
    if not isinstance(words, list) or not all(isinstance(word, str) for word in words):
        raise ValueError("kinds and instances are lists of words")
    import fnmatch

    return re.compile("|".join(fnmatch.translate(word) for word in words))


def _count(pools: Iterable[Pool], asked: Asked, sources: Mapping[str, int]) -> dict[str, Group]:
    """The pools by their states."""
    groups: dict[str, Group] = {}
    by_instance = asked.by_instance
    for pool in pools:
        kind, slots = pool.kind, pool.slots
        name = pool.instance if by_instance else kind.name
        group = groups.get(name)
        if group is None:
            group = groups[name] = Group()
        group.pools += 1
        group.places += pool.target[1] if pool.target else kind.max
        source = sources.get(kind.queue, UNSURE)
        if source == NOBODY:
            group.uncounted += 1
        elif source == UNSURE:
            group.uncertain += 1
        plain = len(slots) == 1 and pool.intent == RUN and pool.held is None
        if plain and slots[0].state == HIBERNATING:
            group.asleep += 1
            if slots[0].until < group.wake:
                group.wake = slots[0].until
        else:
            _look_at(group, pool)
    for group in groups.values():
        group.instances = 1 if by_instance else group.pools  # a kind has one pool an instance
        if group.asleep:
            for counts, word in ((group.words, "HIBERNATING"), (group.slots, HIBERNATING)):
                counts[word] = counts.get(word, 0) + group.asleep
    return groups


def _look_at(group: Group, pool: Pool) -> None:
    """A pool there is more to say of than that it sleeps."""
    word, shown = views.word(pool), 0
    group.words[word] = group.words.get(word, 0) + 1
    for slot in pool.slots:
        state = slot_state(pool, slot)
        if state == EMPTY:
            continue
        shown += 1
        group.slots[state] = group.slots.get(state, 0) + 1
        group.processes += slot.state in LIVE
        if state == HIBERNATING:
            group.wake = min(group.wake, slot.until)
    if not shown:
        state = kept(pool) or EMPTY
        group.slots[state] = group.slots.get(state, 0) + 1
    if word in _TROUBLED:
        worst = views.worst(pool)
        add(group.troubles, (word, worst.cause), worst.until, pool.name)
        return
    for token, (by, why) in pool.holds.items():
        add(group.holds, (word, why[:WHY_MOST], by[:WHY_MOST], token), NEVER)
    if pool.note is not None:
        until, by, why = pool.note
        said = views.INTENTS.get(pool.intent, word) if pool.holds else word
        add(group.holds, (said, why[:WHY_MOST], by[:WHY_MOST], ""), until)


def kept(pool: Pool) -> str:
    """How a place without a process is counted where somebody keeps it from starting; else ""."""
    if pool.holds:
        return "held"
    return {PAUSED: "paused", DRAINED: "drained"}.get(pool.intent, "")


def slot_state(pool: Pool, slot: Slot) -> str:
    """How a slot is counted: what somebody holds sleeps no sleep it would be woken from."""
    state = slot.state
    if state in LIVE:
        if pool.down:
            return "draining"
        if state == states.STOPPING:
            return "restarting" if slot.cause == states.RELOADED else "stopping"
        return states.IDLE if state in (states.NAPPING, states.LEAVING) else state
    return kept(pool) or state if state != EMPTY else state


def _add_errors(
    core: Core, chosen: Mapping[str, Pool], asked: Asked, groups: Mapping[str, Group], now: float
) -> None:
    for name in core.book.errors:
        pool = chosen.get(name)
        if pool is not None:
            groups[asked.name(pool)].errors += core.book.errors_lately(name, now)


def _add_tasks(
    core: Core,
    chosen: Mapping[str, Pool],
    asked: Asked,
    groups: Mapping[str, Group],
    sources: Mapping[str, int],
) -> None:
    for pool in core.claimable:
        counted = pool.claimable
        if counted is None or chosen.get(pool.name) is not pool:
            continue
        if sources.get(pool.kind.queue) == SURE and counted[1]:
            group = groups[asked.name(pool)]
            group.claimable += counted[1]
            group.since = min(group.since, counted[2])


def _add_memory(
    core: Core,
    chosen: Mapping[str, Pool],
    asked: Asked,
    groups: Mapping[str, Group],
    measure: Callable[[int], int],
) -> None:
    """Of every process; where they are many, of some from all over."""
    lives = [
        (pool, slot.life.pid)
        for pool in core.awake
        if chosen.get(pool.name) is pool
        for slot in pool.slots
        if slot.life is not None and slot.life.pid
    ]
    for pool, pid in lives[:: 1 + len(lives) // (MEASURED_MOST + 1)]:
        kilobytes = measure(pid)
        if kilobytes:
            group = groups[asked.name(pool)]
            group.measured += 1
            group.kilobytes += kilobytes


def _worst(group: Group) -> int:
    """The rank of the worst word in a group."""
    return min(_RANK.get(word, 0) for word in group.words)
