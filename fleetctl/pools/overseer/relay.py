"""A plain question to the overseer that runs here, passed on as it came: nearly all that is asked.

A fleet's status starts this program on every host at once, so it loads neither `socket` nor `json`,
which cost more than all the rest: the answer begins with whether it is one, and is passed on.
"""

from __future__ import annotations

import _socket
import sys
import zlib
from binascii import b2a_base64

EXIT_REFUSED, EXIT_USAGE, EXIT_NOBODY = 1, 2, 69
DEADLINE_S = 30.0
PLAIN_MOST = 48 << 10
"""A longer answer, in bytes, is told as `{"packed": ...}` to who says `pack`: base64 of zlib of the
JSON."""
_YES = b'{"ok": true'


def relay(home: str, text: str) -> int | None:
    """Print the answer to one request, a line of JSON; the exit code, as that of `asking.ask`.

    None: it is no request to be passed on as it is, and nothing was done.
    """
    if "settle_s" in text or "\n" in text or not text.startswith("{"):
        return None
    try:
        line = exchange(home, text.encode())
    except OSError as error:
        sys.stderr.write(f"no overseer answers in {home}: {error}\n")
        return EXIT_NOBODY
    if line.startswith(_YES) and line.endswith(b"\n"):
        told = "{" + line[len(_YES) :].decode().strip(", \n")
        sys.stdout.write((written(told) if '"pack"' in text else told) + "\n")
        return 0
    return _refused(home, text, line)


def _refused(home: str, text: str, line: bytes) -> int:
    """Why there is no answer."""
    import json

    try:
        json.loads(text)
    except ValueError as error:
        sys.stderr.write(f"--ask: {error}\n")
        return EXIT_USAGE
    try:
        why = json.loads(line)["error"]
    except (ValueError, KeyError, TypeError):
        sys.stderr.write(f"no overseer answers in {home}: it closed the connection\n")
        return EXIT_NOBODY
    sys.stderr.write(f"{why}\n")
    return EXIT_REFUSED


def written(text: str) -> str:
    """One line; a long one is packed, for whoever asks over SSH keeps little of an output."""
    if len(text) < PLAIN_MOST:
        return text
    packed = b2a_base64(zlib.compress(text.encode(), 6), newline=False).decode()
    return '{"packed": "' + packed + '"}'


def exchange(home: str, request: bytes) -> bytes:
    """One line there, one line back, as far as it comes; raises OSError."""
    sock = _socket.socket(_socket.AF_UNIX, _socket.SOCK_STREAM)
    try:
        sock.settimeout(DEADLINE_S)
        sock.connect(f"{home}/control.sock")
        sock.sendall(request + b"\n")
        pieces = []
        while True:
            piece = sock.recv(1 << 18)
            pieces.append(piece)
            if not piece or piece.endswith(b"\n"):
                return b"".join(pieces)
    finally:
        sock.close()
