"""Talking to a running lab: one JSON line there, one back, over a socket in the lab's folder."""

from __future__ import annotations

import contextlib
import os
import socket
from collections.abc import Iterator, Mapping

import msgspec

from fleetctl.base.errors import FleetError, UsageError
from fleetctl.lab.faults import Fault
from fleetctl.lab.layout import Layout

_TIMEOUT_S = 20.0
LINE_MAX = 8 * 1024 * 1024


class SetFaults(msgspec.Struct, frozen=True, tag="set"):
    """Give these hosts a fault."""

    hosts: tuple[str, ...]
    fault: Fault


class ClearFaults(msgspec.Struct, frozen=True, tag="clear"):
    """Take one fault, or every fault, from these hosts."""

    hosts: tuple[str, ...]
    kind: str = ""


class Describe(msgspec.Struct, frozen=True, tag="describe"):
    """Tell what is there."""


class Stop(msgspec.Struct, frozen=True, tag="stop"):
    """End the lab; the answer comes before it ends."""


Request = SetFaults | ClearFaults | Describe | Stop


class HostStatus(msgspec.Struct, frozen=True):
    """A host as the keeper sees it."""

    processes: int
    connections: int
    faults: tuple[Fault, ...]


class Answer(msgspec.Struct, frozen=True):
    """`error` empty: it is done."""

    error: str = ""
    hosts: Mapping[str, HostStatus] = {}
    memory_kb: int = 0
    """The keeper's resident memory."""


class NotRunning(UsageError):
    """The lab's keeper does not answer."""


def ask(layout: Layout, request: Request) -> Answer:
    """Send one request; raises NotRunning, or FleetError with the keeper's words."""
    try:
        line = _exchange(layout, msgspec.json.encode(request) + b"\n")
    except (OSError, EOFError) as error:
        raise NotRunning(
            f"the lab in {os.path.relpath(layout.folder)} is not running",
            why=str(error),
            hint="start it with `fleetctl lab up`",
        ) from None
    answer = msgspec.json.decode(line, type=Answer)
    if answer.error:
        raise FleetError(f"the lab refused: {answer.error}")
    return answer


def _exchange(layout: Layout, line: bytes) -> bytes:
    with socket.socket(socket.AF_UNIX) as sock, short_path(layout) as path:
        sock.settimeout(_TIMEOUT_S)
        sock.connect(path)
        sock.sendall(line)
        with sock.makefile("rb") as answers:
            answer = answers.readline(LINE_MAX)
    if not answer.endswith(b"\n"):
        raise EOFError("it closed the connection without an answer")
    return answer


@contextlib.contextmanager
def short_path(layout: Layout) -> Iterator[str]:
    """A name of the control socket that fits into the 107 bytes a socket's name may have."""
    folder = os.open(layout.folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        yield f"/proc/self/fd/{folder}/{layout.control.name}"
    finally:
        os.close(folder)
