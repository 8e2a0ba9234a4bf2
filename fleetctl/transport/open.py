"""The transport a fleet needs: SSH, this very machine, or some hosts by each."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from fleetctl.base.lean import leanly
from fleetctl.inventory.model import Host
from fleetctl.transport.local import LocalTransport
from fleetctl.transport.protocol import Order, Sink, Transport


class SplitTransport:
    """Hands each host's orders to the transport its login names."""

    def __init__(self, remote: Transport, local: Transport, local_hosts: frozenset[str]) -> None:
        self._remote = remote
        self._local = local
        self._local_hosts = local_hosts

    def submit(self, order: Order) -> None:
        """Take an order; answers come to the sink. Never blocks."""
        here = order.host in self._local_hosts
        (self._local if here else self._remote).submit(order)

    def close(self) -> None:
        """Close every connection; finite. Idempotent."""
        self._remote.close()
        self._local.close()


def open_transport(
    hosts: Mapping[str, Host],
    sink: Sink,
    *,
    fanout: int = 50,
    known_hosts: str = "",
    live: bool = False,
    ssh_config: Path | None = None,
) -> Transport:
    """A transport to `hosts`, each by what its login says; connects only when ordered to.

    `live`: tell lines of steps that take long (`Said`). `ssh_config`: instead of the user's own.
    """
    local_hosts = frozenset(name for name, host in hosts.items() if host.login.transport == "local")
    if len(local_hosts) == len(hosts):
        return LocalTransport(sink, fanout=fanout, live=live)
    # Only who goes over SSH pays for importing its library.
    with leanly():
        from fleetctl.transport.ssh import SshTransport

    remote = SshTransport(
        hosts, sink, fanout=fanout, known_hosts=known_hosts, ssh_config=ssh_config, live=live
    )
    if not local_hosts:
        return remote
    return SplitTransport(remote, LocalTransport(sink, fanout=fanout, live=live), local_hosts)
