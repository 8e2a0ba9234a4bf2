"""The processes in the slots: started, adopted, heard of, signalled, buried."""

from __future__ import annotations

import os
import select
import signal

from fleetctl.pools.overseer import memory, placeholders, processes
from fleetctl.pools.overseer.pools import Slot

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator
    from typing import NamedTuple

    from fleetctl.pools.overseer.exits import Ended

    class Launch(NamedTuple):
        """What is started for a slot."""

        command: list[str]
        env: dict[str, str]
        """What it has beside the overseer's environment and its kind's."""
        log: str
        cwd: str
        sockets: tuple[int, ...]
        """What it is handed as descriptor 3 and following."""
else:
    from collections import namedtuple

    Launch = namedtuple("Launch", "command env log cwd sockets")

_KNOWS_ITSELF = ("/bin/sh", "-c", 'LISTEN_PID=$$ exec "$@"', "sh")
"""Who is handed sockets finds its own pid in its environment; see sd_listen_fds(3)."""
_OURS = ("NOTIFY_SOCKET", "WATCHDOG_USEC", "WATCHDOG_PID", "LISTEN_FDS", "LISTEN_PID")
"""What systemd told us is not for our daemons."""


class Children:
    """Who is in which slot."""

    def __init__(self, home: str, epoll: select.epoll) -> None:
        self.home = home
        self.by_pid: dict[int, Slot] = {}
        self.env = {
            **{key: value for key, value in os.environ.items() if key not in _OURS},
            "FLEETCTL_OVERSEER": home,
            "NOTIFY_SOCKET": f"{home}/notify.sock",
        }
        self._by_pidfd: dict[int, Slot] = {}
        self._epoll = epoll
        self._kills = memory.oom_kills()

    def speaker(self, pid: int) -> Slot | None:
        """The slot whose process, or child of it, this is."""
        slot = self.by_pid.get(pid)
        if slot is None:
            try:
                slot = self.by_pid.get(os.getpgid(pid))
            except ProcessLookupError:
                return None
        return slot

    def launch(self, slot: Slot, *sockets: int) -> Launch:
        """What is to be started in a slot."""
        pool, kind = slot.pool, slot.pool.kind
        values = {**placeholders.of_pool(pool.name), placeholders.SLOT: str(slot.number)}
        command = [placeholders.fill(word, values) for word in kind.command]
        own = {
            name: placeholders.fill(value, values)
            for name, value in kind.env.items()
            if "{" in value
        }
        env, log = {**own, **_environment(slot)}, self.log_path(slot)
        if sockets:
            env |= {"LISTEN_FDS": str(len(sockets)), "LISTEN_FDNAMES": kind.name}
        return Launch(command, env, log, placeholders.fill(kind.cwd, values), sockets)

    def spawn(self, slot: Slot, launch: Launch) -> int:
        """Start the process of a slot; its pid. Raises OSError when that cannot be."""
        env = {**self.env, **slot.pool.kind.env, **launch.env}
        command = launch.command
        if launch.sockets:
            processes.findable(command[0], env)
            command = [*_KNOWS_ITSELF, *command]
        pid = processes.spawn(command, env, launch.log, launch.cwd, fds=launch.sockets)
        self.take(slot, pid)
        return pid

    def take(self, slot: Slot, pid: int) -> None:
        """A child of ours is the process of this slot. Raises OSError when it is not there."""
        assert slot.life is not None
        slot.life.pidfd = os.pidfd_open(pid)
        self._watch(slot, pid, slot.life.pidfd)

    def log_path(self, slot: Slot) -> str:
        """Where a slot's processes print to."""
        return f"{self.home}/logs/{slot.pool.name.replace('/', '@')}.{slot.number}.log"

    def adopt(self, slot: Slot) -> bool:
        """Take up a process that an overseer before us started; False when it is not there."""
        life = slot.life
        assert life is not None
        if not life.born or processes.born(life.pid) != life.born:
            return False
        try:
            life.pidfd = os.pidfd_open(life.pid)
        except OSError:
            return False
        if processes.born(life.pid) != life.born:
            os.close(life.pidfd)
            return False
        self._watch(slot, life.pid, life.pidfd)
        return True

    def _watch(self, slot: Slot, pid: int, pidfd: int) -> None:
        """Hear of a process, and of its end."""
        self.by_pid[pid] = slot
        self._by_pidfd[pidfd] = slot
        self._epoll.register(pidfd, select.EPOLLIN)

    def strike(self, slot: Slot, number: int, *, group: bool) -> None:
        """Send a signal to a slot's process."""
        life = slot.life
        if life is not None and life.pid:
            processes.strike(life.pid, life.pidfd, number, group=group)

    def ended(self, happened: set[int]) -> Iterator[tuple[Slot, Ended]]:
        """Those that ended, and how."""
        for fd in happened & self._by_pidfd.keys():
            slot = self._by_pidfd.pop(fd)
            life = slot.life
            assert life is not None
            end = processes.ended(life.pid, fd)
            if end.signal == signal.SIGKILL and not life.struck:
                kills = memory.oom_kills()
                end.oom, self._kills = kills > self._kills, kills
            self._epoll.unregister(fd)
            os.close(fd)
            self.by_pid.pop(life.pid, None)
            yield slot, end

    def trim_logs(self) -> None:
        """Keep what daemons print within bounds: the newer half of a file that is too large."""
        for slot in self.by_pid.values():
            processes.trim(self.log_path(slot), slot.pool.kind.log_kb << 10)


def _environment(slot: Slot) -> dict[str, str]:
    """What a daemon finds in its environment of itself."""
    pool, kind = slot.pool, slot.pool.kind
    env = {
        "FLEETCTL_INSTANCE": pool.instance,
        "FLEETCTL_KIND": kind.name,
        "FLEETCTL_SLOT": f"{pool.name}#{slot.number}",
    }
    if slot.number >= pool.least:  # the others are to stay; the highest is to go first
        patience_s = kind.down_after + pool.most - 1 - slot.number
        env["FLEETCTL_DOWN_AFTER"] = f"{patience_s:g}"
    if kind.watchdog:
        env["WATCHDOG_USEC"] = str(round(kind.watchdog * 1e6))
    return env
