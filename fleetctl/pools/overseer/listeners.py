"""Sockets held for pools while they sleep: a connection wakes the pool, whose daemon takes it.

The overseer never accepts. A socket is listened to only while its pool has no process and nothing
keeps it from starting; it stays readable until a daemon has accepted, so no connection is missed by
whatever order things happen in.
"""

from __future__ import annotations

import contextlib
import errno
import os
import select
import socket

from fleetctl.pools.overseer import placeholders
from fleetctl.pools.overseer.states import LIVE, TROUBLED

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from fleetctl.pools.overseer.book import Record
    from fleetctl.pools.overseer.kinds import Kind
    from fleetctl.pools.overseer.pools import Pool

BACKLOG = 1024
PATH_MOST = 107
SPARE = 512
"""Descriptors left for processes, the control socket and so on."""
_MOVED = frozenset(("move", "intent", "hold", "release", "attention", "forgotten"))
"""Records after which a pool may begin or cease to be one that a connection wakes."""


def address(kind: Kind, pool: str) -> str:
    """Where a pool is listened for; empty for one that has no socket."""
    return placeholders.fill(kind.socket, placeholders.of_pool(pool))


def parsed(text: str) -> tuple[str, int] | str:
    """Host and port, or the path. Raises ValueError for what is neither."""
    if text.startswith("/"):
        if len(os.fsencode(text)) > PATH_MOST:
            raise ValueError(f"{text!r} is longer than a socket's path may be ({PATH_MOST} bytes)")
        return text
    host, _, port = text.rpartition(":")
    try:
        socket.inet_pton(socket.AF_INET, host)
        number = int(port) if port.isascii() and port.isdigit() else 0
    except OSError:
        number = 0
    if not 0 < number < 65536:
        raise ValueError(f"{text!r} is neither a path nor an address such as 127.0.0.1:8080")
    return host, number


class Listeners:
    """The sockets of all pools that have one."""

    def __init__(self, epoll: select.epoll, most: int) -> None:
        self.failing: dict[str, str] = {}
        """Pool -> why its socket cannot be had; tried again every second."""
        self._most = most - SPARE
        self._epoll = epoll
        self._wanted: dict[str, str] = {}
        self._fds: dict[str, int] = {}
        self._pools: dict[int, str] = {}
        self._watched: set[int] = set()
        self._missing: dict[str, None] = {}

    def __len__(self) -> int:
        return len(self._fds)

    def held(self, pool: Pool) -> int:
        """The socket of a pool, for its process. Raises OSError when it cannot be had."""
        if pool.name not in self._fds:
            self._open(pool.name)
        return self._fds[pool.name]

    def want(self, pools: Mapping[str, Pool]) -> None:
        """Have the sockets these pools name, and no others."""
        wanted = {name: address(p.kind, name) for name, p in pools.items() if p.kind.socket}
        for name in [name for name, at in self._wanted.items() if wanted.get(name) != at]:
            self._drop(name)
        self._missing = {name: None for name in wanted if name not in self._fds}
        self._wanted, self.failing = wanted, {}
        self.tend(pools)
        for name in wanted:
            self._watch(pools[name])

    def tend(self, pools: Mapping[str, Pool]) -> None:
        """Open what is missing. A process from before a crash has its own: that one goes first."""
        for name in list(self._missing):
            pool = pools.get(name)
            if pool is None or any(slot.state in LIVE for slot in pool.slots):
                continue
            with contextlib.suppress(OSError):
                self._open(name)
                self._watch(pool)

    def _open(self, name: str) -> None:
        """Open a pool's socket."""
        at = self._wanted[name]
        try:
            if len(self._fds) >= self._most:
                raise OSError(errno.EMFILE, "too few descriptors: raise LimitNOFILE", at)
            self._take(name, _opened(at))
        except OSError as error:
            error.filename = at
            self.failing[name] = f"{at}: {error.strerror}"
            raise

    def _take(self, name: str, fd: int) -> None:
        """Hold a pool's socket."""
        self._fds[name], self._pools[fd] = fd, name
        self._missing.pop(name, None)
        self.failing.pop(name, None)

    def _drop(self, name: str) -> None:
        """Let go of a socket that nobody wants any more."""
        fd = self._fds.pop(name, -1)
        if fd < 0:
            return
        self._unwatch(fd)
        del self._pools[fd]
        os.close(fd)
        if self._wanted[name].startswith("/"):
            with contextlib.suppress(OSError):
                os.unlink(self._wanted[name])  # noqa: PTH108

    def heard(self, happened: set[int]) -> list[str]:
        """Pools somebody connected to while they slept; not listened for until they do again."""
        if not self._watched:
            return []
        found = list(happened & self._watched)
        for fd in found:
            self._unwatch(fd)
        return [self._pools[fd] for fd in found]

    def follow(self, records: Iterable[Record], pools: Mapping[str, Pool]) -> None:
        """Listen, or cease to, as pools begin or end to sleep."""
        if not self._fds:
            return
        for name in {r.get("p", "") for r in records if r["e"] in _MOVED}:
            if name in self._fds:
                if name in pools:
                    self._watch(pools[name])
                else:
                    self._drop(name)

    def _watch(self, pool: Pool) -> None:
        """Listen if a connection is to wake the pool, and only then."""
        fd = self._fds.get(pool.name, -1)
        if fd < 0:
            return
        sleeps = pool.usual and not pool.pending
        if not sleeps or any(s.state in LIVE or s.state in TROUBLED for s in pool.slots):
            self._unwatch(fd)
        elif fd not in self._watched:
            self._epoll.register(fd, select.EPOLLIN)
            self._watched.add(fd)

    def _unwatch(self, fd: int) -> None:
        """Do not listen."""
        if fd in self._watched:
            self._watched.discard(fd)
            self._epoll.unregister(fd)

    # -- a program replaced under way --------------------------------------------------------

    def hand_over(self, path: str) -> None:
        """Leave the sockets to the program that takes this one's place."""
        with open(path, "w", encoding="utf-8", errors="surrogateescape") as opened:  # noqa: PTH123
            for name, fd in self._fds.items():
                os.set_inheritable(fd, True)
                opened.write(f"{fd} {name} {self._wanted[name]}\n")

    def take_over(self, path: str) -> None:
        """Take the sockets the program before this one left; `want` says which are needed."""
        for fd, name, at in _handed(path):
            os.set_inheritable(fd, False)
            self._wanted[name] = at
            self._take(name, fd)


def _handed(path: str) -> Iterator[tuple[int, str, str]]:
    """What was handed over: descriptor, pool, address. It is gone when it was read."""
    try:
        with open(path, encoding="utf-8", errors="surrogateescape") as opened:  # noqa: PTH123
            lines = opened.read().splitlines()
        os.unlink(path)  # noqa: PTH108
    except OSError:
        return
    for line in lines:
        fd, name, at = line.split(" ", 2)
        yield int(fd), name, at


def _opened(at: str) -> int:
    """A socket that listens, as a descriptor; a socket left at its path gives way."""
    place = parsed(at)
    family = socket.AF_UNIX if isinstance(place, str) else socket.AF_INET
    with socket.socket(family, socket.SOCK_STREAM | socket.SOCK_CLOEXEC) as sock:
        if isinstance(place, str):
            _clear(place)
            before = os.umask(0o117)
            try:
                sock.bind(place)
            finally:
                os.umask(before)
        else:
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            sock.bind(place)
        sock.listen(BACKLOG)
        return sock.detach()


def _clear(path: str) -> None:
    """Make room for a socket; anything else that lies there stays."""
    import stat

    try:
        if stat.S_ISSOCK(os.lstat(path).st_mode):
            os.unlink(path)  # noqa: PTH108
    except FileNotFoundError:
        return
