"""How to get to a host: what the inventory says, laid over ssh config. Pure."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

import msgspec

from fleetctl.inventory.model import Login
from fleetctl.transport.known_hosts import name_of

Lookup = Callable[[str], Mapping[str, str | list[str]]]
"""What ssh config says about a name, keys in lower case."""


class Route(msgspec.Struct, frozen=True):
    """Everything needed to log in to one host."""

    address: str
    port: int
    user: str
    """Empty: the user fleetctl runs as."""
    identities: tuple[str, ...]
    identities_only: bool
    """Offer no key of the agent."""
    connect_timeout_s: float
    via: str = ""
    """A host of the fleet to go through."""
    jump: str = ""
    """ssh config's ProxyJump, when the inventory names no bastion."""
    known_hosts: tuple[str, ...] = ()
    """ssh config's UserKnownHostsFile."""
    key_alias: str = ""
    proxy_command: str = ""
    """ssh config's ProxyCommand, when neither a bastion nor a ProxyJump is named; NUL for %."""

    @property
    def host_key_name(self) -> str:
        """The name its key is known by."""
        return self.key_alias or name_of(self.address, self.port)


def resolve(address: str, login: Login, lookup: Lookup) -> Route:
    """The route to `address` with what the inventory says laid over ssh config."""
    said = lookup(address)
    jump = "" if login.via else _text(said, "proxyjump")
    files = _texts(said, "userknownhostsfile")
    command = _text(said, "proxycommand")
    return Route(
        address=_text(said, "hostname") or address,
        port=login.port or int(_text(said, "port") or 22),
        user=login.user or _text(said, "user"),
        identities=login.identity or tuple(_texts(said, "identityfile")),
        identities_only=_text(said, "identitiesonly") == "yes",
        connect_timeout_s=login.connect_timeout_s,
        via=login.via,
        jump="" if jump.lower() == "none" else jump,
        known_hosts=tuple(name for text in files for name in text.split()),
        key_alias=_text(said, "hostkeyalias"),
        proxy_command="" if login.via or jump or command.lower() == "none" else command,
    )


def parse_jump(jump: str) -> tuple[str, int, str]:
    """Address, port (0: not said) and user of one hop `[user@]host[:port]`."""
    user, _, place = jump.strip().removeprefix("ssh://").rpartition("@")
    if place.startswith("["):
        address, _, port = place[1:].partition("]")
        port = port.removeprefix(":")
    elif place.count(":") == 1:
        address, _, port = place.partition(":")
    else:
        address, port = place, ""
    return address, int(port or 0), user


def _texts(said: Mapping[str, str | list[str]], key: str) -> Sequence[str]:
    value = said.get(key, [])
    return [value] if isinstance(value, str) else value


def _text(said: Mapping[str, str | list[str]], key: str) -> str:
    return next(iter(_texts(said, key)), "")
