"""Kinds of daemons: what is started for a pool, how many, and what is expected of it."""

from __future__ import annotations

import json
from hashlib import sha256

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping

RUN = "run"
ASLEEP = "asleep"
ONESHOT = "done"
RESTART = "restart"
SLEEP = "hibernate"

DEFAULTS: dict[str, object] = {
    "command": (),
    "cwd": "",
    "env": {},
    "min": 0,
    "max": 1,
    "at_start": RUN,
    "ready": "notify",
    "on_clean_exit": RESTART,
    "start_timeout": 90.0,
    "watchdog": 0.0,
    "stop_grace": 15.0,
    "up_after": 2.0,
    "down_after": 15.0,
    "max_sleep": 21600.0,
    "memory_mb": 32,
    "log_kb": 256,
    "queue": "",
    "warm": (),
    "socket": "",
}
"""Every key of a kind with what it is when nobody says; the type of the default is its type."""

CHOICES = {
    "at_start": (RUN, ASLEEP),
    "ready": ("notify", "exec"),
    "on_clean_exit": (RESTART, SLEEP, ONESHOT),
}
BOUNDS = {
    "min": (0, 1000),
    "max": (1, 1000),
    "start_timeout": (0.1, 86400.0),
    "watchdog": (0.0, 86400.0),
    "stop_grace": (0.0, 86400.0),
    "up_after": (0.0, 3600.0),
    "down_after": (0.0, 86400.0),
    "max_sleep": (1.0, 30 * 86400.0),
    "memory_mb": (0, 1 << 20),
    "log_kb": (1, 1 << 20),
}
"""Lowest and highest sensible values; times in seconds."""


_LATER = ("warm", "socket")
"""Keys that came later: where they are not used, generations are what they were without them."""


class Kind:
    """One kind of daemon, frozen; its hash is the generation a process is started from."""

    __slots__ = (
        "at_start",
        "command",
        "cwd",
        "down_after",
        "env",
        "generation",
        "log_kb",
        "max",
        "max_sleep",
        "memory_mb",
        "min",
        "name",
        "on_clean_exit",
        "queue",
        "ready",
        "socket",
        "start_timeout",
        "stop_grace",
        "up_after",
        "warm",
        "watchdog",
    )

    def __init__(self, name: str, given: Mapping[str, object]) -> None:
        values: dict[str, object] = {**DEFAULTS, **given}
        self.name = name
        self.command: tuple[str, ...] = tuple(values["command"])  # type: ignore[arg-type]
        self.cwd = str(values["cwd"])
        self.env: dict[str, str] = dict(values["env"])  # type: ignore[call-overload]
        self.min = int(values["min"])  # type: ignore[call-overload]
        self.max = int(values["max"])  # type: ignore[call-overload]
        self.at_start = str(values["at_start"])
        self.ready = str(values["ready"])
        self.on_clean_exit = str(values["on_clean_exit"])
        self.start_timeout = _seconds(values["start_timeout"])
        self.watchdog = _seconds(values["watchdog"])
        self.stop_grace = _seconds(values["stop_grace"])
        self.up_after = _seconds(values["up_after"])
        self.down_after = _seconds(values["down_after"])
        self.max_sleep = _seconds(values["max_sleep"])
        self.memory_mb = int(values["memory_mb"])  # type: ignore[call-overload]
        self.log_kb = int(values["log_kb"])  # type: ignore[call-overload]
        self.queue = str(values["queue"])
        self.warm: tuple[str, ...] = tuple(values["warm"])  # type: ignore[arg-type]
        self.socket = str(values["socket"])
        for key in _LATER:
            if not values[key]:
                del values[key]
        spoken = json.dumps([name, values], sort_keys=True, default=list)
        self.generation = sha256(spoken.encode()).hexdigest()[:12]


def _seconds(value: object) -> float:
    assert isinstance(value, (int, float))
    return float(value)
