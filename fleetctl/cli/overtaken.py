"""Hosts that were given another release since a run was planned: going on with it takes it back."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING

from fleetctl.base.errors import Refused
from fleetctl.base.hostrange import fold
from fleetctl.cli.output import tell

if TYPE_CHECKING:
    from fleetctl.cli.progress import RunView
    from fleetctl.journal.rows import LiveRelease


def heed(view: RunView, live: Mapping[str, LiveRelease], hosts: Iterable[str], yes: bool) -> None:
    """Tell what going on with these hosts takes back; raises Refused where nobody is asked."""
    lines = overtaken(view, live, hosts)
    if lines and yes:
        raise Refused(
            f"run {view.run} was overtaken",
            why="; ".join(lines),
            hint=f"leave it, and what it holds: fleetctl pools release {view.run}"
            "; or go on all the same, without --yes",
        )
    for line in lines:
        tell(f"NOTE: {line}")


def overtaken(view: RunView, live: Mapping[str, LiveRelease], hosts: Iterable[str]) -> list[str]:
    """A line for each other run whose release these hosts have by now.

    What a host ran when the run was planned is what it is there to change.
    """
    wanted = _wanted(view)
    groups: dict[tuple[str, str, str], list[str]] = {}
    for host in hosts:
        now, to = live.get(host), wanted.get(host)
        if now is None or to is None or now.run == view.run:
            continue
        if now.release not in (to, view.plan.live.get(host, "")):
            groups.setdefault((now.release, now.run, to), []).append(host)
    return [
        f"{fold(names)} ({len(names)}) run {release} since run {run};"
        f" going on takes {'it' if len(names) == 1 else 'them'} to {to}"
        for (release, run, to), names in groups.items()
    ]


def _wanted(view: RunView) -> dict[str, str]:
    """Host -> the release this run brings it."""
    return {
        host: phase.release
        for phase in view.plan.phases
        if phase.release
        for batch in phase.batches
        for host in batch
    }
