"""Starting a push later, and letting nothing new start after its window."""

from __future__ import annotations

import contextlib
import signal
import time
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any, NamedTuple, TypeVar

import click

from fleetctl.base.errors import ExitCode, FleetError, Refused, UsageError
from fleetctl.cli.output import tell

if TYPE_CHECKING:
    from fleetctl.plan.model import Plan

Command = TypeVar("Command", bound=Callable[..., Any])
_NAP_S = 5.0
"""A machine that slept, or whose clock was set, is noticed so soon."""


class Slot(NamedTuple):
    """When a push starts, and when nothing new starts any more; Unix times, 0: not said."""

    at_s: float = 0.0
    until_s: float = 0.0


class LeftEarly(FleetError):
    """Somebody left before the start."""

    exit_code = ExitCode.INTERRUPTED


def at_option(command: Command) -> Command:
    """`--at TIME`."""
    text = "Wait until then, e.g. 'sat 06:00', '2026-11-28 06:00', 'in 2h'."
    return click.option("--at", metavar="TIME", help=text)(command)


def window_option(command: Command) -> Command:
    """`--window TIME`."""
    text = "Nothing new starts so long after the start, e.g. 3h; what runs ends."
    return click.option("--window", metavar="TIME", help=text)(command)


def read_slot(at: str | None, window: str | None, now_s: float) -> Slot:
    """What the flags say, told to who gave them; raises UsageError."""
    if at is None and window is None:
        return Slot()
    from fleetctl.cli.moments import moment_words, read_moment

    at_s = 0.0
    if at is not None:
        moment = read_moment(at, now_s)
        at_s = moment.at_s
        tell(f"starts {moment_words(at_s)}" + (f"; {moment.note}" if moment.note else ""))
    until_s = 0.0
    if window is not None:
        until_s = (at_s or now_s) + _window_s(window)
        tell(f"window until {moment_words(until_s)}: nothing new starts after that")
    return Slot(at_s, until_s)


def _window_s(text: str) -> float:
    from fleetctl.base.durations import parse_duration_s

    if text.strip().replace(".", "", 1).isdecimal():
        # Elsewhere a bare number is seconds; nobody opens a window for three of them.
        raise UsageError(f"--window {text}: of what?", hint=f"write {text}h or {text}m")
    try:
        window_s = parse_duration_s(text)
    except ValueError as error:
        raise UsageError(f"--window: {error}") from None
    if not window_s > 0:
        raise UsageError("--window: a window of no time lets nothing start")
    return window_s


def tell_fit(plan: Plan, slot: Slot, now_s: float) -> None:
    """Say so when the plan will likely not be done within its window."""
    if not slot.until_s:
        return
    from fleetctl.base.durations import format_duration

    window_s = slot.until_s - (slot.at_s or now_s)
    if plan.estimate_s is None:
        tell("warning: how long it takes is not known; the window may be too short")
    elif plan.estimate_s > window_s:
        tell(
            f"warning: it does not fit: about {format_duration(plan.estimate_s)} "
            f"in a window of {format_duration(window_s)}"
            "\n  hint: make the window longer, or the batches larger; what is left can be resumed"
        )


def await_start(plan: Plan, slot: Slot, journal: str | None) -> None:
    """Sleep until it is time; then the plan must still hold, and its window be open.

    Raises LeftEarly on Ctrl-C, SIGTERM or a closed terminal, Refused for what has changed.
    Nothing is held meanwhile: neither a lease nor the journal.
    """
    if slot.at_s:
        from fleetctl.base.durations import format_duration

        left_s = max(0.0, slot.at_s - time.time())
        tell(f"waits {format_duration(left_s)}; Ctrl-C leaves, nothing has been done yet")
        _sleep_until(slot.at_s)
        _refuse_stale(plan, journal)
    if slot.until_s and time.time() >= slot.until_s:
        raise Refused("its window is over before it started", hint="start it again, with --at")


def _sleep_until(at_s: float) -> None:
    try:
        with _leaving_on(signal.SIGTERM, signal.SIGHUP):
            while (left_s := at_s - time.time()) > 0:
                time.sleep(min(left_s, _NAP_S))
    except KeyboardInterrupt:
        raise LeftEarly("left before the start", why="nothing was done, nothing is held") from None


@contextlib.contextmanager
def _leaving_on(*signals: signal.Signals) -> Iterator[None]:
    """These end the sleep as Ctrl-C does."""

    def leave(number: int, frame: object) -> None:
        raise KeyboardInterrupt

    before = {number: signal.signal(number, leave) for number in signals}
    try:
        yield
    finally:
        for number, action in before.items():
            signal.signal(number, action)


def _refuse_stale(plan: Plan, journal: str | None) -> None:
    """Inventory, playbook, pins, files and live releases are those the plan was shown with."""
    from fleetctl.cli.inputs import inputs_now
    from fleetctl.plan.stale import refuse_stale

    now, _ = inputs_now(plan, journal)
    refuse_stale(plan, now, "the plan shown before the wait")
