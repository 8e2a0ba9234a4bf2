"""Before anything starts: which hosts of tiers with a floor are down already? Pure."""

from __future__ import annotations

from fleetctl.rollout.desk import Desk, Errand
from fleetctl.rollout.records import FoundDown
from fleetctl.transport.protocol import Look, Looked, Lost


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


def take_signal(desk: Desk, host: str, event: Looked | Lost) -> None:
    """No answer means down."""
    assert desk.preflight is not None
    desk.preflight.discard(host)
    if isinstance(event, Lost) or event.exit_status != 0:
        desk.down.append(host)
    if not desk.preflight and desk.state.stop is None:
        desk.record(FoundDown(tuple(sorted(desk.down))))
