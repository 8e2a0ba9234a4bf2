"""What was found: level, hosts, a sentence, a way out; folded, ordered, made an exit code."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from enum import IntEnum

import msgspec

from fleetctl.base.errors import ExitCode


class Level(IntEnum):
    """How bad it is, worst first."""

    FAIL = 0
    """A push would be stopped by it, or lose hosts to it."""
    UNKNOWN = 1
    """It could not be looked at; never taken for fine."""
    WARN = 2
    OK = 3

    @property
    def word(self) -> str:
        return self.name if self is not Level.OK else "ok"


PLAN = "plan"
RELEASES = "releases"
LEASE = "lease"
REACH = "reach"
HOST_KEY = "host key"
BASTION = "bastion"
SUDO = "sudo"
PROGRAMS = "programs"
ROOT = "deploy root"
DISK = "disk"
INODES = "inodes"
MEMORY = "memory"
CLOCK = "clock"
UPTIME = "uptime"
LIVE = "live release"
SCHEMA = "schemas"

ORDER = (PLAN, RELEASES, LEASE, BASTION, HOST_KEY, REACH, SUDO, PROGRAMS, ROOT, DISK, INODES,
         MEMORY, SCHEMA, LIVE, CLOCK, UPTIME)  # fmt: skip
"""Within a level: what stops a push earliest comes first; checks of the author's own come last."""


class Remark(msgspec.Struct, frozen=True):
    """What one check says of one host; without words: it is fine."""

    check: str
    level: Level = Level.OK
    text: str = ""
    hint: str = ""


class Finding(msgspec.Struct, frozen=True):
    """What one check says of several hosts; of none: of the fleet, or of this machine."""

    check: str
    level: Level
    hosts: tuple[str, ...]
    text: str
    hint: str = ""


def fold(remarks: Iterable[tuple[str, Remark]]) -> list[Finding]:
    """Equal remarks of several hosts as one finding; the worst first, then by what stops earliest.

    Hosts keep the order they came in. An empty name stands for no host. A host is fine by a check
    that had several looks (two file systems) when none of them found anything.
    """
    groups: dict[Remark, dict[str, None]] = {}
    bad: set[tuple[str, str]] = set()
    for host, remark in remarks:
        groups.setdefault(remark, {})[host] = None
        if remark.level is not Level.OK:
            bad.add((host, remark.check))
    for remark, hosts in groups.items():
        if remark.level is Level.OK:
            for host in [host for host in hosts if (host, remark.check) in bad]:
                del hosts[host]
    findings = [
        Finding(remark.check, remark.level, tuple(filter(None, hosts)), remark.text, remark.hint)
        for remark, hosts in groups.items()
        if hosts
    ]
    checks = list(dict.fromkeys([*ORDER, *(finding.check for finding in findings)]))
    place = {check: index for index, check in enumerate(checks)}
    return sorted(findings, key=lambda found: (found.level, place[found.check]))


def exit_code(findings: Sequence[Finding], unreached: Iterable[str] = ()) -> ExitCode:
    """8: a push would be stopped; 3: something could not be looked at; 4: only unreached hosts.

    What could not be looked at only because its host was not reached counts as the latter.
    """
    away = set(unreached)
    stops = {found.check for found in findings if found.level is Level.FAIL}
    if stops - {REACH}:
        return ExitCode.REFUSED
    unknown = [found for found in findings if found.level is Level.UNKNOWN]
    if any(not found.hosts or not away.issuperset(found.hosts) for found in unknown):
        return ExitCode.UNKNOWN
    return ExitCode.UNREACHABLE if stops or unknown else ExitCode.OK
