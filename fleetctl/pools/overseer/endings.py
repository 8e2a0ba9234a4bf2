"""How processes are ended: what is sent to them, and that they may finish their task first.

One that works is not signalled; it is remembered what it is to end for, and done when it rests.
One that took a task when it had been signalled already is left alone until then as well.
"""

from __future__ import annotations

from fleetctl.pools.overseer import holds, states
from fleetctl.pools.overseer.book import looked

TYPE_CHECKING = False
if TYPE_CHECKING:
    from fleetctl.pools.overseer.core import Core
    from fleetctl.pools.overseer.pools import Life, Slot

ABRT, INT, KILL, TERM = 6, 2, 9, 15
"""Signal numbers, the same on every Linux."""

SPARED_MOST = 2
"""A daemon that goes on taking tasks after so many INT gets TERM when it rests again."""
_KILL_AGAIN_S = 3.0
# What is sent to end a process: signal, whether to its whole group, seconds until the next step.
# A wait of -1 is the kind's own grace. The last step is taken again and again.
GENTLY = ((INT, False, -1.0), (TERM, True, 3.0), (KILL, True, _KILL_AGAIN_S))
STEPS: dict[str, tuple[tuple[int, bool, float], ...]] = {
    states.STOPPED: GENTLY,
    states.RELOADED: GENTLY,
    states.HIBERNATE: GENTLY,
    states.SCALE_DOWN: GENTLY,
    states.STALL: GENTLY,
    states.HANG: ((ABRT, False, 3.0), (KILL, True, _KILL_AGAIN_S)),
    states.START_TIMEOUT: ((TERM, True, 3.0), (KILL, True, _KILL_AGAIN_S)),
}
_ENDS = {states.RELOADED: states.RELOAD, states.STALL: states.HANGS}
"""By cause, what begins the end of one that rests, if not a stop."""


def finish(core: Core, slot: Slot, cause: str, now: float) -> None:
    """See that a process ends when it rests (an empty cause: that it need not), and no sooner."""
    life = slot.life
    if life is not None and life.ending != cause:
        place = {"p": slot.pool.name, "n": slot.number}
        core.note({"t": now, "e": "finish", **place, "c": cause})
        core.arm(slot)


def at_rest(core: Core, slot: Slot, now: float) -> None:
    """If it has no task: the moment to end it, or to replace it, if somebody wants that."""
    pool, life = slot.pool, slot.life
    if slot.state != states.IDLE or life is None:
        return
    if slot.number >= pool.most:
        core.stop(slot, states.STOP, states.STOPPED, now)
    elif life.ending:
        _at_its_end(core, slot, life, now)
    elif pool.down:
        holds.end(core, slot, now)
    elif pool.held is not None and pool.held.stale:
        holds.turn_over(core, pool, now)
        core.pump(now)  # before it takes the next


def _at_its_end(core: Core, slot: Slot, life: Life, now: float) -> None:
    """It was to finish first, and has; unless there is more work, and it does not know yet."""
    pool = slot.pool
    if not looked(slot, now):
        return
    more_work = pool.pending or (pool.claimable is not None and pool.claimable[1])
    if more_work and life.ending == states.HIBERNATE and not life.struck:
        finish(core, slot, "", now)
        at_rest(core, slot, now)
        return
    core.stop(slot, _ENDS.get(life.ending, states.STOP), life.ending, now)


def heard(core: Core, slot: Slot, now: float, *, took: bool) -> None:
    """A process says something after it was asked to end. Who took a task may finish it.

    Not when the overseer itself is to go, nor when it was to end whatever it does; and not for
    ever, or a daemon that does not obey could never be ended.
    """
    life, pool = slot.life, slot.pool
    assert life is not None
    gently = STEPS[slot.cause] is GENTLY and life.step <= 1 and not life.forced
    if not took or not gently or life.spared >= SPARED_MOST or core.closing:
        return
    life.spared += 1
    life.beat, life.ready_at = now, min(life.ready_at, now)
    core.move(slot, states.TAKES, now)
    pool.one_less()
