"""Writing all a lab consists of: state, keys, known_hosts, homes, and its inventory."""

from __future__ import annotations

import contextlib
import getpass
import hashlib
from collections.abc import Iterable, Sequence

import msgspec

from fleetctl.base.errors import Refused, UsageError
from fleetctl.inventory.model import Fleet, Host
from fleetctl.lab.addresses import HOSTS_MAX, address_of, take_block
from fleetctl.lab.entry import write_entry
from fleetctl.lab.inventory import InventoryChanges, inventory_text
from fleetctl.lab.keys import keep_or_make_key
from fleetctl.lab.layout import LabHost, LabState, Layout, ServerKind, write_state
from fleetctl.lab.shortcut import make_shortcut


class LabRequest(msgspec.Struct, frozen=True):
    """What `lab up` was asked for."""

    server: ServerKind = "embedded"
    port: int = 2222
    changes: InventoryChanges = InventoryChanges()


def prepare(layout: Layout, fleet: Fleet, request: LabRequest, before: LabState | None) -> LabState:
    """Write the lab's files; keys, homes and (where free) addresses of `before` are kept."""
    if not 0 < len(fleet.hosts) <= HOSTS_MAX:
        raise Refused(f"a lab has 1 to {HOSTS_MAX} hosts, this inventory has {len(fleet.hosts)}")
    try:
        layout.folder.mkdir(parents=True, exist_ok=True)
        layout.folder.chmod(0o700)
    except OSError as error:
        why = error.strerror or str(error)
        raise UsageError(
            "the lab cannot have this folder", where=str(layout.folder), why=why
        ) from None
    folder = str(layout.folder)
    first = None if before is None else before.block
    block = take_block(folder, request.port, len(fleet.hosts), first)
    state = LabState(
        id=hashlib.sha256(folder.encode()).hexdigest()[:12],
        server=request.server,
        port=request.port,
        block=block,
        source=fleet.source,
        hosts=_lab_hosts(fleet, block, request.server),
        client_key=keep_or_make_key(layout.identity),
    )
    layout.host("").mkdir(exist_ok=True)
    make_shortcut(layout, state.id, (name for name, host in fleet.hosts.items() if host.pools))
    host_keys = [_prepare_host(layout, host) for host in state.hosts]
    layout.known_hosts.write_text(_known_hosts(state, host_keys))
    layout.inventory.write_text(inventory_text(fleet, layout, state, request.changes))
    write_state(layout, state)
    return state


def _lab_hosts(fleet: Fleet, block: int, server: ServerKind) -> tuple[LabHost, ...]:
    own_user = getpass.getuser()
    bastions = _bastions(fleet.hosts.values())
    return tuple(
        LabHost(
            name=host.name,
            tier=host.tier,
            address=address_of(block, index),
            user=own_user if server == "openssh" else host.login.user or own_user,
            forwards=host.name in bastions,
        )
        for index, host in enumerate(fleet.hosts.values())
    )


def _bastions(hosts: Iterable[Host]) -> frozenset[str]:
    return frozenset(host.login.via for host in hosts if host.login.via)


def _prepare_host(layout: Layout, host: LabHost) -> str:
    """Make the host's folder; returns its public host key."""
    for folder in (layout.host(host.name), layout.home(host.name)):
        with contextlib.suppress(FileExistsError):
            folder.mkdir()
    if layout.shims(host.name).exists():  # a lab that was killed may have left its faults
        write_entry(layout, host, {})
    return keep_or_make_key(layout.host_key(host.name))


def _known_hosts(state: LabState, keys: Sequence[str]) -> str:
    lines = (
        f"[{host.address}]:{state.port} {key}\n"
        for host, key in zip(state.hosts, keys, strict=True)
    )
    return "".join(lines)
