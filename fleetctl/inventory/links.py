"""What must hold between hosts: bastions exist and end somewhere, no machine has two names."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from fleetctl.inventory.findings import Findings
from fleetctl.inventory.model import Host
from fleetctl.inventory.suggest import nearest_host

if TYPE_CHECKING:
    from fleetctl.inventory.login import LoginMerger
    from fleetctl.inventory.native import Entry


def check_links(
    hosts: Mapping[str, Host],
    entries: Mapping[str, Entry],
    logins: LoginMerger,
    findings: Findings,
) -> None:
    """Add a finding for each unknown `via`, circle of them, and machine listed under two names."""
    for name, path in logins.via_paths.items():
        if name not in hosts:
            meant = nearest_host(name, hosts)
            hint = f'did you mean "{meant}"?' if meant else ""
            findings.add(f'via names no host of this fleet: "{name}"', path, hint=hint)
    for circle in circles(hosts):
        path = logins.via_paths[circle[1]]
        findings.add(f"via goes in a circle: {' -> '.join(circle)}", path)
    for name, other in twins(hosts):
        line = findings.document.key_location(entries[other].path).line
        host = hosts[name]
        findings.add_key(
            f'host "{name}" has the address {host.address} of host "{other}"',
            entries[name].path,
            why=f"one machine under two names would be worked on twice at once; first: line {line}",
        )


def circles(hosts: Mapping[str, Host]) -> list[list[str]]:
    """Each circle of bastions once, its first host again at its end."""
    found: list[list[str]] = []
    settled: set[str] = set()
    for start in dict.fromkeys(host.login.via for host in hosts.values()):
        trail: list[str] = []
        name = start
        while name in hosts and name not in settled and name not in trail:
            trail.append(name)
            name = hosts[name].login.via
        if name in trail:
            found.append([*trail[trail.index(name) :], name])
        settled.update(trail)
    return found


def twins(hosts: Mapping[str, Host]) -> list[tuple[str, str]]:
    """Pairs (later, first) of hosts that are reached at the same address, port and way."""
    if len({host.address for host in hosts.values()}) == len(hosts):
        return []
    found: list[tuple[str, str]] = []
    seen: dict[tuple[str, int, str], str] = {}
    for host in hosts.values():
        login = host.login
        if login.transport == "local":
            continue
        first = seen.setdefault((host.address, login.port or 22, login.via), host.name)
        if first != host.name:
            found.append((host.name, first))
    return found
