"""Connecting to hosts: through bastions opened once, governed starts, bounded retries."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, Protocol, TypeVar

import msgspec

from fleetctl.inventory.model import Host, Login
from fleetctl.transport.governor import Governor
from fleetctl.transport.known_hosts import HostKey, KnownHosts, read_known_hosts
from fleetctl.transport.route import Lookup, Route, parse_jump, resolve
from fleetctl.transport.wire import Broken, Wire

T = TypeVar("T")
_DROPPED_TRIES = 12
_CONNECT_TRIES = 3
_FAILURE_KEPT_S = 5.0


class Dropped(Broken):
    """The other end closed before it greeted: too many start at once, or it is restarting."""

    def __init__(self, detail: str) -> None:
        super().__init__("connect", detail)


class LogIn(Protocol):
    """Connects along a route; raises Broken, Dropped when turned away before the login."""

    def __call__(self, route: Route, host_keys: Sequence[HostKey], via: Any) -> Wire: ...


class _Bastion(msgspec.Struct):
    """The one connection to a host others are reached through."""

    opening: threading.Lock = msgspec.field(default_factory=threading.Lock)
    wire: Wire | None = None
    failure: Broken | None = None
    failed_s: float = 0.0


class _Road(msgspec.Struct):
    """Starts of one kind are counted together: direct ones, or those through one bastion."""

    governor: Governor = msgspec.field(default_factory=Governor)
    changed: threading.Condition = msgspec.field(default_factory=threading.Condition)


class HostKeys:
    """Which keys a host may show: the fleet's own file first, then the user's and the system's."""

    def __init__(self, fleet_file: str, user_files: Sequence[str] | None = None) -> None:
        usual = ("~/.ssh/known_hosts", "~/.ssh/known_hosts2", "/etc/ssh/ssh_known_hosts")
        self._fleet = read_known_hosts([Path(fleet_file)] if fleet_file else [])
        self._user = read_known_hosts(_paths(usual if user_files is None else user_files))
        self._more: dict[tuple[str, ...], KnownHosts] = {}
        self._lock = threading.Lock()

    def of(self, route: Route) -> list[HostKey]:
        """The keys known for the host at the end of `route`; the fleet's file rules alone."""
        address, port = (route.key_alias, 22) if route.key_alias else (route.address, route.port)
        return self._fleet.keys_for(address, port) or self._chosen(route).keys_for(address, port)

    def _chosen(self, route: Route) -> KnownHosts:
        if not route.known_hosts:
            return self._user
        with self._lock:
            if route.known_hosts not in self._more:
                self._more[route.known_hosts] = read_known_hosts(_paths(route.known_hosts))
            return self._more[route.known_hosts]


def _paths(names: Sequence[str]) -> list[Path]:
    return [Path(name).expanduser() for name in names]


class Roads:
    """Makes connections to the hosts of a fleet; safe to use from many threads."""

    def __init__(
        self, hosts: Mapping[str, Host], lookup: Lookup, host_keys: HostKeys, log_in: LogIn
    ) -> None:
        self._hosts = hosts
        self._lookup = lookup
        self._host_keys = host_keys
        self._log_in = log_in
        self._lock = threading.Lock()
        self._looking = threading.Lock()
        self._bastions: dict[str, _Bastion] = {}
        self._roads: dict[str, _Road] = {}
        self._closing = threading.Event()

    def dial(self, name: str) -> Wire:
        """A connection to the host of that name; raises Broken."""
        return self._connect(self.route(name))

    def route(self, name: str) -> Route:
        """How that host is reached."""
        host = self._hosts.get(name)
        if host is None:
            raise Broken("internal", f"{name} is no host of this fleet", retryable=False)
        return self._resolve(host.address, host.login)

    def close(self) -> None:
        """Close the bastions' connections and stop retrying."""
        self._closing.set()
        with self._lock:
            wires = [bastion.wire for bastion in self._bastions.values()]
        for wire in wires:
            if wire is not None:
                wire.close()

    def _resolve(self, address: str, login: Login) -> Route:
        with self._looking:
            return resolve(address, login, self._lookup)

    def _connect(self, route: Route) -> Wire:
        host_keys = self._host_keys.of(route)
        if not host_keys:
            detail = f"the key of {route.host_key_name} is not known; see `fleetctl hosts trust`"
            raise Broken("host key", detail, retryable=False)
        return self.start(route, lambda via: self._log_in(route, host_keys, via))

    def start(self, route: Route, begin: Callable[[Any], T]) -> T:
        """`begin` with the connection of the bastion, governed and retried; raises Broken."""
        road = self._road(route.via or route.jump)
        return self._persist(route, lambda: self._start(route, begin, road))

    # --- bastions

    def through(self, route: Route) -> Wire | None:
        """The connection to the bastion of `route`, opened when needed; None: it needs none."""
        if route.via:
            return self._bastion(route.via, lambda: self.dial(route.via))
        if route.jump:
            return self._jump(route.jump, route.connect_timeout_s)
        return None

    def _jump(self, jump: str, timeout_s: float) -> Wire:
        before, _, last = jump.rpartition(",")
        address, port, user = parse_jump(last)
        login = Login(user=user, port=port, connect_timeout_s=timeout_s)
        # A hop's own ProxyJump does not count: the list says the whole way.
        route = msgspec.structs.replace(self._resolve(address, login), jump=before)
        return self._bastion(jump, lambda: self._connect(route))

    def _bastion(self, name: str, dial: Callable[[], Wire]) -> Wire:
        with self._lock:
            bastion = self._bastions.setdefault(name, _Bastion())
        with bastion.opening:
            if bastion.wire is not None and bastion.wire.usable():
                return bastion.wire
            failed_before_s = time.monotonic() - bastion.failed_s
            if bastion.failure is not None and failed_before_s < _FAILURE_KEPT_S:
                raise bastion.failure
            try:
                bastion.wire = dial()
            except Broken as broken:
                detail = f"bastion {name}: {broken.detail}"
                bastion.failure = Broken("bastion", detail, retryable=broken.retryable)
                bastion.failed_s = time.monotonic()
                raise bastion.failure from broken
            bastion.failure = None
            return bastion.wire

    # --- starts

    def _road(self, key: str) -> _Road:
        with self._lock:
            return self._roads.setdefault(key, _Road())

    def _start(self, route: Route, begin: Callable[[Any], T], road: _Road) -> T:
        """One try, when the governor lets it."""
        via = self.through(route)
        with road.changed:
            while not road.governor.may_start():
                road.changed.wait()
            road.governor.started()
        try:
            begun = begin(via)
        except BaseException as error:
            with road.changed:
                if isinstance(error, Dropped):
                    road.governor.dropped(time.monotonic())
                else:
                    road.governor.failed()
                road.changed.notify_all()
            raise
        with road.changed:
            road.governor.greeted()
            road.changed.notify_all()
        return begun

    def _persist(self, route: Route, start: Callable[[], T]) -> T:
        """Try again what may pass: longer when sshd only had too many at once."""
        try:
            return start()
        except Broken as broken:
            if not broken.retryable or broken.cause != "connect" or self._closing.is_set():
                raise
            first = broken
        import tenacity

        tries = _DROPPED_TRIES if isinstance(first, Dropped) else _CONNECT_TRIES
        retrying = tenacity.Retrying(
            stop=tenacity.stop_any(
                tenacity.stop_after_attempt(tries - 1),
                tenacity.stop_after_delay(3 * route.connect_timeout_s),
                tenacity.stop_when_event_set(self._closing),
            ),
            wait=tenacity.wait_random_exponential(multiplier=0.2, max=3.0),
            retry=tenacity.retry_if_exception(_may_pass),
            sleep=tenacity.sleep_using_event(self._closing),
            reraise=True,
        )
        self._closing.wait(0.1)
        return retrying(start)


def _may_pass(error: BaseException) -> bool:
    return isinstance(error, Broken) and error.retryable and error.cause == "connect"
