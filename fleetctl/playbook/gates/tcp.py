"""`tcp`: a port must take a connection from this machine."""

from __future__ import annotations

import msgspec

from fleetctl.playbook.kinds import GateDraft, GateKind, KindContext
from fleetctl.playbook.operations import TcpProbe
from fleetctl.playbook.substitute import parse


class TcpGate(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """`address` left out: the host's own."""

    port: int
    address: str = ""


def _compile(value: int | TcpGate, context: KindContext) -> tuple[GateDraft, ...]:
    gate = value if isinstance(value, TcpGate) else TcpGate(port=value)
    if not 1 <= gate.port <= 65535:
        raise ValueError(f"{gate.port} is no port")
    parse(gate.address)
    title = f"TCP port {gate.port} open" + (f" on {gate.address}" if gate.address else "")
    return (GateDraft(probe=TcpProbe(port=gate.port, address=gate.address), title=title),)


KIND = GateKind(word="tcp", model=int | TcpGate, compile=_compile)
