"""The faults a lab host can be given, which server can show them, and what they take."""

from __future__ import annotations

import shlex
from collections.abc import Mapping
from enum import StrEnum

import msgspec

from fleetctl.base.durations import parse_duration_s
from fleetctl.base.errors import UsageError
from fleetctl.base.names import did_you_mean
from fleetctl.lab.layout import ServerKind


class FaultKind(StrEnum):
    """What can be wrong with a host; `FAULTS` says what each does."""

    REFUSE = "refuse"
    HANG = "hang"
    FREEZE = "freeze"
    CUT = "cut"
    SLOW = "slow"
    FULL_DISK = "full-disk"
    WRONG_HOST_KEY = "wrong-host-key"
    FLOOD = "flood"
    FAIL = "fail"
    MAX_STARTUPS = "maxstartups"


class Fault(msgspec.Struct, frozen=True, omit_defaults=True):
    """One fault with its options; an option a kind does not take keeps its default."""

    kind: FaultKind
    after_s: float | None = None
    """cut, freeze: each connection, this long after its login, instead of all of them now."""
    latency_s: float = 0.0
    bytes_per_s: float = 0.0
    size: int = 0
    command: str = ""
    exit_status: int = 1
    startups: tuple[int, int, int] = (10, 30, 100)


class FaultWords(msgspec.Struct, frozen=True):
    """What a person is told about a kind, and the options it takes."""

    does: str
    options: frozenset[str] = frozenset()
    servers: frozenset[ServerKind] = frozenset(("embedded", "openssh"))
    why_not: str = ""
    embedded_only: frozenset[str] = frozenset()
    """Options real sshd processes cannot take."""


FAULTS: Mapping[FaultKind, FaultWords] = {
    FaultKind.REFUSE: FaultWords("refuses new connections; those there are go on"),
    FaultKind.HANG: FaultWords("accepts new connections and never says a word"),
    FaultKind.FREEZE: FaultWords(
        "stops answering on all connections; nothing is closed, processes go on",
        options=frozenset(("after",)),
        embedded_only=frozenset(("after",)),
    ),
    FaultKind.CUT: FaultWords(
        "drops its connections, now or --after their login; processes go on",
        options=frozenset(("after",)),
        embedded_only=frozenset(("after",)),
    ),
    FaultKind.SLOW: FaultWords(
        "adds --latency to each round trip and lets no more than --bandwidth through",
        options=frozenset(("latency", "bandwidth")),
        servers=frozenset(("embedded",)),
        why_not="nothing of the lab stands between a real sshd and its socket",
    ),
    FaultKind.FULL_DISK: FaultWords(
        "no file may grow past --size bytes (EFBIG), and `df` says that nothing is free",
        options=frozenset(("size",)),
    ),
    FaultKind.WRONG_HOST_KEY: FaultWords("shows another host key than the known one"),
    FaultKind.FLOOD: FaultWords(
        "prints --size bytes on each stream before a command that matches --command",
        options=frozenset(("size", "command")),
    ),
    FaultKind.FAIL: FaultWords(
        "commands that match --command exit with --exit at once",
        options=frozenset(("command", "exit")),
    ),
    FaultKind.MAX_STARTUPS: FaultWords(
        "drops unauthenticated connections at random as sshd's MaxStartups (--startups 10:30:100)",
        options=frozenset(("startups",)),
    ),
}

FLOOD_SIZE = 10_000_000
_SIZE_UNITS = {"": 1, "k": 1000, "m": 1000**2, "g": 1000**3}


def parse_fault(word: str, options: Mapping[str, str], server: ServerKind) -> Fault:
    """The fault a person means; raises UsageError for what its kind or this server cannot do."""
    kind = parse_kind(word)
    words = FAULTS[kind]
    if server not in words.servers:
        raise UsageError(
            f"the {server} server cannot show the fault {kind}",
            why=words.why_not,
            hint="use `fleetctl lab up --server embedded`",
        )
    for option in options:
        if option not in words.options:
            taken = ", ".join(f"--{name}" for name in sorted(words.options)) or "no options"
            raise UsageError(f"--{option} says nothing about {kind}", hint=f"it takes {taken}")
        if server != "embedded" and option in words.embedded_only:
            raise UsageError(
                f"the {server} server cannot show {kind} with --{option}",
                why="the moment of a login is known to the embedded server alone",
                hint=f"leave out --{option}, or use `fleetctl lab up --server embedded`",
            )
    try:
        return _with_options(kind, options)
    except ValueError as error:
        raise UsageError(f"fault {kind}: {error}") from None


def parse_kind(word: str) -> FaultKind:
    """The kind called `word`; raises UsageError."""
    try:
        return FaultKind(word)
    except ValueError:
        known = [kind.value for kind in FaultKind]
        raise UsageError(f'no fault is called "{word}"', hint=did_you_mean(word, known)) from None


def _with_options(kind: FaultKind, options: Mapping[str, str]) -> Fault:
    after = options.get("after")
    command = options.get("command", "")
    if kind is FaultKind.FAIL and not command:
        raise ValueError("which commands? say --command 'PATTERN', for instance --command 'tar *'")
    if kind is FaultKind.SLOW and not options:
        raise ValueError("how slow? say --latency 150ms, --bandwidth 64k or both")
    default_size = FLOOD_SIZE if kind is FaultKind.FLOOD else 0
    return Fault(
        kind=kind,
        after_s=None if after is None else parse_duration_s(after),
        latency_s=parse_duration_s(options.get("latency", "0")),
        bytes_per_s=float(parse_size(options.get("bandwidth", "0"))),
        size=parse_size(options["size"]) if "size" in options else default_size,
        command=command,
        exit_status=_parse_exit(options.get("exit", "1")),
        startups=_parse_startups(options.get("startups", "10:30:100")),
    )


def parse_size(text: str) -> int:
    """Bytes meant by `64k`, `10M`, `1G` (powers of 1000) or a bare number."""
    compact = text.strip().lower().removesuffix("b").removesuffix("/s").removesuffix("b")
    number, unit = (compact[:-1], compact[-1]) if compact[-1:].isalpha() else (compact, "")
    if not number.isdigit() or unit not in _SIZE_UNITS:
        raise ValueError(f"{text!r} is no size; write it as 64k, 10M or a number of bytes")
    return int(number) * _SIZE_UNITS[unit]


def _parse_exit(text: str) -> int:
    if not text.isdigit() or not 0 < int(text) < 256:
        raise ValueError(f"{text!r} is no failing exit status; it goes from 1 to 255")
    return int(text)


def _parse_startups(text: str) -> tuple[int, int, int]:
    parts = text.split(":")
    if len(parts) != 3 or not all(part.isdigit() for part in parts):
        raise ValueError(f"{text!r} is not start:rate:full, for instance 10:30:100")
    start, rate, full = (int(part) for part in parts)
    if not (0 < start <= full and 1 <= rate <= 100):
        raise ValueError(f"{text!r}: start may not exceed full, rate goes from 1 to 100")
    return start, rate, full


def in_words(fault: Fault) -> str:
    """`slow --latency 0.15s`: short, as `lab status` shows it."""
    parts = [fault.kind.value]
    if fault.after_s is not None:
        parts.append(f"--after {fault.after_s:g}s")
    if fault.latency_s:
        parts.append(f"--latency {fault.latency_s:g}s")
    if fault.bytes_per_s:
        parts.append(f"--bandwidth {fault.bytes_per_s:g}")
    if fault.command:
        parts.append(f"--command {shlex.quote(fault.command)}")
    if fault.size:
        parts.append(f"--size {fault.size}")
    if fault.kind is FaultKind.FAIL:
        parts.append(f"--exit {fault.exit_status}")
    if fault.kind is FaultKind.MAX_STARTUPS:
        parts.append("--startups " + ":".join(map(str, fault.startups)))
    return " ".join(parts)


def drops_connection(startups: tuple[int, int, int], pending: int, chance: float) -> bool:
    """sshd's rule: `pending` unauthenticated connections there are, `chance` in [0, 1)."""
    start, rate, full = startups
    if pending < start:
        return False
    if pending >= full or rate == 100:
        return True
    percent = rate + (100 - rate) * (pending - start) / (full - start)
    return chance * 100 < percent
