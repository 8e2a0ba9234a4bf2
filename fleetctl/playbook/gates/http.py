"""`http`: GET from this machine must answer with the status, and hold a text if one is given."""

from __future__ import annotations

from urllib.parse import urlsplit

import msgspec

from fleetctl.playbook.kinds import GateDraft, GateKind, KindContext
from fleetctl.playbook.operations import HttpProbe
from fleetctl.playbook.substitute import parse


class HttpGate(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """`contains` is looked for in the body."""

    url: str
    status: int = 200
    contains: str = ""


def _compile(value: str | HttpGate, context: KindContext) -> tuple[GateDraft, ...]:
    gate = value if isinstance(value, HttpGate) else HttpGate(url=value)
    plain = "".join(part if isinstance(part, str) else "1" for part in parse(gate.url))
    try:
        address = urlsplit(plain)
        readable = address.scheme in ("http", "https") and bool(address.hostname)
        assert address.port is None or address.port
    except (ValueError, AssertionError):
        readable = False
    if not readable or any(char.isspace() for char in plain):
        raise ValueError(f'"{gate.url}" is no URL such as http://{{{{host.address}}}}:8080/health')
    if not 100 <= gate.status <= 599:
        raise ValueError(f"{gate.status} is no HTTP status")
    title = f"HTTP {gate.status} from {gate.url}"
    if gate.contains:
        title += f' holding "{gate.contains}"'
    probe = HttpProbe(url=gate.url, status=gate.status, contains=gate.contains)
    return (GateDraft(probe=probe, title=title),)


KIND = GateKind(word="http", model=str | HttpGate, compile=_compile)
