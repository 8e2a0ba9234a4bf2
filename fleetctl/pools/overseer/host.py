"""What laying down and taking away does to the host: processes, units of systemd, folders."""

from __future__ import annotations

import contextlib
import fcntl
import os
import sys
import time

from fleetctl.pools.overseer import processes

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from typing import Any

UNITS = "/etc/systemd/system"
PROGRAMS = "~/.fleetctl/programs"
"""Where programs are sent to; of ours, `overseer-HASH.pyz`."""
NOT_FOR_DAEMONS = ("FLEETCTL_RUN", "FLEETCTL_RUN_ID")
"""Says to a fleetctl it was started by a run: that ends long before daemons do."""
WORDS_MOST = 1000


class Trouble(Exception):
    """Why it cannot be done, or was not well done."""


def start(command: Sequence[str], log: str) -> int:
    """Start a program that outlives us and whoever called us, in the login's home; its pid."""
    for number in os.listdir("/proc/self/fd"):  # noqa: PTH208
        try:
            if int(number) > 2:
                os.set_inheritable(int(number), False)
        except OSError:
            continue
    os.chdir(os.path.expanduser("~"))  # noqa: PTH111
    environment = {k: v for k, v in os.environ.items() if k not in NOT_FOR_DAEMONS}
    return processes.spawn(list(command), environment, log, "")


def held(home: str) -> bool:
    """Whether an overseer works there, answering or not."""
    try:
        descriptor = os.open(f"{home}/lock", os.O_RDWR | os.O_CLOEXEC)
    except OSError:
        return False
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        return True
    finally:
        os.close(descriptor)
    return False


def kept(home: str) -> list[int]:
    """Processes of daemons of this overseer."""
    return [pid for pid, _, _ in processes.marked(home)]


def until(holds: Callable[[], bool], within_s: float, else_: str) -> None:
    """Wait for something; raises Trouble when it does not come."""
    end = time.monotonic() + within_s
    while not holds():
        if time.monotonic() > end:
            raise Trouble(else_)
        time.sleep(0.05)


def last_words(log: str) -> str:
    """The end of what a program printed, to be added to a message."""
    text = processes.read_text(log)[-WORDS_MOST:].strip()
    return f":\n{text}" if text else ""


def write_unit(unit: str, text: str, command: Sequence[str], home: str) -> bool:
    """Put the unit where systemd finds it; False when it was there already. Raises Trouble."""
    import pwd

    user = pwd.getpwuid(os.geteuid())
    words = {"@USER@": user.pw_name, "@FOLDER@": user.pw_dir, "@COMMAND@": _quoted(command)}
    for word, value in words.items():
        text = text.replace(word, value)
    return put_unit(unit, text, home)


def unit_text(unit: str) -> str:
    """A unit as systemd has it; empty when there is none."""
    return processes.read_text(f"{UNITS}/{_named(unit)}")


def put_unit(unit: str, text: str, home: str) -> bool:
    """As `write_unit`, with nothing left to fill in."""
    if unit_text(unit) == text:
        return False
    fresh = f"{home}/.unit"
    with open(fresh, "w", encoding="utf-8") as opened:  # noqa: PTH123
        opened.write(text)
    _do("install", "-m", "0644", fresh, f"{UNITS}/{_named(unit)}")
    os.unlink(fresh)  # noqa: PTH108
    _do("systemctl", "daemon-reload")
    return True


def _quoted(command: Sequence[str]) -> str:
    """As systemd reads a command line."""
    return " ".join(word.replace("%", "%%").replace("$", "$$") for word in command)


def _named(unit: str) -> str:
    return unit if "." in unit else f"{unit}.service"


def begin_unit(unit: str) -> None:
    """Start it now and with every boot."""
    _do("systemctl", "enable", "--now", _named(unit))


def end_unit(unit: str) -> None:
    """End the overseer; its daemons go on, as the unit says."""
    _do("systemctl", "stop", _named(unit))


def remove_unit(unit: str) -> None:
    """End the overseer, not its daemons, and let systemd forget it."""
    _do("systemctl", "disable", "--now", _named(unit))
    _do("rm", "-f", f"{UNITS}/{_named(unit)}")
    _do("systemctl", "daemon-reload")


def _do(*command: str) -> None:
    """Run a program as root, by sudo if we are not; raises Trouble when it does not end well."""
    words = command if os.geteuid() == 0 else ("sudo", "-n", *command)
    sys.stdout.flush()
    try:
        pid = os.posix_spawnp(words[0], list(words), dict(os.environ))
    except OSError as error:
        raise Trouble(f"{words[0]}: {error.strerror}") from None
    status = os.waitpid(pid, 0)[1]
    if status:
        raise Trouble(f"`{' '.join(words)}` ended with {os.waitstatus_to_exitcode(status)}")


def programs_sent() -> list[str]:
    """Overseers that were sent here to lay themselves down."""
    folder = os.path.expanduser(PROGRAMS)  # noqa: PTH111
    try:
        names = os.listdir(folder)  # noqa: PTH208
    except OSError:
        return []
    return [f"{folder}/{n}" for n in names if n.startswith("overseer-") and n.endswith(".pyz")]


def forget_programs() -> list[str]:
    """Remove them, and their folder when nothing else is in it; what could not be, and why."""
    left = remove(*programs_sent())
    with contextlib.suppress(OSError):
        os.rmdir(os.path.expanduser(PROGRAMS))  # noqa: PTH106, PTH111
    return left


def remove(*paths: str) -> list[str]:
    """Remove files and folders, whatever is in them; what could not be removed, and why."""
    import shutil

    left: list[str] = []

    def remember(_: object, path: str, found: Any) -> None:
        error = found[1]
        if not isinstance(error, FileNotFoundError):
            left.append(f"{path}: {getattr(error, 'strerror', None) or error}")

    for path in paths:
        if os.path.isdir(path) and not os.path.islink(path):  # noqa: PTH112, PTH114
            shutil.rmtree(path, onerror=remember)
            continue
        try:
            os.unlink(path)  # noqa: PTH108
        except FileNotFoundError:
            continue
        except OSError as error:
            left.append(f"{path}: {error.strerror}")
    return left


def point(link: str, target: str) -> None:
    """Let a link name something else, in one move."""
    folder, _, name = link.rpartition("/")
    fresh = f"{folder}/.{name}.link"
    if os.path.lexists(fresh):
        os.unlink(fresh)  # noqa: PTH108
    os.symlink(target, fresh)  # noqa: PTH211
    os.rename(fresh, link)  # noqa: PTH104


def prepare(folder: str, name: str, data: bytes, mode: int = 0o600) -> str:
    """Write a file beside the one it is to replace; its path. Then replacing takes no more room."""
    fresh = f"{folder}/.{name}.new"
    with open(fresh, "wb") as opened:  # noqa: PTH123
        opened.write(data)
        opened.flush()
        os.fsync(opened.fileno())
    os.chmod(fresh, mode)  # noqa: PTH101
    return fresh


def write(folder: str, name: str, data: bytes, mode: int = 0o600) -> None:
    """Write a file whole or not at all."""
    os.rename(prepare(folder, name, data, mode), f"{folder}/{name}")  # noqa: PTH104
