"""Asking the overseer that runs here, from the same file that is its program."""

from __future__ import annotations

import json
import sys
import time

from fleetctl.pools.overseer import relay
from fleetctl.pools.overseer.amounts import counted
from fleetctl.pools.overseer.relay import EXIT_NOBODY, EXIT_REFUSED, EXIT_USAGE

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

EXIT_LATE, EXIT_BROKEN = 3, 4
_SETTLED = ("token", "pools", "lenient")
"""What of a request says which pools are looked at until they have settled."""
LOOK_FIRST_S, LOOK_MOST_S = 0.05, 1.0
"""How long between two looks, while one waits for pools; it grows."""
TELL_AFTER_S = 0.5
"""Who takes longer is named, on stderr, for whoever watches."""
NAMED_MOST = 5
NOBODY_S = 60.0
"""An overseer that is replaced, or started again, is back sooner."""


def ask(home: str, text: str) -> int:
    """Send one request, a JSON object, and print the answer as a line of JSON; the exit code.

    0: it was done; 1: the overseer will not, and says why on stderr; 69: no overseer answers. With
    `settle_s` it then waits until the pools are where they are to be and prints what is said then;
    with a `token`, 3: some are not there after so many seconds, 4: some have failed.
    """
    try:
        request = json.loads(text)
        settle_s = float(request.pop("settle_s", 0)) if isinstance(request, dict) else 0.0
    except (ValueError, TypeError) as error:
        sys.stderr.write(f"--ask: {error}\n")
        return EXIT_USAGE
    try:
        told = exchange(home, request)
        if told.get("ok") and settle_s:
            told = _settle(home, request, settle_s)
    except (OSError, ValueError) as error:
        sys.stderr.write(f"no overseer answers in {home}: {error}\n")
        return EXIT_NOBODY
    if not told.pop("ok", False):
        sys.stderr.write(f"{told.get('error', 'refused')}\n")
        return EXIT_REFUSED
    sys.stdout.write(json.dumps(told, separators=(",", ":")) + "\n")
    return _verdict(told, settle_s) if settle_s and "token" in request else 0


def _settle(home: str, request: dict[str, Any], within_s: float) -> dict[str, Any]:
    """Look until nothing is left under way. An overseer that is being replaced is asked again, one
    that stays away for `NOBODY_S` is gone: OSError, ValueError.

    Says on stderr whose tasks or starts it takes so long for, a line whenever that changes.
    """
    wanted: dict[str, Any] = {key: request[key] for key in _SETTLED if key in request}
    begun, rest_s, said = time.monotonic(), LOOK_FIRST_S, ""
    end, wall, heard = begun + within_s, time.time() + within_s, begun
    while True:
        try:
            told = exchange(home, {**wanted, "do": "settled"})
            heard = time.monotonic()
        except (OSError, ValueError):
            if time.monotonic() >= min(end, heard + NOBODY_S):
                raise
            told = {"ok": True, "left": 1}
        if not told.get("ok") or not told["left"] or time.monotonic() >= end:
            return told
        line = patient(told, wall) if time.monotonic() - begun >= TELL_AFTER_S else ""
        if line and line != said:
            said = line
            sys.stderr.write(f"{line}\n")
            sys.stderr.flush()
        time.sleep(min(rest_s, max(0.0, end - time.monotonic())))
        rest_s = min(rest_s * 2, LOOK_MOST_S)


def patient(told: dict[str, Any], until: float) -> str:
    """`1 busy: acme/task; patient until 23:10:05 UTC`; empty when nobody is named."""
    parts = []
    for word, pools in sorted(told.get("names", {}).items()):
        count = told.get(word, len(pools))
        more = f" and {count - NAMED_MOST} more" if count > NAMED_MOST else ""
        parts.append(f"{count} {word}: {', '.join(pools[:NAMED_MOST])}{more}")
    end = time.strftime("%H:%M:%S UTC", time.gmtime(until))
    return f"{'; '.join(parts)}; patient until {end}" if parts else ""


def _verdict(told: dict[str, Any], settle_s: float) -> int:
    """0 when all are there; else who is not, for whoever reads the step's errors."""
    names: dict[str, list[str]] = told.get("names", {})
    for word, pools in sorted(names.items()):
        count = told.get(word, len(pools))
        if told["left"] or word == "failed":
            more = f" and {count - NAMED_MOST} more" if count > NAMED_MOST else ""
            sys.stderr.write(f"{count} {word}: {', '.join(pools[:NAMED_MOST])}{more}\n")
    for run, count in sorted(told.get("held_by", {}).items()):
        sys.stderr.write(
            f"{counted(count, 'pool')} {'is' if count == 1 else 'are'} held back by run {run}\n"
        )
    if told["left"]:
        are = "is" if told["left"] == 1 else "are"
        sys.stderr.write(f"{counted(told['left'], 'pool')} {are} not there after {settle_s:g} s\n")
        return EXIT_LATE
    return EXIT_BROKEN if told.get("failed") else 0


def exchange(home: str, request: object) -> dict[str, Any]:
    """One line there, one line back; raises OSError, ValueError."""
    line = relay.exchange(home, json.dumps(request).encode())
    if not line.endswith(b"\n"):
        raise ValueError("it closed the connection")
    told = json.loads(line)
    if not isinstance(told, dict):
        raise ValueError("it answered something else")
    return told
