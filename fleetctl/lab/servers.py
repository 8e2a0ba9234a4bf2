"""The servers of all hosts of a lab, whatever program serves them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Generic, Protocol, TypeVar

from fleetctl.lab.faults import Fault, FaultKind


class HostServer(Protocol):
    """The server of one host."""

    faults: dict[FaultKind, Fault]

    @property
    def connections(self) -> int: ...

    async def apply(self, fault: Fault) -> None: ...

    async def clear(self, kind: FaultKind) -> None: ...


OneServer = TypeVar("OneServer", bound=HostServer)


class HostServers(Generic[OneServer]):
    """One server a host, by the host's name."""

    def __init__(self, hosts: Mapping[str, OneServer]) -> None:
        self._hosts = hosts

    async def apply(self, names: Iterable[str], fault: Fault) -> None:
        """Make these hosts misbehave from now on."""
        for name in names:
            await self._hosts[name].apply(fault)

    async def clear(self, names: Iterable[str], kinds: Iterable[FaultKind]) -> None:
        """Take faults of these kinds back, where there are any."""
        for name in names:
            for kind in kinds:
                await self._hosts[name].clear(kind)

    def faults(self) -> Mapping[str, list[Fault]]:
        """What is wrong on purpose, by host."""
        return {name: list(host.faults.values()) for name, host in self._hosts.items()}

    def connections(self) -> Mapping[str, int]:
        """Connections open now, by host."""
        return {name: host.connections for name, host in self._hosts.items()}
