"""The way from a plan to the transport its hosts need."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

from fleetctl.plan.model import Plan
from fleetctl.transport.open import open_transport
from fleetctl.transport.protocol import Sink, Transport


def reach(plan: Plan) -> Callable[[Sink], Transport]:
    """Opens a transport to the plan's hosts for one sink; connects only when ordered to."""
    return partial(
        open_transport, plan.hosts, fanout=plan.fanout, known_hosts=plan.known_hosts, live=True
    )
