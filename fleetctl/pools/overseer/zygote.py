"""Runs in a zygote: a process that has done the imports of a daemon, and is forked once per start.

Its text goes to the daemon's own interpreter, so it must do with an older Python and imports next
to nothing. The zygote never learns for whom it is forked: it is handed a descriptor (the channel),
and what is to be started is read from that by the new process, which may be there beforehand. A
new process runs nothing of the daemon before the overseer, which has written its pid down by then,
says so; without an overseer it ends.
"""

from __future__ import annotations

import gc
import os
import sys
import time
from _socket import CMSG_SPACE, SCM_RIGHTS, SOL_SOCKET, socket

TYPE_CHECKING = False
if TYPE_CHECKING:
    from types import CodeType

FDS_MOST = 2
MESSAGE_MOST = 1 << 17
ORPHANED_WITHIN_S = 5.0
PAD = b"FLEETCTL_PAD="
READY, STALE, CROWDED, GO = b"ready", b"stale", b"threads", b"go"


def serve(control: socket) -> tuple[CodeType, dict[str, object]]:
    """Import, then fork whenever told to; returns only in a new process: its code and globals."""
    mode, place, *modules = (
        control.recv(MESSAGE_MOST).decode("utf-8", "surrogateescape").split("\0")
    )
    code = _prepared(mode, place, modules)
    named = {str(getattr(module, "__file__", "")) for module in list(sys.modules.values())}
    paths = set("\0".join(named).split("\0"))  # side by side: what is looked at is copied by a fork
    stamps = _stamps(place, paths)
    if len(os.listdir("/proc/self/task")) > 1 or not _overwritten(PAD, b""):  # noqa: PTH208
        control.send(CROWDED)
        os._exit(0)
    control.send(READY)
    gc.collect()
    gc.freeze()
    while True:
        data, controls, _, _ = control.recvmsg(1, CMSG_SPACE(4 * FDS_MOST))
        if not data:
            os._exit(0)
        if _stamps(place, paths) != stamps:
            control.send(STALE)
            os._exit(0)
        (fd,) = _descriptors(controls)
        if _forked_twice():
            control.close()
            channel = socket(fileno=fd)
            data, controls, _, _ = channel.recvmsg(MESSAGE_MOST, CMSG_SPACE(4 * FDS_MOST))
            if not data or _stamps(place, paths) != stamps:
                os._exit(0)
            _become(channel, data.split(b"\0"), _descriptors(controls), [mode, place])
            return code, _main(place)
        os.close(fd)


def _prepared(mode: str, place: str, modules: list[str]) -> CodeType:
    """The code of the daemon, with what it needs imported."""
    if mode == "script" and not sys.flags.isolated:
        sys.path[0] = os.path.dirname(os.path.realpath(place))  # noqa: PTH120
    for name in modules:
        __import__(name)
    if mode == "module":
        text = f"import runpy; runpy.run_module({place!r}, run_name='__main__', alter_sys=True)"
        return compile(text, "<module>", "exec")
    with open(place, "rb") as opened:  # noqa: PTH123
        return compile(opened.read(), place, "exec")


def _stamps(place: str, paths: set[str]) -> dict[str, object]:
    """What the code that was read looks like on the disk: a release replaced is other code."""
    found: dict[str, object] = {"": os.path.realpath(place)}
    for path in paths | {place}:
        try:
            held = os.stat(path)  # noqa: PTH116
            found[path] = (held.st_mtime_ns, held.st_size, held.st_ino)
        except (OSError, ValueError):
            continue
    return found


def _descriptors(controls: list[tuple[int, int, bytes]]) -> list[int]:
    """The descriptors that came along, none inherited by what the daemon starts."""
    found = []
    for level, kind, data in controls:
        if level == SOL_SOCKET and kind == SCM_RIGHTS:
            for at in range(0, len(data) - 3, 4):
                found.append(int.from_bytes(data[at : at + 4], sys.byteorder))
    for fd in found:
        os.set_inheritable(fd, False)
    return found


def _forked_twice() -> bool:
    """True in a new process whose parent is gone: it becomes the overseer's own child."""
    try:
        first = os.fork()
    except OSError:
        return False
    if first:
        os.waitpid(first, 0)
        return False
    try:
        second = os.fork()
    except OSError:
        second = -1
    if second:
        os._exit(0)
    return True


def _become(channel: socket, words: list[bytes], listeners: list[int], what: list[str]) -> None:
    """Be what an exec'd start is, tell the pid, and stand until the overseer has it in its log."""
    mode, place = what
    try:
        _take(words, listeners)
    except OSError as error:
        channel.send(b"!%d" % (error.errno or 0))
        os._exit(0)
    parent, end = int(words[0]), time.monotonic() + ORPHANED_WITHIN_S
    while os.getppid() != parent:
        if time.monotonic() > end:
            os._exit(0)
        time.sleep(0.0002)
    channel.send(b"%d" % os.getpid())
    if channel.recv(16) != GO:
        os._exit(0)
    channel.close()
    arguments = [word[1:] for word in words if word[:1] == b"a"]
    _overwritten(PAD, b"FLEETCTL_SLOT=" + os.environb.get(b"FLEETCTL_SLOT", b""))
    _rename([os.fsencode(place), *arguments])
    named = [place] if mode == "script" else ["-m"]
    sys.argv = named + [os.fsdecode(word) for word in arguments]


def _take(words: list[bytes], listeners: list[int]) -> None:
    """Session, streams, folder and environment: `l`og, `d`irectory, `e`nvironment, `a`rguments."""
    os.setsid()
    null = os.open("/dev/null", os.O_RDONLY)
    os.dup2(null, 0)
    os.close(null)
    for word in words[1:]:
        kind, value = word[:1], word[1:]
        if kind == b"l":
            log = os.open(value, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
            os.dup2(log, 1)
            os.dup2(log, 2)
            os.close(log)
        elif kind == b"d" and value:
            os.chdir(value)
        elif kind == b"e":
            name, _, held = value.partition(b"=")
            os.environb[name] = held
    os.environb.pop(PAD[:-1], None)
    for place, fd in enumerate(listeners, 3):
        if fd != place:
            os.dup2(fd, place)
            os.close(fd)
        os.set_inheritable(place, True)
        os.environb[b"LISTEN_PID"] = b"%d" % os.getpid()


def _overwritten(before: bytes, words: bytes) -> bool:
    """Put words where the kernel shows this process's environment; False when that cannot be."""
    try:
        with open("/proc/self/environ", "rb") as opened:  # noqa: PTH123
            shown = opened.read()
        at = shown.find(before)
        room = shown.find(b"\0", at) - at
        if at < 0 or len(words) > room:
            return False
        _poke(_bounds(47) + at, words.ljust(room, b"\0") if words else shown[at : at + room])
    except (OSError, ValueError, IndexError):
        return False
    return True


def _rename(arguments: list[bytes]) -> None:
    """Let `ps` show the command of the daemon."""
    try:
        begin, end = _bounds(45), _bounds(46)
        shown = b"\0".join([os.fsencode(sys.executable), *arguments])[: end - begin - 1]
        _poke(begin, shown.ljust(end - begin, b"\0"))
    except (OSError, ValueError, IndexError):
        return


def _bounds(field: int) -> int:
    """An address of this process's memory that the kernel tells."""
    with open("/proc/self/stat", "rb") as opened:  # noqa: PTH123
        return int(opened.read().rpartition(b")")[2].split()[field])


def _poke(address: int, data: bytes) -> None:
    """Write into this process's own memory."""
    memory = os.open("/proc/self/mem", os.O_WRONLY)
    try:
        os.pwrite(memory, data, address)
    finally:
        os.close(memory)


def _main(place: str) -> dict[str, object]:
    """The globals of a program's main module."""
    main = type(sys)("__main__")
    main.__dict__.update(__file__=place, __builtins__=__builtins__, __spec__=None)
    sys.modules["__main__"] = main
    return main.__dict__
