"""How the work on a host can end. One enum for steps and for hosts, everywhere."""

from __future__ import annotations

from collections.abc import Iterable
from enum import StrEnum

from fleetctl.base.errors import ExitCode


class Outcome(StrEnum):
    """The terminal word for a step on a host, and for a host in a run.

    `skipped`: nothing was to be done (its check said so) or the run ended before it was started.
    `unknown`: an order was sent and no answer came; never counted as zero or as fine.
    """

    OK = "ok"
    CHANGED = "changed"
    SKIPPED = "skipped"
    FAILED = "failed"
    UNREACHABLE = "unreachable"
    TIMED_OUT = "timed out"
    UNKNOWN = "unknown"

    @property
    def lost(self) -> bool:
        """Whether this outcome spends failure budget."""
        return self in LOST


LOST = frozenset({Outcome.FAILED, Outcome.UNREACHABLE, Outcome.TIMED_OUT, Outcome.UNKNOWN})


_SEVERITY = (
    Outcome.SKIPPED,
    Outcome.OK,
    Outcome.CHANGED,
    Outcome.UNREACHABLE,
    Outcome.TIMED_OUT,
    Outcome.FAILED,
    Outcome.UNKNOWN,
)


def worse(one: Outcome | None, other: Outcome | None) -> Outcome | None:
    """The one of two ends of a host that needs a person sooner; None (no end yet) outranks all."""
    if one is None or other is None:
        return None
    return max(one, other, key=_SEVERITY.index)


def exit_code_of(outcomes: Iterable[Outcome]) -> ExitCode:
    """The exit code for a run that went to its end with these host outcomes.

    Unknown outranks failed, failed outranks unreachable: the answer that needs a person first wins.
    """
    seen = set(outcomes)
    if Outcome.UNKNOWN in seen:
        return ExitCode.UNKNOWN
    if seen & {Outcome.FAILED, Outcome.TIMED_OUT}:
        return ExitCode.HOST_FAILED
    if Outcome.UNREACHABLE in seen:
        return ExitCode.UNREACHABLE
    return ExitCode.OK
