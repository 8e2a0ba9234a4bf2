"""What an ended process means, from what it announced, how it ended, and who signalled it."""

from __future__ import annotations

from fleetctl.pools.overseer import kinds, states

TYPE_CHECKING = False
if TYPE_CHECKING:
    from fleetctl.pools.overseer.pools import Slot

INT = 2
EX_CONFIG = 78
"""The exit code of a daemon that cannot run as it is configured (sysexits.h)."""


class Ended:
    """How a process ended; neither code nor signal when that is not known."""

    __slots__ = ("code", "oom", "signal")

    def __init__(
        self, code: int | None = None, signal: int | None = None, *, oom: bool = False
    ) -> None:
        self.code = code
        self.signal = signal
        self.oom = oom

    @property
    def known(self) -> bool:
        """Its exit status was ours to learn."""
        return self.code is not None or self.signal is not None

    @property
    def obeys(self) -> bool:
        """It is how one ends that was sent INT, or had finished; or it is not known."""
        return self.code in (0, 128 + INT) or self.signal == INT or not self.known


_AFTER_STOP = {
    states.RELOADED: states.AGAIN,
    states.HIBERNATE: states.SLEPT,
    states.STOPPED: states.LEFT,
    states.SCALE_DOWN: states.LEFT,
    states.HANG: states.DIED,
    states.STALL: states.DIED,
    states.START_TIMEOUT: states.DIED,
}


def judge(slot: Slot, ended: Ended) -> tuple[str, str]:
    """The trigger and the cause of an end, for the state the slot is in."""
    state = slot.state
    ending = slot.life.ending if slot.life is not None and state == states.BUSY else ""
    asked = slot.life is not None and slot.life.struck  # or it knows nothing of its end
    well = ended.code == 0 or (bool(ending) and asked and ended.obeys)
    if slot.number >= slot.pool.most and state != states.STOPPING:
        return (states.LEFT, states.SCALE_DOWN) if well else _bad(state, ended)
    if state == states.STOPPING:
        return _AFTER_STOP[slot.cause], slot.cause
    if ending and well:
        return _AFTER_STOP[ending], ending
    if ended.known and ended.code != 0:
        return _bad(state, ended)
    if state == states.NAPPING:
        return (states.WOKEN if slot.pool.pending else states.SLEPT), states.HIBERNATE
    if state == states.LEAVING:
        return states.LEFT, states.SCALE_DOWN
    if not ended.known:
        return states.DIED, states.LOST
    return _clean(slot)


def _bad(state: str, ended: Ended) -> tuple[str, str]:
    """It did not end well, whatever it had announced."""
    if ended.code == EX_CONFIG and state in states.WORKING:
        return states.UNSTARTABLE, states.CONFIG
    if ended.oom:
        return states.DIED, states.OOM
    return states.DIED, states.EXIT if ended.signal is None else states.SIGNAL


def _clean(slot: Slot) -> tuple[str, str]:
    """It exited with 0 and had announced nothing."""
    wanted = slot.pool.kind.on_clean_exit
    if wanted == kinds.ONESHOT:
        return states.LEFT, states.EXIT
    if wanted == kinds.SLEEP and slot.pool.least <= slot.number:
        others = any(other.state in states.WORKING for other in slot.pool.slots if other != slot)
        return (states.LEFT if others else states.SLEPT), states.HIBERNATE
    return states.DIED, states.CLEAN_UNANNOUNCED
