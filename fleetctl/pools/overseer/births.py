"""How processes come into slots: forked from a zygote where there is one, else by exec."""

from __future__ import annotations

import errno

from fleetctl.pools.overseer import processes, states
from fleetctl.pools.overseer.exits import Ended

TYPE_CHECKING = False
if TYPE_CHECKING:
    from fleetctl.pools.overseer.children import Launch
    from fleetctl.pools.overseer.loop import Overseer
    from fleetctl.pools.overseer.pools import Slot
    from fleetctl.pools.overseer.zygotes import Asked

_PASSING = (
    *(errno.EAGAIN, errno.ENOMEM, errno.EMFILE, errno.ENFILE, errno.ENOSPC, errno.EADDRINUSE),
)
"""Errors of the host, not of the kind: the next try may well succeed."""


def begin(overseer: Overseer, slot: Slot, now: float) -> None:
    """Start the process of a slot; a zygote answers later."""
    if slot.life is None:
        return  # it was ended in the same turn
    try:
        launch = _launch(overseer, slot)
        if not overseer.zygotes.ask(slot, launch, now):
            _born(overseer, slot, overseer.children.spawn(slot, launch), now)
    except OSError as error:
        _unborn(overseer, slot, error, now)


def forked(overseer: Overseer, asked: Asked, now: float) -> None:
    """A zygote made the process of a slot, or did not; then it is started by exec."""
    slot = asked.slot
    if slot.life is not asked.life or slot.state != states.STARTING:
        asked.refuse()  # it was ended before it began
        if slot.life is asked.life:
            overseer.core.exited(slot, Ended(), now)
        return
    try:
        pid = asked.pid()
        if pid:
            overseer.children.take(slot, pid)
            overseer.zygotes.confirm(asked)
        else:
            asked.refuse()
            pid = overseer.children.spawn(slot, _launch(overseer, slot))
        _born(overseer, slot, pid, now)
    except OSError as error:
        asked.refuse()
        _unborn(overseer, slot, error, now)


def _launch(overseer: Overseer, slot: Slot) -> Launch:
    """What is started, with its socket. Raises OSError when that cannot be had."""
    if not slot.pool.kind.socket:
        return overseer.children.launch(slot)
    return overseer.children.launch(slot, overseer.listeners.held(slot.pool))


def _born(overseer: Overseer, slot: Slot, pid: int, now: float) -> None:
    """The process of a slot is there."""
    overseer.core.spawned(slot, pid, processes.born(pid), now)


def _unborn(overseer: Overseer, slot: Slot, error: OSError, now: float) -> None:
    """It is not, and why."""
    why = f"{error.filename or slot.pool.kind.command[0]}: {error.strerror}"
    overseer.core.cannot_spawn(slot, why, now, passing=error.errno in _PASSING)
