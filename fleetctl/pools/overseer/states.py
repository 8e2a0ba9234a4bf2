"""Where a slot can be, what moves it, and why: the one table of the overseer.

Guards are not here: policy picks the trigger, the table says whether it is legal and what follows.
"""

from __future__ import annotations

# A slot is a place for at most one process; it has many over its life.
EMPTY = "empty"
STARTING = "starting"
IDLE = "idle"
BUSY = "busy"
NAPPING = "napping"
"""The daemon said it will sleep, and has not exited yet."""
LEAVING = "leaving"
"""The daemon said there is one too many of it, and has not exited yet."""
HIBERNATING = "hibernating"
BACKOFF = "backoff"
FAILED = "failed"
STOPPING = "stopping"
UNKNOWN = "unknown"
"""A reader's verdict on a report that is too old; no slot is ever in it."""

STATES = frozenset(
    (EMPTY, STARTING, IDLE, BUSY, NAPPING, LEAVING, HIBERNATING, BACKOFF, FAILED, STOPPING)
)
LIVE = frozenset((STARTING, IDLE, BUSY, NAPPING, LEAVING, STOPPING))
"""A process is in the slot, or is just being put there."""
WORKING = frozenset((STARTING, IDLE, BUSY))
"""The process takes tasks, or soon will."""
TROUBLED = frozenset((BACKOFF, FAILED))
"""No process, because of errors; the place stays taken."""

# What moves a slot.
NEED = "need"
READY = "ready"
OVERDUE = "overdue"
UNSTARTABLE = "unstartable"
TAKES = "takes"
RESTS = "rests"
NAP = "nap"
LEAVE = "leave"
SLEPT = "slept"
WOKEN = "woken"
LEFT = "left"
DIED = "died"
WAKE = "wake"
RETUNED = "retuned"
HANGS = "hangs"
RELOAD = "reload"
DUE = "due"
SPENT = "spent"
PROBE = "probe"
RETRY = "retry"
STOP = "stop"
AGAIN = "again"

# Why a slot is where it is. Kept apart: sleep is no error, and a reload is neither.
HIBERNATE = "hibernate"
RELOADED = "reload"
SCALE_DOWN = "scale_down"
STOPPED = "stop"
EXIT = "exit"
SIGNAL = "signal"
OOM = "oom"
HANG = "hang"
STALL = "stall"
START_TIMEOUT = "start_timeout"
EXEC_ERROR = "exec_error"
CONFIG = "config"
CLEAN_UNANNOUNCED = "clean_unannounced"
RESUMED = "resume"
"""It had a process before it was held or drained, and nothing holds it any more."""
LOST = "lost"
"""An adopted process ended: whose child it is not, that one's exit status it never learns."""

CAUSES = frozenset(
    (
        *(HIBERNATE, RELOADED, SCALE_DOWN, STOPPED, EXIT, SIGNAL, OOM, HANG, STALL),
        *(START_TIMEOUT, EXEC_ERROR, CONFIG, CLEAN_UNANNOUNCED, LOST),
        RESUMED,
    )
)
ERRORS = frozenset((EXIT, SIGNAL, OOM, HANG, STALL, START_TIMEOUT, EXEC_ERROR, CONFIG, LOST))
"""Causes that count as errors; an exit with 0 that nobody announced is a warning, until a pool is
FAILED for it."""

TABLE = {
    (EMPTY, NEED): STARTING,
    (STARTING, READY): IDLE,
    (STARTING, OVERDUE): STOPPING,
    (STARTING, UNSTARTABLE): FAILED,
    (STARTING, DIED): BACKOFF,
    (STARTING, LEFT): EMPTY,
    (STARTING, SLEPT): HIBERNATING,
    (STARTING, RELOAD): STOPPING,
    (STARTING, STOP): STOPPING,
    (IDLE, TAKES): BUSY,
    (IDLE, RESTS): IDLE,
    (IDLE, NAP): NAPPING,
    (IDLE, LEAVE): LEAVING,
    (IDLE, UNSTARTABLE): FAILED,
    (IDLE, DIED): BACKOFF,
    (IDLE, LEFT): EMPTY,
    (IDLE, SLEPT): HIBERNATING,
    (IDLE, HANGS): STOPPING,
    (IDLE, RELOAD): STOPPING,
    (IDLE, STOP): STOPPING,
    (BUSY, RESTS): IDLE,
    (BUSY, UNSTARTABLE): FAILED,
    (BUSY, DIED): BACKOFF,
    (BUSY, LEFT): EMPTY,
    (BUSY, SLEPT): HIBERNATING,
    (BUSY, AGAIN): STARTING,
    (BUSY, HANGS): STOPPING,
    (BUSY, STOP): STOPPING,
    (NAPPING, TAKES): BUSY,
    (NAPPING, RESTS): IDLE,
    (NAPPING, SLEPT): HIBERNATING,
    (NAPPING, WOKEN): STARTING,
    (NAPPING, DIED): BACKOFF,
    (NAPPING, HANGS): STOPPING,
    (NAPPING, STOP): STOPPING,
    (LEAVING, TAKES): BUSY,
    (LEAVING, RESTS): IDLE,
    (LEAVING, LEFT): EMPTY,
    (LEAVING, DIED): BACKOFF,
    (LEAVING, HANGS): STOPPING,
    (LEAVING, STOP): STOPPING,
    (HIBERNATING, WAKE): STARTING,
    (HIBERNATING, RETUNED): HIBERNATING,
    (HIBERNATING, STOP): EMPTY,
    (BACKOFF, DUE): STARTING,
    (BACKOFF, SPENT): FAILED,
    (BACKOFF, RETRY): STARTING,
    (BACKOFF, STOP): EMPTY,
    (FAILED, PROBE): STARTING,
    (FAILED, RETRY): STARTING,
    (FAILED, STOP): EMPTY,
    (STOPPING, STOP): STOPPING,
    (STOPPING, TAKES): BUSY,
    (STOPPING, LEFT): EMPTY,
    (STOPPING, AGAIN): STARTING,
    (STOPPING, SLEPT): HIBERNATING,
    (STOPPING, DIED): BACKOFF,
}
"""`(state, trigger) -> state`; what is not here cannot happen."""

STARTERS = {EMPTY: NEED, HIBERNATING: WAKE, BACKOFF: DUE, FAILED: PROBE}
"""What starts a process in a slot without one, when nobody asked for it by name."""


class IllegalMove(Exception):
    """A trigger reached a slot that does not know it: a bug live, a damaged log in replay."""


def after(state: str, trigger: str) -> str:
    """The state that follows; raises IllegalMove when the table has no such arrow."""
    following = TABLE.get((state, trigger))
    if following is None:
        raise IllegalMove(f"a slot that is {state} knows no {trigger}")
    return following
