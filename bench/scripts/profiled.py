"""Runs fleetctl and writes down the CPU time of its functions, over all its threads.

    python profiled.py RESULT WORD...

Each thread is timed by its own CPU clock, so that nothing a thread waits for is counted.
"""

import atexit
import cProfile
import pstats
import sys
import threading
import time
from types import FrameType

from fleetctl.cli.main import main

PROFILES: list[cProfile.Profile] = []


def begin(frame: FrameType | None = None, event: str = "", arg: object = None) -> None:
    """Profile the present thread from here on."""
    profile = cProfile.Profile(time.thread_time)
    PROFILES.append(profile)
    profile.enable()


def write(path: str) -> None:
    """All threads' figures in one file, for pstats."""
    for profile in PROFILES:
        profile.snapshot_stats()
    shown = [profile for profile in PROFILES if profile.stats]
    pstats.Stats(*shown).dump_stats(path)


result = sys.argv.pop(1)
atexit.register(write, result)
threading.setprofile(begin)
begin()
main()
