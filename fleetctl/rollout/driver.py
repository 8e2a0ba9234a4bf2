"""The driver: one thread that turns events into durable records, and records into orders.

`push` opens a run, `resume` takes one up again; both return when the run has ended.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import msgspec

from fleetctl.base.errors import ExitCode
from fleetctl.journal.store import Journal
from fleetctl.plan.model import Plan
from fleetctl.rollout.controls import Controls as Controls
from fleetctl.rollout.observers import Observer as Observer
from fleetctl.rollout.observers import Recorded as Recorded
from fleetctl.transport.protocol import Sink, Transport


class Opening(msgspec.Struct, frozen=True):
    """Who asks for a run, and how."""

    by: str
    """user@machine pid"""
    words: tuple[str, ...]
    """The command line, secrets already taken out."""
    run: str = ""
    """The new run's id; empty: made up from date and chance."""
    seed: int | None = None
    """All chance of the run comes from it; None: drawn from the machine."""
    check_only: bool = False


class RunResult(msgspec.Struct, frozen=True):
    """How it ended; everything else is in the journal."""

    run: str
    exit_code: ExitCode
    cause: str
    """Why it stopped early; empty when it went to its end."""


def push(
    plan: Plan,
    opening: Opening,
    journal: Journal,
    open_transport: Callable[[Sink], Transport],
    *,
    controls: Controls | None = None,
    observers: Sequence[Observer] = (),
) -> RunResult:
    """Run the plan to its end.

    Raises LockHeld, JournalUnusable before anything was touched; JournalFull when the journal
    could not be written any more: nothing started after that, `resume` goes on.
    """
    raise NotImplementedError


def resume(
    run: str,
    opening: Opening,
    journal: Journal,
    open_transport: Callable[[Sink], Transport],
    *,
    only_failed: bool = False,
    controls: Controls | None = None,
    observers: Sequence[Observer] = (),
) -> RunResult:
    """Take up a run whose controller died, or which stopped early; as `push`.

    `only_failed`: try the lost hosts again, nothing else. Of `opening` only `by` is used.
    """
    raise NotImplementedError
