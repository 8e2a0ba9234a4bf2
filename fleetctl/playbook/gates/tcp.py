"""`tcp`: a port must take a connection from this machine."""

from __future__ import annotations

import msgspec

from fleetctl.playbook.kinds import GateDraft, GateKind, KindContext
from fleetctl.playbook.operations import OF_LOGIN, TcpProbe
from fleetctl.playbook.substitute import parse

Port = int | str
"""A number, or `ssh`: the one the inventory says we log in to, else 22."""


class TcpGate(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """`address` left out: the host's own."""

    port: Port
    address: str = ""


def _compile(value: Port | TcpGate, context: KindContext) -> tuple[GateDraft, ...]:
    gate = value if isinstance(value, TcpGate) else TcpGate(port=value)
    if gate.port != "ssh" and not (isinstance(gate.port, int) and 1 <= gate.port <= 65535):
        raise ValueError(f"{gate.port} is no port: write a number, or ssh")
    parse(gate.address)
    port = gate.port if isinstance(gate.port, int) else OF_LOGIN
    named = "SSH port" if gate.port == "ssh" else f"TCP port {gate.port}"
    title = f"{named} open" + (f" on {gate.address}" if gate.address else "")
    return (GateDraft(probe=TcpProbe(port=port, address=gate.address), title=title),)


KIND = GateKind(word="tcp", model=Port | TcpGate, compile=_compile)
