"""`fleetctl-overseer`: the program; runs in the foreground, under systemd or without it."""

from __future__ import annotations

import os
import re
import resource
import signal
import socket
import sys
import time

from fleetctl.pools.overseer import answers, orders
from fleetctl.pools.overseer.amounts import counted
from fleetctl.pools.overseer.loop import Overseer
from fleetctl.pools.overseer.sheets import nearest
from fleetctl.pools.overseer.specs import SpecError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence

USAGE = """\
usage: fleetctl-overseer --home DIR --specs DIR [--reserve PERCENT]
       fleetctl-overseer --specs DIR --check
       fleetctl-overseer --home DIR --ask REQUEST
       fleetctl-overseer --home DIR --lay | --well | --leave

Keeps the daemon pools of a host. --home is where its sockets, log and state are (0700).
--ask sends the overseer that works there one request, as {"do": "status"}. The last three are how
`fleetctl pools install` lays it down, asks whether that was well, and takes it away.
SIGTERM  leave the daemons running and exit: the next overseer adopts them
SIGINT   end all daemons, then exit
SIGHUP   read the specs anew
SIGUSR2  replace this program by what is installed now; no daemon notices
"""
INHERITED = "FLEETCTL_OVERSEER_SOCKETS"
ALONE = ("--ask", "--lay", "--well", "--leave")
"""These are done before anything of this module is loaded (`entry`)."""
EXIT_USAGE, EXIT_INPUT, EXIT_HELD = 2, 5, 7
PATH_MOST = 90
"""A socket's path may have 107 bytes; the names of ours come after this."""


class _Signals:
    """Signals as bytes in a pipe, so that the loop hears of them in its turn."""

    def __init__(self, overseer: Overseer) -> None:
        self.reader, writer = os.pipe2(os.O_NONBLOCK | os.O_CLOEXEC)
        signal.set_wakeup_fd(writer, warn_on_full_buffer=False)
        for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP, signal.SIGUSR2, signal.SIGIO):
            signal.signal(number, lambda _number, _frame: None)
        overseer.epoll.register(self.reader, 1)

    def read(self) -> set[int]:
        """The signals since the last time."""
        try:
            return set(os.read(self.reader, 4096))
        except BlockingIOError:
            return set()


def main(words: Sequence[str] | None = None) -> int:
    """Run until told to end; the exit code."""
    try:
        home, folder, reserve, check = _parse(list(sys.argv[1:] if words is None else words))
    except ValueError as error:
        sys.stderr.write(f"fleetctl-overseer: {error}\n{USAGE}")
        return EXIT_USAGE
    try:
        if check:
            return _check(folder)
        if not _hold(home):
            sys.stderr.write(f"{home}: another overseer works here\n")
            return EXIT_HELD
        return _run(Overseer(home, folder, reserve=reserve))
    except SpecError as error:
        sys.stderr.write(f"{error}\n")
        return EXIT_INPUT


def _parse(words: list[str]) -> tuple[str, str, float, bool]:
    """Home, specs, reserve, whether only to check; ValueError says what is wrong with the words."""
    given = {"--home": "", "--specs": "", "--reserve": "10"}
    check = "--check" in words
    words = [word for word in words if word != "--check"]
    for key in words[::2]:
        if key in ALONE:
            raise ValueError(f"{key} stands alone behind --home DIR")
        if key not in given:
            raise ValueError(f"what is {key!r}? {nearest(key, (*given, '--check', *ALONE))}")
    if len(words) % 2:
        raise ValueError(f"{words[-1]} needs a value")
    given.update(zip(words[::2], words[1::2]))
    for key in ("--specs",) if check else ("--home", "--specs"):
        if not given[key]:
            raise ValueError(f"{key} DIR is missing")
    home, folder = (os.path.abspath(given[key]) for key in ("--home", "--specs"))  # noqa: PTH100
    percent = given["--reserve"]
    if not re.fullmatch(r"[0-9]{1,2}(\.[0-9]*)?", percent):
        raise ValueError(f"--reserve {percent!r} is no percentage below 100")
    if given["--home"] and len(home.encode()) > PATH_MOST:
        raise ValueError(f"--home {home} is longer than {PATH_MOST} bytes: sockets are put into it")
    return home, folder, float(percent) / 100, check


def _check(folder: str) -> int:
    """Read the specs, tell how many pools they make."""
    from fleetctl.pools.overseer import programs, specs

    found = specs.read(folder)
    for line in programs.in_words(programs.Programs(found.pools.items()).missing()):
        sys.stderr.write(f"warning: {line}\n")
    sources = counted(len(found.attention), "source of attention")
    sys.stdout.write(f"{counted(len(found.pools), 'pool')}, {sources}\n")
    return 0


def _hold(home: str) -> bool:
    """Be the only overseer of a folder, until this process ends."""
    import fcntl

    os.makedirs(home, 0o700, exist_ok=True)  # noqa: PTH103
    descriptor = os.open(f"{home}/lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        return False
    return True


def _run(overseer: Overseer) -> int:
    """Turn after turn until the end."""
    _lift_limit()
    signals = _Signals(overseer)
    heard, asked = _inherited()
    done = overseer.open(heard)
    overseer.serve(lambda request: answers.answer(overseer, request), asked)
    overseer.spool.watch()
    _settle_memory()
    systemd = _Systemd()
    found = len(overseer.core.book.pools)
    systemd.tell(
        f"READY=1\nSTATUS={counted(found, 'pool')}, {counted(done['adopted'], 'process')} adopted"
    )
    while not (overseer.core.closing and not overseer.children.by_pid):
        overseer.turn()
        systemd.beat()
        raised = signals.read()
        if signal.SIGIO in raised:
            overseer.spool.stirred = True
            continue
        if signal.SIGINT in raised:
            orders.close(overseer.core, time.monotonic())
            overseer.flush(time.monotonic())
        if signal.SIGHUP in raised:
            _reload(overseer)
        if signal.SIGTERM in raised:
            break
        if signal.SIGUSR2 in raised:
            _replace(overseer)
    systemd.tell("STOPPING=1")
    overseer.close()
    return 0


def _reload(overseer: Overseer) -> None:
    """Read the specs anew; with mistakes in them, all stays as it is."""
    try:
        overseer.reload(time.monotonic())
    except SpecError as error:
        sys.stderr.write(f"{error}\nnothing was changed\n")
    overseer.flush(time.monotonic())


def _lift_limit() -> None:
    """A descriptor a process is needed."""
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))


def _settle_memory() -> None:
    """What is there now stays: do not look for garbage among it again and again."""
    import gc

    gc.collect()
    gc.freeze()


def _inherited() -> tuple[socket.socket | None, socket.socket | None]:
    """The sockets of the program we replaced, with what was said to them in between."""
    words = os.environ.pop(INHERITED, "").split()
    if len(words) != 2:
        return None, None
    heard, asked = (socket.socket(fileno=int(word)) for word in words)
    for found in (heard, asked):
        found.set_inheritable(False)
    return heard, asked


def _replace(overseer: Overseer) -> None:
    """Become what is installed now. Our children stay our children: they are the same process's."""
    overseer.close()
    overseer.listeners.hand_over(f"{overseer.home}/sockets.handed")
    sockets = (overseer.notify, overseer.control.sock)
    for sock in sockets:
        sock.set_inheritable(True)
    os.environ[INHERITED] = " ".join(str(sock.fileno()) for sock in sockets)
    words = getattr(sys, "orig_argv", None) or [sys.executable, "-I", "-S", *sys.argv]
    os.execv(sys.executable, [sys.executable, *words[1:]])  # noqa: S606


class _Systemd:
    """Whoever supervises us, if anybody does."""

    def __init__(self) -> None:
        self._address = os.environ.get("NOTIFY_SOCKET", "")
        self._every_s = int(os.environ.get("WATCHDOG_USEC", "0")) / 1e6 / 3
        self._next = 0.0
        self._sock = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC)
        self._sock.setblocking(False)

    def tell(self, words: str) -> None:
        """Say something; whether it is heard is not our concern."""
        if self._address:
            address = self._address
            if address.startswith("@"):
                address = "\0" + address[1:]
            try:
                self._sock.sendto(words.encode(), address)
            except OSError:
                return

    def beat(self) -> None:
        """Say that we are alive, when it is time."""
        now = time.monotonic()
        if self._every_s and now >= self._next:
            self._next = now + self._every_s
            self.tell("WATCHDOG=1")
