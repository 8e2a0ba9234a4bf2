"""Streaming a file to a host: a channel of its own, one bounded buffer, a finite time."""

from __future__ import annotations

import time
from pathlib import Path

from fleetctl.playbook.operations import Put
from fleetctl.transport.shelltexts import quote
from fleetctl.transport.wire import Channel, Silent, Wire

_CHUNK_BYTES = 128 * 1024


def stream(wire: Wire, put: Put, path: str, limit_s: float, open_s: float) -> str:
    """Write the file of `put` to `path` on the host; why it could not, or an empty text.

    Raises Broken when the connection goes.
    """
    if "!" in path or "'" in path or "\n" in path:
        return f"the host's folder {path!r} cannot be named safely to every login shell"
    deadline_s = time.monotonic() + limit_s
    channel = wire.start(f"cat > {quote(path)}", merged=True, timeout_s=open_s)
    try:
        if why := _pump(channel, put, deadline_s):
            return why
        channel.end_input()
        said = _drain(channel, deadline_s)
        status = channel.exit_status(max(1.0, deadline_s - time.monotonic()))
        return "" if status == 0 else f"the upload ended with status {status}: {said}"
    except Silent:
        return f"the upload took longer than {limit_s:.0f} s"
    finally:
        channel.close()


def _pump(channel: Channel, put: Put, deadline_s: float) -> str:
    """All bytes of the file into the channel, through one buffer."""
    buffer = bytearray(_CHUNK_BYTES)
    view = memoryview(buffer)
    try:
        with Path(put.source).open("rb", buffering=0) as source:
            while count := source.readinto(buffer):
                left_s = deadline_s - time.monotonic()
                if left_s <= 0:
                    raise Silent
                channel.write(view[:count], left_s)
    except OSError as error:
        return f"cannot read {put.source}: {error.strerror}"
    return ""


def _drain(channel: Channel, deadline_s: float) -> str:
    said = b""
    while (chunk := channel.read(max(0.1, deadline_s - time.monotonic()))) is not None:
        said = (said + chunk[1])[-300:]
    return said.decode("utf-8", "replace").strip()
