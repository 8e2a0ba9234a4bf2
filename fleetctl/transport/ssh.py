"""Hosts over SSH: the transport, and collecting the keys hosts show for a person to review."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from queue import SimpleQueue
from typing import Any, Literal

import msgspec

from fleetctl.inventory.model import Host
from fleetctl.transport.dispatch import Dispatcher
from fleetctl.transport.known_hosts import HostKey
from fleetctl.transport.lanes import Lanes
from fleetctl.transport.protocol import Sink
from fleetctl.transport.roads import HostKeys, Roads
from fleetctl.transport.route import Route
from fleetctl.transport.session import Patience
from fleetctl.transport.sshlogin import log_in, read_ssh_config, shown_key
from fleetctl.transport.sshwire import SshWire
from fleetctl.transport.watchdog import Watchdog
from fleetctl.transport.wire import Broken


class SshTransport(Dispatcher):
    """Reaches hosts over SSH; one connection a host, kept until released."""

    def __init__(
        self,
        fleet_hosts: Mapping[str, Host],
        sink: Sink,
        *,
        fanout: int = 50,
        known_hosts: str = "",
        ssh_config: Path | None = None,
        patience: Patience | None = None,
        live: bool = False,
    ) -> None:
        self._watchdog = Watchdog()
        self._roads = _roads(fleet_hosts, HostKeys(known_hosts), self._watchdog, ssh_config)
        super().__init__(self._roads.dial, sink, fanout=fanout, patience=patience, live=live)

    def close(self) -> None:
        """Close every connection; finite. Orders under way are told lost. Idempotent."""
        self._roads.close()
        super().close()
        self._watchdog.end()


def _roads(
    hosts: Mapping[str, Host], keys: HostKeys, watchdog: Watchdog, ssh_config: Path | None
) -> Roads:
    def enter(route: Route, host_keys: Sequence[HostKey], via: Any) -> SshWire:
        return log_in(route, host_keys, watchdog, via)

    return Roads(hosts, read_ssh_config(ssh_config).lookup, keys, enter)


def open_shell(
    hosts: Mapping[str, Host], name: str, known_hosts: str, *, ssh_config: Path | None = None
) -> int:
    """A shell on one host for the person at this terminal; its exit status. Raises Broken."""
    watchdog = Watchdog()
    roads = _roads(hosts, HostKeys(known_hosts), watchdog, ssh_config)
    try:
        wire = roads.dial(name)
        assert isinstance(wire, SshWire)
        try:
            return wire.open_shell()
        finally:
            wire.close()
    finally:
        roads.close()
        watchdog.end()


KeyState = Literal["new", "known", "changed", "unreachable"]
"""changed: it shows a key of a kind that is known with another value, or another kind alone."""


class Shown(msgspec.Struct, frozen=True):
    """What one host showed."""

    host: str
    name: str
    """As known_hosts writes it."""
    state: KeyState
    key: HostKey | None = None
    known: tuple[HostKey, ...] = ()
    detail: str = ""


def collect_keys(
    hosts: Mapping[str, Host],
    names: Sequence[str],
    known_hosts: str,
    *,
    fanout: int = 50,
    ssh_config: Path | None = None,
) -> Iterator[Shown]:
    """The key each of `names` shows, as they come in; logs in to bastions only."""
    watchdog, keys = Watchdog(), HostKeys(known_hosts)
    roads = _roads(hosts, keys, watchdog, ssh_config)
    lanes = Lanes("fleetctl-keys", fanout)
    found: SimpleQueue[Shown] = SimpleQueue()
    try:
        for name in names:
            lanes.put(_collecting(name, roads, keys, watchdog, found))
        for _ in names:
            yield found.get()
    finally:
        lanes.end()
        roads.close()
        watchdog.end()


def _collecting(
    name: str, roads: Roads, keys: HostKeys, watchdog: Watchdog, found: SimpleQueue[Shown]
) -> Callable[[], None]:
    def collect() -> None:
        try:
            found.put(_collect(name, roads, keys, watchdog))
        except Broken as broken:
            found.put(Shown(name, name, "unreachable", detail=broken.detail))
        except Exception as error:  # noqa: BLE001  every host must be accounted for
            found.put(Shown(name, name, "unreachable", detail=f"{type(error).__name__}: {error}"))

    return collect


def _collect(name: str, roads: Roads, keys: HostKeys, watchdog: Watchdog) -> Shown:
    route = roads.route(name)
    key = roads.start(route, lambda via: shown_key(route, watchdog, via))
    known = tuple(keys.of(route))
    state: KeyState = "known" if key in known else "changed" if known else "new"
    return Shown(name, route.host_key_name, state, key, known)
