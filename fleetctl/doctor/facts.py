"""What one host told, read from its lines; whatever is missing was not told."""

from __future__ import annotations

import re
from collections.abc import Mapping

import msgspec

_TICK_S = 0.01
"""What /proc/uptime counts in."""
_NUMBER = re.compile(r"-?[0-9]+(\.[0-9]+)?")


class Space(msgspec.Struct, frozen=True):
    """The file system a path is on."""

    kind: str
    """`gate`: a disk gate asks for it. `root`: releases go there. `home`: our own records do."""
    path: str
    need: str
    """`5G`, `15%`, bytes as a bare number, or empty."""
    exists: bool
    writable: bool
    """Whether it, or what is there of it, may be written to."""
    size_kib: int | None
    free_kib: int | None
    inodes: int | None = None
    inodes_free: int | None = None


class Told(msgspec.Struct, frozen=True):
    """How a text ended that was run on the host, and the last line of each stream."""

    status: int | None
    """None: it did not end in time."""
    stdout: str = ""
    stderr: str = ""


class Clock(msgspec.Struct, frozen=True):
    """The host's clock against ours: its lead lies between the two, in seconds."""

    least_s: float
    most_s: float

    @property
    def off_s(self) -> float:
        """How far it is off at least; 0 when it may be right."""
        if self.least_s <= 0 <= self.most_s:
            return 0.0
        return self.least_s if self.least_s > 0 else self.most_s


class Bastion(msgspec.Struct, frozen=True):
    """Connections of a host others are reached through."""

    connections: int
    early: int
    """Not logged in yet, as far as its processes tell."""
    settings: str
    """The lines of its sshd_config that matter, if it may be read."""


class Facts(msgspec.Struct, frozen=True):
    """Everything one host told."""

    ended: bool
    """Whether all was told within the deadline."""
    clock: Clock | None = None
    uptime_s: float | None = None
    reboot_required: bool = False
    memory_kib: int | None = None
    memory_free_kib: int | None = None
    spaces: tuple[Space, ...] = ()
    sudo: str | None = None
    """yes, no, missing; None: not told."""
    sudo_said: str = ""
    programs: Mapping[str, bool] = {}
    """Program -> whether it is there."""
    must: frozenset[str] = frozenset()
    """Those of them that are surely used."""
    live: Told | None = None
    checks: Mapping[str, Told] = {}
    bastion: Bastion | None = None


class Heard(msgspec.Struct, frozen=True):
    """What came back of one look, and when."""

    said: str
    ended: bool
    duration_s: float
    """From its start to its end, as we saw it."""
    at_s: float
    """Unix time here at its end."""


def read_facts(heard: Heard) -> Facts:
    """The facts in what a host said; lines that are none of ours are passed over."""
    lines = [line[2:].split("\t") for line in heard.said.split("\n") if line.startswith("::")]
    of: dict[str, list[list[str]]] = {}
    for kind, *fields in lines:
        of.setdefault(kind, []).append(fields)
    memory = {fields[0]: _number(fields[1]) for fields in of.get("memory", ()) if len(fields) == 2}
    up_s = _uptimes(of)
    sudo = next((fields for fields in of.get("sudo", ()) if len(fields) == 2), [None, ""])
    return Facts(
        ended=heard.ended and "end" in of,
        clock=_clock(of, heard, up_s),
        uptime_s=up_s[0] if up_s else None,
        reboot_required="reboot required" in of,
        memory_kib=_whole(memory.get("MemTotal")),
        memory_free_kib=_whole(memory.get("MemAvailable")),
        spaces=tuple(
            _space(kind, fields)
            for kind in ("gate", "root", "home")
            for fields in of.get(kind, ())
            if len(fields) == 5
        ),
        sudo=sudo[0],
        sudo_said=sudo[1] or "",
        programs={f[1]: f[2] == "yes" for f in of.get("program", ()) if len(f) == 3},
        must=frozenset(f[1] for f in of.get("program", ()) if f[0] == "must"),
        live=next((_told(fields[-1]) for fields in of.get("live", ())), None),
        checks={fields[0]: _told(fields[-1]) for fields in of.get("check", ())},
        bastion=_bastion(of),
    )


def _uptimes(of: Mapping[str, list[list[str]]]) -> list[float]:
    """At the first line, and at the last if there is one."""
    texts = [fields[-1] for kind in ("clock", "end") for fields in of.get(kind, ())[:1]]
    return [number for text in texts if (number := _number(text)) is not None]


def _clock(of: Mapping[str, list[list[str]]], heard: Heard, up_s: list[float]) -> Clock | None:
    """Its lead over ours; our time of its first line is bounded by both ends of the look."""
    fields = next(iter(of.get("clock", ())), [])
    theirs_s = _number(fields[0]) if fields else None
    if theirs_s is None:
        return None
    since_s = max(0.0, up_s[1] - up_s[0] - _TICK_S) if len(up_s) == 2 else 0.0
    latest_s, earliest_s = heard.at_s - since_s, heard.at_s - heard.duration_s
    # A clock of whole seconds may be up to one further on.
    grain_s = 0.0 if "." in fields[0].rstrip("N.") else 1.0
    return Clock(theirs_s - latest_s, theirs_s + grain_s - earliest_s)


def _space(kind: str, fields: list[str]) -> Space:
    path, need, state, room, inodes = fields
    there, _, may = state.partition(" ")
    size, _, free = room.partition(" ")
    files, _, files_free = inodes.partition(" ")
    return Space(
        kind,
        path,
        need,
        there == "yes",
        may == "yes",
        *(_whole(_number(text)) for text in (size, free, files, files_free)),
    )


def _told(text: str) -> Told:
    """From lines marked `o` (its output) and `e` (its errors), the last of the output `rc=N`."""
    lines = text.rstrip("\r").split("\r")
    out = [line[1:].strip() for line in lines if line.startswith("o")]
    err = [line[1:].strip() for line in lines if line.startswith("e")]
    status = _number(out[-1].removeprefix("rc=")) if out else None
    said = [line for line in out[:-1] if line]
    return Told(_whole(status), said[-1] if said else "", next((e for e in err[::-1] if e), ""))


def _bastion(of: Mapping[str, list[list[str]]]) -> Bastion | None:
    fields = next((fields for fields in of.get("bastion", ()) if len(fields) == 3), None)
    if fields is None:
        return None
    return Bastion(int(_number(fields[0]) or 0), int(_number(fields[1]) or 0), fields[2])


def _number(text: str) -> float | None:
    found = _NUMBER.match(text)
    return float(found[0]) if found else None


def _whole(number: float | None) -> int | None:
    return None if number is None else int(number)
