"""What people and programs are told of pools: a word and its cause, never an error's text."""

from __future__ import annotations

from fleetctl.pools.overseer import states, ticks
from fleetctl.pools.overseer.pools import NEVER, Pool
from fleetctl.pools.overseer.scaling import growth

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from fleetctl.pools.overseer.core import Core
    from fleetctl.pools.overseer.pools import Slot

# The worst first: a pool's word is that of its worst slot, but it sleeps only if all of it does.
WORDS = (
    (states.FAILED, "FAILED"),
    (states.BACKOFF, "BACKOFF"),
    (states.STOPPING, "STOPPING"),
    (states.STARTING, "STARTING"),
    (states.BUSY, "RUNNING"),
    (states.IDLE, "RUNNING"),
    (states.NAPPING, "RUNNING"),
    (states.LEAVING, "RUNNING"),
    (states.HIBERNATING, "HIBERNATING"),
    (states.EMPTY, "EMPTY"),
)
HELD = "HELD"
"""Under a token: for a run that will let go, or should have."""
INTENTS = {"paused": "PAUSED", "drained": "DRAINING", "gone": "STOPPING"}


_RANK = {state: rank for rank, (state, _) in enumerate(WORDS)}
_WORD = dict(WORDS)


def word(pool: Pool) -> str:
    """A pool in one word."""
    if pool.holds:
        return HELD
    if pool.intent in INTENTS:
        drained = pool.intent == "drained" and not pool.live()
        return "DRAINED" if drained else INTENTS[pool.intent]
    slot = worst(pool)
    if slot.state == states.STOPPING and slot.cause == states.RELOADED:
        return "RESTARTING"
    return _WORD[slot.state]


def worst(pool: Pool) -> Slot:
    """The slot a pool's word comes from."""
    slots = pool.slots
    if len(slots) == 1:
        return slots[0]
    return min(slots or [pool.slot(0)], key=lambda slot: _RANK[slot.state])


def brief(core: Core, pool: Pool, now: float) -> dict[str, Any]:
    """A pool as one row; times are seconds from now."""
    slot = worst(pool)
    due = slot.until if slot.life is None else NEVER
    return {
        "pool": pool.name,
        "state": word(pool),
        "cause": slot.cause,
        "busy": sum(slot.state == states.BUSY for slot in pool.slots),
        "live": len(pool.live()),
        "max": pool.most,
        "for_s": round(now - slot.since, 1),
        "next_s": None if due == NEVER else round(due - now, 1),
        "queued": bool(core.starts) and any(slot in core.starts for slot in pool.slots),
        "errors_15m": core.book.errors_lately(pool.name, now),
        "why": _why(pool),
    }


def _why(pool: Pool) -> str | None:
    """Who keeps it from running, and why."""
    if pool.note is None and pool.held is None:
        return None
    said = [" ".join(part for part in words if part) for words in pool.holds.values()]
    if pool.note is not None:
        said.insert(0, " ".join(part for part in pool.note[1:] if part))
    return "; ".join(said) or None


def detail(core: Core, pool: Pool, now: float) -> dict[str, Any]:
    """A pool with its slots."""
    return {**brief(core, pool, now), "slots": [_slot(slot, now) for slot in pool.slots]}


def _slot(slot: Slot, now: float) -> dict[str, Any]:
    """One place."""
    told: dict[str, Any] = {"slot": slot.number, "state": slot.state, "cause": slot.cause}
    if slot.since:  # a place that never had a process has been empty for ever
        told["for_s"] = round(now - slot.since, 1)
    if slot.life is None and slot.until != NEVER:
        told["next_s"] = round(slot.until - now, 1)
    if slot.trouble is not None:
        told["failures"] = slot.trouble.attempt
    if slot.life is not None:
        life = slot.life
        told.update(pid=life.pid, generation=life.generation, status=life.status, task=life.task)
        if life.ending:
            told["then"] = life.ending
    return told


def explain(core: Core, pool: Pool, now: float) -> dict[str, Any]:
    """Why a pool has the processes it has: every input of the law, and what binds."""
    load = ticks.load(core, pool, now)
    more, binding = growth(load, pool.kind.up_after)
    if not core.may_start(pool):
        kept = "held" if pool.holds and pool.intent == "run" else pool.intent
        more, binding = 0, kept if not core.closing else "closing"
    elif core.floor_reached:
        more, binding = 0, "memory_floor"
    return {
        "pool": pool.name,
        "law": "all busy >= up_after and claimable > starting: +min(max(1, n), claimable, max-n-k)",
        "inputs": {
            **{"n": load.live, "k": load.sick, "starting": load.starting, "max": load.most},
            **{"min": pool.least, "all_busy_s": round(load.all_busy_s, 1)},
            **{"up_after_s": pool.kind.up_after, "queue": pool.kind.queue or "not observed"},
            **{"claimable": load.claimable, "memory_for_one_more": load.memory},
            **{"attention_pending": pool.pending, "intent": pool.intent},
            **{"floor_reached": core.floor_reached, "in_line": len(core.starts)},
        },
        "grows_by": more,
        "binding": binding,
        **detail(core, pool, now),
    }


def counts(core: Core) -> dict[str, int]:
    """How many pools are in which state, by their words."""
    found: dict[str, int] = {}
    for pool in core.book.pools.values():
        shown = word(pool)
        found[shown] = found.get(shown, 0) + 1
    return found
