"""A pool as one record, for the beginning of a new log, and back."""

from __future__ import annotations

from fleetctl.pools.overseer import states
from fleetctl.pools.overseer.pools import NEVER, Held, Life, Pool, Slot, Trouble

TYPE_CHECKING = False
if TYPE_CHECKING:
    from fleetctl.pools.overseer.book import Record


def kept(pool: Pool, errors: list[float], now: float) -> Record | None:
    """All that must outlast the overseer; None for a pool that is as the specs alone make it."""
    slots = [_kept(slot) for slot in pool.slots if slot.state != states.EMPTY and slot.cause]
    slots += [_kept(slot) for slot in pool.slots if slot.state in states.LIVE and not slot.cause]
    plain = pool.intent == "run" and pool.target is None and not pool.latest and not pool.hint
    if plain and not slots and not pool.seen and not errors and pool.held is None:
        return None
    return {
        **({"held": _held(pool.held)} if pool.held is not None else {}),
        **{"t": now, "e": "kept", "p": pool.name, "slots": slots, "errors": errors},
        **{"seen": pool.seen, "latest": pool.latest, "hint": pool.hint, "at": pool.wanted_at},
        **{"intent": pool.intent, "note": _finite(pool.note), "target": pool.target},
    }


def _finite(note: tuple[float, str, str] | None) -> object:
    """JSON has no word for never."""
    return note and [None if note[0] == NEVER else note[0], *note[1:]]


def _held(held: Held) -> Record:
    """Who holds a pool, and what it is owed."""
    return {
        "holds": {token: list(words) for token, words in held.holds.items()},
        "asked": [[token, list(places)] for token, places in held.asked],
        **{"awake": sorted(held.awake), "stale": sorted(held.stale)},
    }


def _kept(slot: Slot) -> Record:
    """One slot."""
    told: Record = {"n": slot.number, "to": slot.state, "c": slot.cause, "t": slot.since}
    if slot.until != NEVER:
        told["u"] = slot.until
    if slot.life is not None:
        life = slot.life
        told["life"] = [life.generation, life.pid, life.born, life.announced, life.cursor]
        # Apart: an overseer of before knows five words, and is started again if this one fails.
        told["duty"] = [life.called, life.ending, life.forced, life.struck]
    if slot.trouble is not None:
        told["trouble"] = [slot.trouble.attempt, slot.trouble.probes, slot.trouble.times]
    return told


def restore(pool: Pool, record: Record) -> None:
    """Make a pool what `kept` said."""
    pool.seen, pool.latest, pool.hint = record["seen"], record["latest"], record["hint"]
    pool.wanted_at = record["at"]
    restore_wishes(pool, record)
    for told in record["slots"]:
        _restore(pool.slot(told["n"]), told)


def restore_wishes(pool: Pool, record: Record) -> None:
    """What operators want of it, and who holds it: that outlasts the host's own restart, too."""
    pool.intent = record["intent"]
    pool.target = tuple(record["target"]) if record["target"] else None
    note = record["note"]
    pool.note = note and (NEVER if note[0] is None else note[0], note[1], note[2])
    if "held" in record:
        _restore_held(pool.hold(), record["held"])


def _restore_held(held: Held, told: Record) -> None:
    """Who holds a pool, and what it is owed."""
    held.holds = {token: (by, why) for token, (by, why) in told["holds"].items()}
    held.asked = tuple((token, tuple(places)) for token, places in told["asked"])
    held.awake, held.stale = frozenset(told["awake"]), frozenset(told["stale"])


def _restore(slot: Slot, told: Record) -> None:
    """One slot."""
    slot.state, slot.cause, slot.since = told["to"], told["c"], told["t"]
    slot.until = told.get("u", NEVER)
    slot.life = slot.trouble = None
    if "life" in told:
        generation, pid, born, announced, cursor = told["life"][:5]
        slot.life = Life(generation, slot.since)
        slot.life.pid, slot.life.born = pid, born
        slot.life.announced, slot.life.cursor = announced, cursor
        duty = told.get("duty", (0.0, "", False, False))
        slot.life.called, slot.life.ending, slot.life.forced, slot.life.struck = duty
    if "trouble" in told:
        slot.trouble = Trouble()
        slot.trouble.attempt, slot.trouble.probes, times = told["trouble"]
        slot.trouble.times = list(times)
