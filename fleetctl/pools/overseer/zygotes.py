"""Zygotes: processes that have done a kind's imports, and are forked once per start.

Optional, per kind (`warm`). A start asks the zygote of its kind for a process and goes on; the new
process tells its pid through a channel of its own, and runs the daemon only when the pid is in the
log. It is our own child (we are the reaper of orphans), so its end is known as well as that of one
we exec'd. Whatever goes wrong with a zygote, the start is done by exec instead.
"""

from __future__ import annotations

import contextlib
import os
import select
import socket
import sys

from fleetctl.pools.overseer import failures, processes, zygote

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    from fleetctl.pools.overseer.children import Launch
    from fleetctl.pools.overseer.kinds import Kind
    from fleetctl.pools.overseer.pools import Life, Slot

BOOT = (
    "import _socket;s=_socket.socket(fileno=3);z={'__name__':'zygote'};"
    "exec(s.recv(1<<17),z);exec(*z['serve'](s))"
)
PAD = {"FLEETCTL_PAD": "-" * 240}
"""Where a new process puts its mark, so that it can be known again if the log is gone."""
TITLE_BYTES = 160
IMPORTS_WITHIN_S = 30.0
FORKS_WITHIN_S = 2.0
_PLAIN, _WITH_VALUE = "bBdEhiIOPqRsSuvx", "WX"
"""Options of Python without, and with, a value."""


class Recipe:
    """What a zygote is made from: those with the same recipe share one."""

    __slots__ = ("arguments", "key")

    def __init__(self, command: Sequence[str], modules: Sequence[str], env: object = ()) -> None:
        words = list(command)
        at = 1
        while at < len(words) and words[at].startswith("-") and words[at] != "-m":
            letters = words[at][1:]
            if letters[:1] not in tuple(_WITH_VALUE) and not set(letters) <= set(_PLAIN):
                raise ValueError(f"{words[at]} is no option a zygote knows")
            at += 2 if letters in tuple(_WITH_VALUE) else 1
        named = 2 if words[at : at + 1] == ["-m"] else 1
        place = words[at + named - 1 : at + named]
        if not place or (named == 1 and not place[0].startswith("/")):
            raise ValueError("the command must be python [options] /path/of/script, or -m module")
        if any("{" in word for word in words[: at + named]):
            raise ValueError("program and script must be the same for all instances")
        self.arguments = at + named
        """Where in the command those of the daemon begin."""
        mode = "module" if named == 2 else "script"
        self.key = (tuple(words[:at]), (mode, place[0], *modules), env)


class Zygote:
    """One such process, or none at the moment."""

    def __init__(self, name: str, recipe: Recipe, env: Mapping[str, str]) -> None:
        self.name = name
        self.key = recipe.key
        self.env = env
        self.pid = 0
        self.failures = 0
        self.start_at = 0.0
        self.ready = False
        self.due = float("inf")
        """When patience with its imports ends."""
        self._pidfd = -1
        self._control: socket.socket | None = None
        self._spare: socket.socket | None = None
        """The channel of a process that was forked beforehand, and knows nothing yet."""

    @property
    def fd(self) -> int:
        """Where it is heard; -1 when there is none."""
        return self._control.fileno() if self._control else -1

    def start(self, env: Mapping[str, str], log: str, now: float) -> bool:
        """Begin its imports; False when it cannot be started, and then later again."""
        mine, its = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        try:
            title = f"fleetctl-zygote:{self.name}".ljust(TITLE_BYTES)
            command = [*self.key[0], "-c", BOOT, title]
            whole = {**env, **self.env, **PAD}
            self.pid = processes.spawn(command, whole, log, "", fds=(its.fileno(),))
            self._pidfd = os.pidfd_open(self.pid)
            mine.setblocking(False)
            mine.send(_text())
            mine.send("\0".join(self.key[1]).encode("utf-8", "surrogateescape"))
        except OSError:
            mine.close()
            self.rest(now)
            return False
        finally:
            its.close()
        self._control, self.ready, self.due = mine, False, now + IMPORTS_WITHIN_S
        return True

    def begin(self, request: bytes, *fds: int) -> socket.socket:
        """Have one process begin, with these descriptors; the channel it answers on.

        The next one is forked meanwhile. Raises OSError when there is none to be had.
        """
        channel = self._spare or self._forked()
        self._spare = None
        try:
            channel.sendmsg([request], [_rights(fds)] if fds else [])
        except OSError:
            channel.close()
            raise
        with contextlib.suppress(OSError):
            self._spare = self._forked()
        return channel

    def _forked(self) -> socket.socket:
        """Ask for a process; its channel. Raises OSError."""
        assert self._control is not None
        mine, its = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        try:
            mine.setblocking(False)
            self._control.sendmsg([b"f"], [_rights((its.fileno(),))])
        except OSError:
            mine.close()
            raise
        finally:
            its.close()
        return mine

    def hear(self, now: float) -> bool:
        """What it says of itself; False when it is to be let go."""
        assert self._control is not None
        try:
            word = self._control.recv(64)
        except BlockingIOError:
            return True
        except OSError:
            word = b""
        if word == zygote.READY:
            self.ready, self.failures, self.due = True, 0, float("inf")
            with contextlib.suppress(OSError):
                self._spare = self._spare or self._forked()
            return True
        if word == zygote.STALE:
            self.end()
            self.start_at = now
        else:
            self.rest(now)
        return False

    def rest(self, now: float) -> None:
        """End it; it is made anew later, after each failure in a row later still."""
        self.end()
        self.failures += 1
        self.start_at = now + failures.delay_s(self.failures, 0.5)

    def end(self) -> None:
        """Let go of the process. Those it was forked into are not touched."""
        for sock in (self._control, self._spare):
            if sock is not None:
                sock.close()
        if self.pid and self._pidfd >= 0:
            processes.strike_group(self.pid, 9)
            processes.ended(self.pid, self._pidfd, block=True)
            os.close(self._pidfd)
        self.pid, self._pidfd, self.ready = 0, -1, False
        self._control = self._spare = None
        self.due = float("inf")


class Asked:
    """A start that a zygote was asked for."""

    __slots__ = ("channel", "due", "life", "slot", "zygote")

    def __init__(
        self, slot: Slot, life: Life, channel: socket.socket, zygote: Zygote, due: float
    ) -> None:
        self.slot = slot
        self.life = life
        self.channel = channel
        self.zygote = zygote
        self.due = due

    def pid(self) -> int:
        """The new process; 0 when the zygote made none. Raises OSError as a start by exec does."""
        try:
            word = self.channel.recv(64)
        except OSError:
            return 0
        if word[:1] == b"!":
            raise OSError(int(word[1:]), os.strerror(int(word[1:])))
        return int(word) if word.isdigit() else 0

    def refuse(self) -> None:
        """Let the new process, if there is one, end without having begun."""
        self.channel.close()


class Zygotes:
    """All of a host's, and the starts they were asked for."""

    def __init__(self, home: str, epoll: select.epoll, env: Mapping[str, str]) -> None:
        self.started = 0
        """Processes that came from a zygote."""
        self._home = home
        self._env = env
        self._epoll = epoll
        self._all: dict[object, Zygote] = {}
        self._recipes: dict[str, Recipe] = {}
        self._asked: dict[int, Asked] = {}
        self._overdue: set[int] = set()
        self._confirmed: list[socket.socket] = []
        self._reaper = False

    def __len__(self) -> int:
        return sum(one.ready for one in self._all.values())

    @property
    def failing(self) -> int:
        """How many cannot be had at the moment, because of errors."""
        return sum(one.failures > 0 for one in self._all.values())

    @property
    def pids(self) -> set[int]:
        """Their processes."""
        return {one.pid for one in self._all.values()}

    @property
    def reaper(self) -> bool:
        """Orphans come to us, and no start is under way whose process we do not know."""
        return self._reaper and not self._asked

    def want(self, kinds: Iterable[Kind]) -> None:
        """Have one for each of these kinds that wants it, all of the code that is there now."""
        self.end()
        self._all, self._recipes = {}, {}
        for kind in kinds:
            if not kind.warm:
                continue
            recipe = recipe_of(kind)
            self._recipes[kind.generation] = recipe
            self._all.setdefault(recipe.key, Zygote(kind.name, recipe, kind.env))
        if self._all and not self._reaper:
            self._reaper = processes.become_reaper()

    def tend(self, now: float) -> None:
        """Make those that are not there, and give up on those that take too long."""
        for one in self._all.values():
            if self._reaper and not one.pid and one.start_at <= now:
                log = f"{self._home}/logs/zygote.{one.name}.log"
                if one.start(self._env, log, now):
                    self._epoll.register(one.fd, select.EPOLLIN)
            elif one.due <= now:
                one.rest(now)
        for fd, asked in self._asked.items():
            if asked.due <= now:
                self._overdue.add(fd)
                asked.zygote.rest(now)

    def ask(self, slot: Slot, launch: Launch, now: float) -> bool:
        """Ask for a process for a slot; False when it must be had by exec."""
        life, recipe = slot.life, self._recipes.get(slot.pool.kind.generation)
        one = self._all.get(recipe.key) if recipe else None
        if recipe is None or one is None or life is None or not one.pid:
            return False
        try:
            mine = one.begin(_request(launch, recipe.arguments), *launch.sockets)
        except OSError:
            return False
        due = max(now, one.due if one.due < float("inf") else now) + FORKS_WITHIN_S
        self._asked[mine.fileno()] = Asked(slot, life, mine, one, due)
        self._epoll.register(mine.fileno(), select.EPOLLIN)
        return True

    def read(self, happened: set[int], now: float) -> Iterator[Asked]:
        """What became of starts. A new process does nothing before `confirm`; else it ends."""
        for one in self._all.values():
            if one.fd in happened:
                one.hear(now)
        for fd in (happened | self._overdue) & self._asked.keys():
            asked = self._asked.pop(fd)
            self._epoll.unregister(fd)
            yield asked
        self._overdue.clear()

    def confirm(self, asked: Asked) -> None:
        """Its pid is a record; it may run as soon as that is written down (`release`)."""
        self._confirmed.append(asked.channel)
        self.started += 1

    def release(self) -> None:
        """What was recorded is written: let the new processes run."""
        for channel in self._confirmed:
            with contextlib.suppress(OSError):
                channel.send(zygote.GO)
            channel.close()
        self._confirmed.clear()

    def end(self) -> None:
        """Let go of all; starts under way end by themselves, and are heard of."""
        for one in self._all.values():
            one.end()

    def close(self) -> None:
        """We are leaving: processes that nobody wrote down yet end by themselves."""
        self.release()
        self.end()
        for asked in self._asked.values():
            asked.channel.close()
        self._asked.clear()


def recipe_of(kind: Kind) -> Recipe:
    """The recipe of a kind. Raises ValueError, saying why it cannot be had warm."""
    return Recipe(kind.command, kind.warm, tuple(sorted(kind.env.items())))


def _request(launch: Launch, arguments: int) -> bytes:
    """What a new process is told: whose child it is to be, then word by word."""
    words = [str(os.getpid()), f"l{launch.log}", f"d{launch.cwd}"]
    words += [f"a{word}" for word in launch.command[arguments:]]
    words += [f"e{name}={value}" for name, value in launch.env.items()]
    return "\0".join(words).encode("utf-8", "surrogateescape")


def _rights(fds: Sequence[int]) -> tuple[int, int, bytes]:
    """Descriptors as the kernel hands them on."""
    return (
        socket.SOL_SOCKET,
        socket.SCM_RIGHTS,
        b"".join(fd.to_bytes(4, sys.byteorder) for fd in fds),
    )


def _text() -> bytes:
    """The program of a zygote."""
    loader = zygote.__loader__
    assert loader is not None
    source = zygote.__file__  # which may be what Python compiled of it
    if source.endswith(".pyc"):
        source = source[:-1]
    data: bytes = loader.get_data(source)  # type: ignore[attr-defined]
    return data
