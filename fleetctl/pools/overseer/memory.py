"""What memory and processor the host has left; figures in, verdicts out."""

from __future__ import annotations

from fleetctl.pools.overseer.processes import read_text

RESERVE = 0.10
"""Part of the memory that growth leaves alone."""
FLOOR = 0.03
"""Part of the memory below which nothing starts at all."""
PRESSURE_MOST = 20.0
"""Percent of the last ten seconds in which somebody stood still for memory."""
STARVED_MOST = 60.0
"""The same for the processor, beyond which what looks hung may merely be slow."""


class Memory:
    """The host's memory as of one look."""

    __slots__ = ("available_mb", "pressed", "starved", "total_mb")

    def __init__(
        self, available_mb: float, total_mb: float, pressed: float, starved: float
    ) -> None:
        self.available_mb = available_mb
        self.total_mb = total_mb
        self.pressed = pressed
        self.starved = starved

    def fits(self, starting_mb: float, reserve: float = RESERVE) -> bool:
        """Whether more may grow, with this much promised to those that are starting."""
        left = (self.available_mb - starting_mb) / self.total_mb
        return left > reserve and self.pressed < PRESSURE_MOST

    def fullness(self, reserve: float = RESERVE) -> float:
        """Percent of the memory that may be used at all: from 100 on nothing grows any more."""
        used = self.total_mb - self.available_mb
        return 100 * used / (self.total_mb * max(1 - reserve, 0.01))

    def floor_reached(self, floor: float = FLOOR) -> bool:
        """So little is left that nothing may start."""
        return self.available_mb / self.total_mb < floor


def look() -> Memory:
    """Ask the kernel: the host's memory, or our control group's where that is narrower."""
    fields = {}
    for line in read_text("/proc/meminfo").split("\n"):
        words = line.split()
        if len(words) > 1:
            fields[words[0]] = int(words[1]) / 1024
    available, total = fields.get("MemAvailable:", 1e9), fields.get("MemTotal:", 1e9)
    limit, used = _group("memory.max"), _group("memory.current")
    if limit is not None and used is not None and limit < total:
        available, total = min(available, limit - used), limit
    return Memory(available, total, pressure("memory"), pressure("cpu"))


def pressure(what: str) -> float:
    """Percent of the last ten seconds in which somebody stood still for it; 0 if nobody counts."""
    for word in read_text(f"/proc/pressure/{what}").split():
        if word.startswith("avg10="):
            return float(word[6:])
    return 0.0


def group_folder() -> str:
    """Our control group (version 2), as a folder; empty where there is none."""
    for line in read_text("/proc/self/cgroup").split("\n"):
        if line.startswith("0::"):
            return "/sys/fs/cgroup" + line[3:]
    return ""


def _group(name: str) -> float | None:
    """A figure of our control group in MiB; None for no limit or no group."""
    text = read_text(f"{group_folder()}/{name}").strip()
    return int(text) / 1048576 if text.isdigit() else None


def oom_kills() -> int:
    """How often the kernel killed somebody of our control group for memory."""
    words = read_text(f"{group_folder()}/memory.events").split()
    return int(words[words.index("oom_kill") + 1]) if "oom_kill" in words else 0
