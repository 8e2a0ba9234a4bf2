"""What daemons say of themselves, and what others say of a pool's work."""

from __future__ import annotations

from errno import errorcode

from fleetctl.pools.overseer import endings, states
from fleetctl.pools.overseer.core import deadline
from fleetctl.pools.overseer.states import BUSY, IDLE, LEAVING, NAPPING, STARTING, STOPPING

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping

    from fleetctl.pools.overseer.core import Core
    from fleetctl.pools.overseer.pools import Life, Pool, Slot

TEXT_MOST = 200
RELOADING = "reloading"
_BEAT = {"WATCHDOG": "1"}
SLEEP_LEAST_S = 1.0


def told(core: Core, slot: Slot, message: Mapping[str, str], now: float) -> None:
    """One message of a slot's process, in the words of sd_notify and ours."""
    life = slot.life
    if life is None:
        return
    if message == _BEAT:  # nearly all that is ever said
        life.beat, life.excused = now, 0
        return
    _remember(core, slot, life, message, now)
    state = message.get("X_FLEETCTL_STATE")
    if slot.state == STOPPING:
        if slot.cause == states.HIBERNATE:
            life.announced = _sleep_s(message, life.announced)
        endings.heard(core, slot, now, took=state == "busy")
        return
    if slot.state == STARTING and (message.get("READY") == "1" or state or _parting(message)):
        core.ready(slot, now)
    if message.get("WATCHDOG") == "trigger" and slot.state in (IDLE, BUSY):
        core.stop(slot, states.HANGS, states.HANG, now)
    elif state == "busy" and slot.state in (IDLE, NAPPING, LEAVING):
        core.move(slot, states.TAKES, now)
        slot.pool.one_less()
    elif state == "idle" and _rests(slot, life, message):
        core.move(slot, states.RESTS, now)
    if _parting(message) and slot.state in (IDLE, BUSY):
        _part(core, slot, message, now)
    endings.at_rest(core, slot, now)


def _rests(slot: Slot, life: Life, message: Mapping[str, str]) -> bool:
    """That it has no task is news: it had one, or it has looked for one for the first time."""
    if slot.state == IDLE:
        return bool(life.called) and "READY" not in message
    return slot.state in (BUSY, NAPPING, LEAVING)


REFUSED = {
    "FDSTORE": "descriptors are not kept; a socket is kept by `socket` in the kind",
    "MAINPID": "the process of a slot is the one that was started; stay in the foreground",
    "RESTART_RESET": "failures are forgotten after a minute of being well, and not sooner",
}
"""Words of sd_notify that are not obeyed, and why; it is said once in a process's life."""


def _answer(core: Core, slot: Slot, life: Life, message: Mapping[str, str], now: float) -> None:
    """Words that the log tells more of, once. The pid of the process itself is no news."""
    for word in REFUSED.keys() & message.keys():
        if word not in life.answered and (word, message[word]) != ("MAINPID", str(life.pid)):
            life.answered += (word,)
            core.say(slot.pool, now, f"{word} refused: {REFUSED[word]}")
    errno = _number(message, "ERRNO")
    if errno and "ERRNO" not in life.answered:
        life.answered += ("ERRNO",)
        core.say(slot.pool, now, f"errno {errno} ({errorcode.get(errno, 'unknown')})")


def _reload(slot: Slot, life: Life, message: Mapping[str, str], now: float) -> None:
    """It reads its settings anew: it may be silent until it is ready again, as at its start."""
    if message.get("RELOADING") == "1":
        kind, life.status = slot.pool.kind, message.get("STATUS", RELOADING)[:TEXT_MOST]
        life.beat = max(life.beat, now + kind.start_timeout - kind.watchdog)
    elif message.get("READY") == "1" and slot.state != STARTING:
        life.beat = now
        life.status = "" if life.status == RELOADING else life.status


def _parting(message: Mapping[str, str]) -> bool:
    """It says it will exit, on purpose."""
    return "X_FLEETCTL_HIBERNATE_USEC" in message or "X_FLEETCTL_SCALE_DOWN" in message


def _remember(core: Core, slot: Slot, life: Life, message: Mapping[str, str], now: float) -> None:
    """What moves nothing."""
    if message.get("WATCHDOG") == "1":
        life.beat, life.excused = now, 0
    if "STATUS" in message:
        life.status = message["STATUS"][:TEXT_MOST]
    if "X_FLEETCTL_TASK" in message:
        life.task = message["X_FLEETCTL_TASK"][:TEXT_MOST]
    more = _number(message, "X_FLEETCTL_ERRORS")
    if more is not None:
        core.book.blame(slot.pool.name, now, max(0, more - life.errors))
        life.errors = max(life.errors, more)
    _reload(slot, life, message, now)
    _answer(core, slot, life, message, now)
    extend = _number(message, "EXTEND_TIMEOUT_USEC")
    if extend is not None and slot.state in (STARTING, STOPPING, NAPPING, LEAVING):
        life.deadline = max(life.deadline, now + extend / 1e6)
    elif extend is not None:
        life.beat = max(life.beat, now + extend / 1e6 - slot.pool.kind.watchdog)
    if deadline(slot) < slot.timer:
        core.arm(slot)


def _part(core: Core, slot: Slot, message: Mapping[str, str], now: float) -> None:
    """It may sleep when it is the last, leave when it is not, and neither when it is needed."""
    pool, life = slot.pool, slot.life
    assert life is not None
    others = sum(other.state in states.WORKING for other in pool.slots if other is not slot)
    if others < pool.least and pool.down:
        if slot.state == BUSY:
            core.move(slot, states.RESTS, now)
        return
    if others < pool.least:
        core.say(pool, now, "asked to leave, but is needed")
        return
    if slot.state == BUSY:
        core.move(slot, states.RESTS, now)
    if others:
        core.move(slot, states.LEAVE, now, states.SCALE_DOWN)
    else:
        more: dict[str, float | int] = {}
        seen = _number(message, "X_FLEETCTL_SEEN")
        if seen is not None:
            more["seen"] = seen
        more["for"] = _sleep_s(message, 0.0)
        core.move(slot, states.NAP, now, states.HIBERNATE, **more)
    life.deadline = now + pool.kind.stop_grace
    core.arm(slot)


def _sleep_s(message: Mapping[str, str], known: float) -> float:
    """How long it says it will sleep, in seconds; 0 is until it is woken."""
    sleep_us = _number(message, "X_FLEETCTL_HIBERNATE_USEC")
    if sleep_us is None:
        return known
    return max(sleep_us / 1e6, SLEEP_LEAST_S) if sleep_us else 0.0


def _number(message: Mapping[str, str], key: str) -> int | None:
    """A whole number of a message; anything else is as if it were not there."""
    text = message.get(key, "")
    return int(text) if text.isascii() and text.isdigit() and len(text) < 20 else None


def attention(
    core: Core, pool: Pool, now: float, *, seq: int = 0, asked_at: float | None = None
) -> None:
    """Somebody says a pool has work: `seq` numbers it, where the source can; 0 is a mere hint.

    `asked_at` is when the work came to be, in the overseer's own time, if the source knows.
    """
    if seq and seq <= max(pool.seen, pool.latest):
        return
    if seq or not pool.hint:
        record = {"t": now if asked_at is None else asked_at, "e": "attention", "p": pool.name}
        core.note({**record, "seq": seq} if seq else record)
    if core.may_start(pool) and not any(slot.state in states.LIVE for slot in pool.slots):
        core.rouse(pool, now)


def counted(core: Core, pool: Pool, now: float, claimable: int) -> None:
    """Somebody counted the tasks of a pool that could be taken now."""
    before = pool.claimable
    since = before[2] if before and before[1] and claimable else now
    pool.claimable = (now, claimable, since)
    if claimable:
        core.claimable[pool] = None
    else:
        core.claimable.pop(pool, None)
    if claimable and not any(slot.state in states.LIVE for slot in pool.slots):
        attention(core, pool, now)
