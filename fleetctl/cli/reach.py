"""The way from a plan to the transport its hosts need."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

import msgspec

from fleetctl.inventory.model import Fleet
from fleetctl.plan.model import Plan
from fleetctl.transport.open import open_transport
from fleetctl.transport.protocol import Sink, Transport
from fleetctl.transport.veil import Vault, VeiledTransport


def seen_from_here(plan: Plan, fleet: Fleet) -> Plan:
    """The plan of another machine with the addresses, logins and host keys this one knows."""
    hosts = {name: fleet.hosts.get(name, host) for name, host in plan.hosts.items()}
    return msgspec.structs.replace(plan, hosts=hosts, known_hosts=fleet.known_hosts)


def reach(plan: Plan, vault: Vault | None = None) -> Callable[[Sink], Transport]:
    """Opens a transport to the plan's hosts for one sink; connects only when ordered to."""
    way = partial(
        open_transport, plan.hosts, fanout=plan.fanout, known_hosts=plan.known_hosts, live=True
    )
    return (lambda sink: VeiledTransport(way, sink, vault)) if vault else way
