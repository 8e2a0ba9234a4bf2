"""Facts of one host in, remarks out: one small function a check. Pure."""

from __future__ import annotations

import math
import re
import shlex
from collections.abc import Callable, Iterable, Iterator, Mapping

import msgspec

from fleetctl.base.durations import format_duration
from fleetctl.doctor.facts import Facts, Space, Told
from fleetctl.doctor.findings import (
    BASTION,
    CLOCK,
    DISK,
    INODES,
    MEMORY,
    PROGRAMS,
    ROOT,
    SUDO,
    UPTIME,
    Level,
    Remark,
)
from fleetctl.playbook.source import CheckText

OK, WARN, FAIL, UNKNOWN = Level.OK, Level.WARN, Level.FAIL, Level.UNKNOWN
_SIZE = re.compile(r"([0-9]+)([KMGT])i?B?")
_KIB = {"K": 1, "M": 1024, "G": 1024**2, "T": 1024**3}
_NUMBER = re.compile(r"-?[0-9]+(?:\.[0-9]+)?")
_SETTING = re.compile(r"(?i)(MaxStartups|MaxSessions)\s+([0-9:]+)")


class Thresholds(msgspec.Struct, frozen=True):
    """Where a check begins to say something, where no gate of the playbook does."""

    disk_warn: float = 0.10
    """Free share of a file system."""
    disk_fail: float = 0.01
    unpacked: int = 4
    """Room wanted for a release, as a multiple of its archive."""
    inodes_warn: float = 0.10
    inodes_fail: float = 0.01
    memory_warn: float = 0.05
    memory_fail_kib: int = 64 * 1024
    clock_warn_s: float = 2.0
    clock_fail_s: float = 300.0
    """Certificates and one-time codes stop being accepted about there."""
    young_s: float = 3600.0
    """Up for less: it was rebooted just now, and not by a push."""
    sessions_least: int = 4
    """A push has up to so many sessions on one connection to a host."""


DEFAULTS = Thresholds()
Judgement = Callable[[Facts, Thresholds], Iterator[Remark]]


def judge(
    facts: Facts,
    asked: Iterable[str],
    checks: Mapping[str, CheckText],
    limits: Thresholds = DEFAULTS,
) -> list[Remark]:
    """Everything the facts of one host say.

    `asked`: the calls of sections it was sent; what it did not answer is unknown. `checks`: the
    author's that it was asked.
    """
    remarks = [remark for judgement in JUDGEMENTS for remark in judgement(facts, limits)]
    remarks += _unanswered(facts, asked)
    return remarks + [judge_check(text, facts.checks.get(name)) for name, text in checks.items()]


def _unanswered(facts: Facts, asked: Iterable[str]) -> Iterator[Remark]:
    """What was asked and not told: a section that hangs tells nothing."""
    told = {(space.kind, space.path) for space in facts.spaces}
    for section, *words in map(shlex.split, asked):
        if section == "_disk" and tuple(words[:2]) not in told:
            yield Remark(DISK, UNKNOWN, f"df of {words[1]} did not end in time",
                         "a network file system that is gone does that")  # fmt: skip
        elif section == "_sudo" and facts.sudo is None:
            yield Remark(SUDO, UNKNOWN, "sudo did not end in time",
                         "a directory service or a name server that is gone does that")  # fmt: skip
        elif section == "_programs" and not facts.programs.keys() >= set(words[1:]):
            yield Remark(PROGRAMS, UNKNOWN, "not told in time")


def judge_check(check: CheckText, told: Told | None) -> Remark:
    """What an author's own check means."""
    name = check.name
    if told is None or told.status is None:
        return Remark(name, UNKNOWN, f"no answer within {format_duration(check.timeout)}")
    said = told.stderr or told.stdout
    if check.warn is None and check.fail is None:
        if told.status == 0:
            return Remark(name)
        return Remark(name, FAIL, f"exit {told.status}" + (f": {said}" if said else ""))
    found = _NUMBER.search(told.stdout)
    if told.status != 0 or found is None:
        why = f"exit {told.status}" if told.status else "it said no number"
        return Remark(name, UNKNOWN, why + (f": {said}" if said else ""))
    words = f"{found[0]} {check.unit}".rstrip()
    for level, bound in ((FAIL, check.fail), (WARN, check.warn)):
        if bound is not None and bound.passed_by(float(found[0])):
            return Remark(name, level, f"{words} ({bound})")
    return Remark(name)


def _sudo(facts: Facts, limits: Thresholds) -> Iterator[Remark]:
    if facts.sudo == "yes":
        yield Remark(SUDO)
    elif facts.sudo == "missing":
        yield Remark(SUDO, FAIL, "there is no sudo, and steps use it")
    elif facts.sudo == "no":
        said = f": {facts.sudo_said}" if facts.sudo_said else ""
        yield Remark(SUDO, FAIL, f"sudo asks for a password{said}",
                     "steps have no terminal: allow the login NOPASSWD in sudoers")  # fmt: skip


def _programs(facts: Facts, limits: Thresholds) -> Iterator[Remark]:
    must = [name for name, there in facts.programs.items() if not there and name in facts.must]
    may = [name for name, there in facts.programs.items() if not there and name not in facts.must]
    if must:
        yield Remark(PROGRAMS, FAIL, f"not there: {', '.join(must)}", "install them, or mend PATH")
    if may:
        yield Remark(PROGRAMS, WARN, f"steps seem to use {', '.join(may)}, not found on PATH")
    if facts.programs and not must and not may:
        yield Remark(PROGRAMS)


def _spaces(facts: Facts, limits: Thresholds) -> Iterator[Remark]:
    for space in facts.spaces:
        if space.kind == "root" and not space.writable:
            yield Remark(ROOT, FAIL, f"{space.path} cannot be written to",
                         "make it, and give it to the login")  # fmt: skip
        elif space.kind == "root":
            yield Remark(ROOT)
        if space.kind == "gate" and not space.exists:
            yield Remark(DISK, FAIL, f"{space.path} is not there, and a disk gate asks for it")
        else:
            yield _room(space, limits)
            yield from _inodes(space, limits)


def _room(space: Space, limits: Thresholds) -> Remark:
    if space.size_kib is None or space.free_kib is None or not space.size_kib:
        return Remark(DISK, UNKNOWN, f"df tells nothing of {space.path}")
    share = space.free_kib / space.size_kib
    told = f"{_size(space.free_kib)} ({share:.0%}) free of {space.path}"
    needed_kib = need_kib(space.need, space.size_kib)
    if space.kind == "gate":
        if space.free_kib < needed_kib:
            return Remark(DISK, FAIL, f"{told} (its gate needs {space.need})", _HINT)
        return Remark(DISK)
    if space.free_kib < needed_kib or share < limits.disk_fail:
        needs = f" (the release has {_size(needed_kib)})" if needed_kib else ""
        return Remark(DISK, FAIL, told + needs, _HINT)
    if space.free_kib < needed_kib * limits.unpacked:
        needs = f"(the release needs about {_size(needed_kib * limits.unpacked)})"
        return Remark(DISK, WARN, f"{told} {needs}", _HINT)
    if share < limits.disk_warn:
        return Remark(DISK, WARN, told, _HINT)
    return Remark(DISK)


_HINT = "make room before the push"


def need_kib(need: str, size_kib: int) -> int:
    """KiB meant by a gate's `5G` or `15%`, or by a bare number of bytes; none: 0."""
    if need.endswith("%"):
        return size_kib * int(need[:-1]) // 100
    if need.isdigit():
        return -(-int(need) // 1024)
    found = _SIZE.fullmatch(need)
    return int(found[1]) * _KIB[found[2]] if found else 0


def _inodes(space: Space, limits: Thresholds) -> Iterator[Remark]:
    if not space.inodes or space.inodes_free is None:
        return  # some file systems have none to run out of
    share = space.inodes_free / space.inodes
    told = f"{space.inodes_free} inodes ({share:.0%}) free of {space.path}"
    if share < limits.inodes_fail:
        yield Remark(INODES, FAIL, told, "many small files: old sessions, caches, mail")
    elif share < limits.inodes_warn:
        yield Remark(INODES, WARN, told, "many small files: old sessions, caches, mail")
    else:
        yield Remark(INODES)


def _memory(facts: Facts, limits: Thresholds) -> Iterator[Remark]:
    free, total = facts.memory_free_kib, facts.memory_kib
    if free is None or not total:
        yield Remark(MEMORY, UNKNOWN, "its /proc/meminfo does not say")
        return
    told = f"{_size(free)} ({free / total:.0%}) available"
    if free < limits.memory_fail_kib:
        yield Remark(MEMORY, FAIL, told, "see what takes it: fleetctl run HOST -- ps aux")
    elif free / total < limits.memory_warn:
        yield Remark(MEMORY, WARN, told, "see what takes it: fleetctl run HOST -- ps aux")
    else:
        yield Remark(MEMORY)


def _clock(facts: Facts, limits: Thresholds) -> Iterator[Remark]:
    if facts.clock is None:
        yield Remark(CLOCK, UNKNOWN, "its date does not say")
        return
    off_s = facts.clock.off_s
    if abs(off_s) <= limits.clock_warn_s:
        yield Remark(CLOCK)
        return
    way = "ahead of" if off_s > 0 else "behind"
    # Whole seconds, so that hosts that are off alike are told in one line.
    bound_s = math.ceil(facts.clock.most_s - facts.clock.least_s)
    told = f"{format_duration(int(abs(off_s)))} {way} this machine (to within {bound_s} s)"
    level = FAIL if abs(off_s) > limits.clock_fail_s else WARN
    yield Remark(CLOCK, level, told, "start its time service (timedatectl status)")


def _uptime(facts: Facts, limits: Thresholds) -> Iterator[Remark]:
    if facts.uptime_s is None:
        yield Remark(UPTIME, UNKNOWN, "its /proc/uptime does not say")
    elif facts.uptime_s < limits.young_s:
        yield Remark(UPTIME, WARN, f"booted {facts.uptime_s // 60:.0f} min ago",
                     "see why: fleetctl run HOST -- last -x reboot")  # fmt: skip
    elif not facts.reboot_required:
        yield Remark(UPTIME)
    if facts.reboot_required:
        yield Remark(UPTIME, WARN, "it wants to be rebooted (reboot-required)")


def _bastion(facts: Facts, limits: Thresholds) -> Iterator[Remark]:
    if facts.bastion is None:
        return
    # The first word for a setting counts, as sshd has it.
    said = _SETTING.findall(facts.bastion.settings)[::-1]
    settings = {name.lower(): value for name, value in said}
    start = int(settings.get("maxstartups", "10").partition(":")[0] or 10)
    sessions = int(settings.get("maxsessions", "10").partition(":")[0] or 10)
    if sessions < limits.sessions_least:
        yield Remark(BASTION, FAIL, f"MaxSessions {sessions}: a push needs {limits.sessions_least}",
                     "raise it in its sshd_config")  # fmt: skip
    if facts.bastion.early >= start:
        yield Remark(
            BASTION, WARN,
            f"{facts.bastion.early} connections are logging in, MaxStartups {start} is reached",
            "see who they are; sshd drops others at random meanwhile",
        )  # fmt: skip
    elif sessions >= limits.sessions_least:
        yield Remark(BASTION)


def _size(kib: int) -> str:
    number, unit = float(kib), "K"
    for unit in "KMGT":
        if number < 1024 or unit == "T":
            break
        number /= 1024
    return f"{number:.0f}{unit}" if number >= 10 or unit == "K" else f"{number:.1f}{unit}"


JUDGEMENTS: tuple[Judgement, ...] = (
    _bastion, _sudo, _programs, _spaces, _memory, _clock, _uptime,
)  # fmt: skip
