"""Which loopback addresses a lab lives on: a 127.x.0.0/16 block, chosen by its folder."""

from __future__ import annotations

import socket
import zlib
from collections.abc import Iterator

from fleetctl.base.errors import Refused

PORT = 2222
HOSTS_MAX = 250 * 250
_BLOCKS = range(2, 255)
"""127.0 and 127.1 are left to the machine (localhost, name services)."""


def address_of(block: int, index: int) -> str:
    """The address of the lab's host number `index` (from 0); never ends in 0 or 255."""
    assert 0 <= index < HOSTS_MAX
    return f"127.{block}.{index // 250 + 1}.{index % 250 + 1}"


def parked_address(block: int, index: int) -> str:
    """Where a server that refuses connections listens instead: nobody looks there."""
    assert 0 <= index < 1000
    return f"127.{block}.{index // 250 + 251}.{index % 250 + 1}"


def guard_address(block: int) -> str:
    """Held by the keeper as long as it lives, so that no other lab takes the block."""
    return f"127.{block}.255.254"


def candidates(folder: str, first: int | None = None) -> Iterator[int]:
    """Blocks in the order they are to be tried: `first` if given, then from the folder's hash."""
    if first is not None:
        yield first
    start = zlib.crc32(folder.encode())
    for step in range(len(_BLOCKS)):
        block = _BLOCKS[(start + step) % len(_BLOCKS)]
        if block != first:
            yield block


def take_block(folder: str, port: int, count: int, first: int | None = None) -> int:
    """A block where the guard and all `count` addresses are free on `port` right now.

    Raises Refused when none is: most often something listens on `port` of every address.
    """
    for block in candidates(folder, first):
        addresses = [guard_address(block)] + [address_of(block, i) for i in range(count)]
        if all(_is_free(address, port) for address in addresses):
            return block
    raise Refused(
        f"port {port} is taken on every loopback address block",
        why="something listens on this port of all addresses (0.0.0.0)",
        hint="choose another port with --port",
    )


def _is_free(address: str, port: int) -> bool:
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((address, port))
        except OSError:
            return False
    return True
