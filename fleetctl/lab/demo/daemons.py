"""What the demonstration shows of daemon pools: all asleep, and one that a task wakes."""

from __future__ import annotations

import sys
import time

from fleetctl.base.errors import FleetError
from fleetctl.lab.demo.stage import Show
from fleetctl.lab.layout import read_state
from fleetctl.lab.shortcut import overseer_folder
from fleetctl.pools.local import Overseer

_HOST, _POOL = "repo007", "s007-i001/pull"
_WITHIN_S, _LOOK_S = 20.0, 0.1


def install_overseers(show: Show, instances: int) -> None:
    """Give each repo host its instances, and an overseer that keeps their daemons."""
    state = read_state(show.layout)
    assert state is not None
    repo = [host.name for host in state.hosts if host.tier == "repo"]
    for number, host in enumerate(repo, 1):
        names = (f"s{number:03d}-i{i:03d}" for i in range(1, instances + 1))
        text = "".join(f"{name} - active\n" for name in names)
        (show.layout.home(host) / "instances").write_text(text)
    show.say(f"4. An overseer on each repo host, for {instances} instances with three pools each;")
    show.say("   what it would change, told first, is left out here, too\n")
    words = ("--tier", "repo", "--batch", "100%", "--soak", "0s", "--yes")
    show.run("pools", "install", *words, quiet=True)


def show_pools(show: Show) -> None:
    """All pools of the fleet at a glance; then a task, which wakes one."""
    show.say("\n7. The daemon pools of all hosts: asleep, and without a process\n")
    show.run("pools", "status")
    show.say(f"A task for {_POOL} on {_HOST}; the host looks twice a second who has tasks:\n")
    python, file = sys.executable, "app/run/tasks.db"
    add = (python, "-S", "app/current/bin/tasks.py", "add", file, *_POOL.split("/"))
    put = show.hear("run", "--host", _HOST, "--yes", "--", *add)
    put_s = float(put.split()[-1])
    state = read_state(show.layout)
    assert state is not None
    with Overseer(overseer_folder(show.layout, state.id, _HOST)) as overseer:
        woken_s, asleep_s = _nap(overseer, put_s)
    show.say(
        f"{_POOL} was at work {woken_s - put_s:.2f} s after the task had come,"
        f" and asleep again {asleep_s - woken_s:.1f} s later."
    )


def _nap(overseer: Overseer, since_s: float) -> tuple[float, float]:
    """Unix times at which the pool was ready, and asleep again; raises FleetError."""
    until_s = time.monotonic() + _WITHIN_S
    while time.monotonic() < until_s:
        events = overseer.ask("events", pools=[_POOL], last=50)["events"]
        moves = {event.get("x"): event["w"] for event in events if event.get("w", 0.0) > since_s}
        if "ready" in moves and "slept" in moves:
            return moves["ready"], moves["slept"]
        time.sleep(_LOOK_S)
    raise FleetError(f"{_POOL} did not wake and sleep again within {_WITHIN_S:.0f} s")
