"""Processes: starting them, knowing them again, and learning how they ended."""

from __future__ import annotations

import errno
import os
import signal

from fleetctl.pools.overseer.exits import Ended

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Container, Iterator, Mapping, Sequence

_PLAIN_SIGNALS = (signal.SIGPIPE, signal.SIGXFSZ, signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
"""What Python or we ourselves changed; a daemon gets the usual."""
_PAGE_KB = os.sysconf("SC_PAGE_SIZE") // 1024
OOM_SCORE = "/proc/self/oom_score_adj"
"""How much sooner or later than others the kernel ends us for memory; what we start inherits it."""
_SET_CHILD_SUBREAPER = 36
"""See prctl(2)."""


def read_text(path: str) -> str:
    """A small file of the kernel's; empty when it is not there."""
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    except OSError:
        return ""
    try:
        return os.read(descriptor, 65536).decode("utf-8", "replace")
    except OSError:
        return ""
    finally:
        os.close(descriptor)


def born(pid: int) -> int:
    """When the kernel started a process, in its ticks; 0 if there is none."""
    fields = read_text(f"/proc/{pid}/stat").rpartition(")")[2].split()
    return int(fields[19]) if len(fields) > 19 else 0


def resident_kb(pid: int) -> int:
    """What a process holds in memory, shared pages included; 0 if there is none."""
    fields = read_text(f"/proc/{pid}/statm").split()
    return int(fields[1]) * _PAGE_KB if len(fields) > 1 else 0


def spawn(
    command: Sequence[str],
    env: Mapping[str, str],
    log: str,
    cwd: str,
    *,
    fds: Sequence[int] = (),
    stdout: int = 1,
) -> int:
    """Start a program in a session of its own, what it prints appended to `log`; its pid.

    Raises OSError when the program cannot be executed. `fds` become 3, 4, ... in it; with one of
    these as `stdout`, only its complaints go to the log.
    """
    actions = [
        (os.POSIX_SPAWN_OPEN, 0, "/dev/null", os.O_RDONLY, 0),
        (os.POSIX_SPAWN_OPEN, 2, log, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600),
        *((os.POSIX_SPAWN_DUP2, fd, place) for place, fd in enumerate(fds, 3)),
        (os.POSIX_SPAWN_DUP2, 2 if stdout == 1 else stdout, 1),
    ]
    here = os.open(".", os.O_PATH | os.O_CLOEXEC) if cwd else -1
    score = read_text(OOM_SCORE)
    try:
        if score.startswith("-"):
            _score(b"0")
        if cwd:
            os.chdir(cwd)
        return os.posix_spawnp(
            command[0],
            list(command),
            dict(env),
            file_actions=actions,
            setsid=True,
            setsigmask=(),
            setsigdef=_PLAIN_SIGNALS,
        )
    finally:
        if score.startswith("-"):
            _score(score.encode())
        if here >= 0:
            os.fchdir(here)
            os.close(here)


def _score(value: bytes) -> None:
    """Be protected from the kernel's want of memory, or as others while we start one of those.

    Without privilege it can be lowered again as far as systemd had set it, see proc(5). Where it
    cannot, things stay as they are: that is no reason not to start.
    """
    try:
        descriptor = os.open(OOM_SCORE, os.O_WRONLY | os.O_CLOEXEC)
    except OSError:
        return
    try:
        os.write(descriptor, value)
    except OSError:
        return
    finally:
        os.close(descriptor)


def findable(program: str, env: Mapping[str, str]) -> None:
    """Raises OSError, as a start does, when there is no such program."""
    paths = [program]
    if "/" not in program:
        paths = [f"{folder}/{program}" for folder in os.get_exec_path(env)]
    if not any(os.access(path, os.X_OK) and not os.path.isdir(path) for path in paths):  # noqa: PTH112
        raise FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT), program)


def ended(pid: int, pidfd: int, *, block: bool = False) -> Ended:
    """How a process whose pidfd is readable ended; what is left of its group is killed.

    The group goes before the process is reaped, while its number cannot be anybody else's. An
    adopted process is reaped by others: its number may be free by now, so nobody is struck.
    """
    try:
        if not block:
            os.waitid(os.P_PIDFD, pidfd, os.WEXITED | os.WNOHANG | os.WNOWAIT)
        strike_group(pid, signal.SIGKILL)
        found = os.waitid(os.P_PIDFD, pidfd, os.WEXITED | (0 if block else os.WNOHANG))
    except ChildProcessError:
        return Ended()
    if found is None:
        return Ended()
    if found.si_code == os.CLD_EXITED:
        return Ended(found.si_status)
    return Ended(None, found.si_status)


def become_reaper() -> bool:
    """Have the orphans of our descendants become our children; False when that cannot be.

    It outlasts a re-exec. `ctypes` would be half a megabyte for one call of the kernel.
    """
    try:
        import _ctypes

        prctl = _ctypes.dlsym(_ctypes.dlopen(None, 0), "prctl")  # type: ignore[arg-type]
        done: int = _ctypes.call_function(prctl, (_SET_CHILD_SUBREAPER, 1, 0, 0, 0))
    except (ImportError, AttributeError, OSError):
        return False
    return done == 0


def reap_strangers(ours: Container[int]) -> None:
    """Let go of ended children that nobody looks after: orphans that became ours."""
    while True:
        try:
            found = os.waitid(os.P_ALL, 0, os.WEXITED | os.WNOHANG | os.WNOWAIT)
            if found is None or found.si_pid in ours:
                return
            os.waitid(os.P_PID, found.si_pid, os.WEXITED | os.WNOHANG)
        except ChildProcessError:
            return


def strike(pid: int, pidfd: int, number: int, *, group: bool) -> None:
    """Send a signal; to somebody who has gone it is lost."""
    if group:
        strike_group(pid, number)
        return
    try:
        signal.pidfd_send_signal(pidfd, number)
    except OSError:
        return


def strike_group(pid: int, number: int) -> None:
    """Send a signal to everybody in the group of a process."""
    try:
        os.killpg(pid, number)
    except OSError:
        return


def marked(home: str) -> Iterator[tuple[int, str, int]]:
    """Processes of ours that carry this overseer's mark: pid, pool, slot number."""
    mark, place = f"\0FLEETCTL_OVERSEER={home}\0", "\0FLEETCTL_SLOT="
    for entry in os.listdir("/proc"):  # noqa: PTH208
        if not entry.isdigit():
            continue
        environment = f"\0{read_text(f'/proc/{entry}/environ')}\0"
        at = environment.find(place)
        if at >= 0 and mark in environment and _leads(int(entry)):
            words = environment[at + len(place) : environment.index("\0", at + 1)]
            pool, _, number = words.rpartition("#")
            yield int(entry), pool, int(number)


def _leads(pid: int) -> bool:
    """It is the first of its group: what was started, not what that started."""
    try:
        return os.getpgid(pid) == pid
    except ProcessLookupError:
        return False


def trim(path: str, most: int) -> None:
    """Keep the newer half of a file larger than `most` bytes; it is appended to meanwhile."""
    try:
        descriptor = os.open(path, os.O_RDWR | os.O_CLOEXEC)
    except OSError:
        return
    try:
        size = os.fstat(descriptor).st_size
        if size > most:
            tail = os.pread(descriptor, most // 2, size - most // 2)
            os.ftruncate(descriptor, 0)
            os.pwrite(descriptor, tail.partition(b"\n")[2], 0)
    finally:
        os.close(descriptor)
