"""Asking the overseer that runs here, from the same file that is its program."""

from __future__ import annotations

import json
import socket
import sys

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

EXIT_REFUSED, EXIT_USAGE, EXIT_NOBODY = 1, 2, 69
DEADLINE_S = 30.0


def ask(home: str, text: str) -> int:
    """Send one request, a JSON object, and print the answer as a line of JSON; the exit code.

    0: it was done; 1: the overseer will not, and says why on stderr; 69: no overseer answers.
    """
    try:
        request = json.loads(text)
    except ValueError as error:
        sys.stderr.write(f"--ask: {error}\n")
        return EXIT_USAGE
    try:
        told = exchange(home, request)
    except (OSError, ValueError) as error:
        sys.stderr.write(f"no overseer answers in {home}: {error}\n")
        return EXIT_NOBODY
    if not told.pop("ok", False):
        sys.stderr.write(f"{told.get('error', 'refused')}\n")
        return EXIT_REFUSED
    sys.stdout.write(json.dumps(told, separators=(",", ":")) + "\n")
    return 0


def exchange(home: str, request: object) -> dict[str, Any]:
    """One line there, one line back."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as sock:
        sock.settimeout(DEADLINE_S)
        sock.connect(f"{home}/control.sock")
        sock.sendall(json.dumps(request).encode() + b"\n")
        with sock.makefile("rb") as lines:
            line = lines.readline()
    if not line.endswith(b"\n"):
        raise ValueError("it closed the connection")
    told = json.loads(line)
    if not isinstance(told, dict):
        raise ValueError("it answered something else")
    return told
