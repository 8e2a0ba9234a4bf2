"""The way from a plan to the transport its hosts need."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

from fleetctl.plan.model import Plan
from fleetctl.transport.open import open_transport
from fleetctl.transport.protocol import Sink, Transport
from fleetctl.transport.veil import Vault, VeiledTransport


def reach(plan: Plan, vault: Vault | None = None) -> Callable[[Sink], Transport]:
    """Opens a transport to the plan's hosts for one sink; connects only when ordered to."""
    way = partial(
        open_transport, plan.hosts, fanout=plan.fanout, known_hosts=plan.known_hosts, live=True
    )
    return (lambda sink: VeiledTransport(way, sink, vault)) if vault else way
