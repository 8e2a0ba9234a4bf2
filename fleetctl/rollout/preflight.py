"""Before anything starts: which hosts of tiers with a floor are down already? Pure."""

from __future__ import annotations

from fleetctl.plan.model import TierGuard
from fleetctl.rollout.desk import Desk, Errand
from fleetctl.rollout.records import FoundDown
from fleetctl.transport.protocol import Look, Looked, Lost

TIMER = ("preflight",)


def begin(desk: Desk) -> None:
    """Look at every host of each guarded tier, those that are not part of the run too."""
    desk.preflight = set()
    if desk.state.check_only:
        return
    for guard in desk.plan.guards:
        if guard.floor <= 0:
            continue
        for host in guard.hosts:
            if host in desk.preflight:
                continue
            desk.preflight.add(host)
            ticket = desk.ticket(Errand("preflight", host))
            desk.send(Look(ticket, host, ":", desk.patience.look_timeout_s))
    if not desk.preflight:
        desk.record(FoundDown(()))
        return
    desk.set_timer(TIMER, desk.patience.look_timeout_s)


def tick(desk: Desk) -> None:
    """Go on without hosts that are silent for long, where they are not what the run hangs on.

    A host that is frozen is given up by the transport after a minute only.
    """
    silent = desk.preflight
    if silent and desk.state.stop is None and _spared(desk, silent):
        desk.down.extend(silent)
        _end(desk)


def take_signal(desk: Desk, host: str, event: Looked | Lost) -> None:
    """No answer means down."""
    if desk.preflight is None or host not in desk.preflight:
        return  # it was gone on without
    desk.preflight.discard(host)
    if isinstance(event, Lost) or event.exit_status != 0:
        desk.down.append(host)
    if not desk.preflight and desk.state.stop is None:
        _end(desk)


def _end(desk: Desk) -> None:
    desk.preflight = set()
    desk.drop_timer(TIMER)
    desk.record(FoundDown(tuple(sorted(desk.down))))


def _spared(desk: Desk, silent: set[str]) -> bool:
    """Whether, were all of these down, no pair and no floor would keep a host from its turn."""
    meant = {host for phase in desk.plan.phases for batch in phase.batches for host in batch}
    if any(meant.intersection(desk.partners.get(host, ())) for host in silent):
        return False
    out = silent.union(desk.down)
    return all(_has_room(guard, out, meant) for guard in desk.plan.guards if guard.floor > 0)


def _has_room(guard: TierGuard, out: set[str], meant: set[str]) -> bool:
    """Half of what may be in flight at once is enough: the run is slower for it, never refused."""
    may_be_out = guard.size - guard.floor - len(out.intersection(guard.hosts))
    at_once = min(guard.limit, len(meant.intersection(guard.hosts)))
    return 2 * may_be_out >= at_once
