"""A machine of its own whose first process is systemd: namespaces over a copy-on-write root.

It sees the files of this machine and leaves none in it; its processes end with it.
"""

from __future__ import annotations

import contextlib
import os
import subprocess
import time
from collections.abc import Callable, Iterator
from pathlib import Path

SYSTEMD = Path("/lib/systemd/systemd")
_UNSHARE = ["unshare", "--mount", "--pid", "--fork", "--cgroup", "--ipc", "--uts", "--net"]
_WITHIN_S = 30.0
_INIT = """
set -e
cd "$1"
mount --make-rprivate /
mount -t tmpfs tmpfs .
cd "$1"
mkdir up work root
mount -t overlay overlay -o lowerdir=/,upperdir=up,workdir=work root
cd root
mount -t proc proc proc
mount --rbind /dev dev
mount -t sysfs sys sys
mount -t cgroup2 cgroup2 sys/fs/cgroup
mount -t tmpfs tmpfs run
mount -t tmpfs tmpfs tmp
rm -rf etc/systemd/system
mkdir -p etc/systemd/system
echo '[Unit]' > etc/systemd/system/machine.target
[ -z "$2" ] || exit 0
export container=other
exec chroot . /lib/systemd/systemd --unit=machine.target --log-target=console --show-status=0
"""


class Machine:
    """One that is up."""

    def __init__(self, pid: int) -> None:
        self._pid = pid

    def run(self, *words: str, env: dict[str, str] | None = None) -> tuple[int, str]:
        """A command there, as root: exit code, and all it said."""
        sides = ["--mount", "--pid", "--cgroup", "--ipc", "--uts", "--net", "--root", "--wd"]
        command = ["nsenter", "--target", str(self._pid), *sides, *words]
        done = subprocess.run(
            command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False,
            timeout=120, env={**os.environ, **(env or {})},
        )  # fmt: skip
        return done.returncode, done.stdout

    def write(self, path: str, text: str) -> None:
        """A file there, with its folder."""
        code, said = self.run("sh", "-c", 'mkdir -p "${1%/*}" && printf %s "$2" >"$1"', "sh", path,
                              text)  # fmt: skip
        assert code == 0, said


def why_not(folder: Path) -> str:
    """What this machine lacks for it; empty: nothing."""
    if not SYSTEMD.exists():
        return "there is no systemd here"
    tried = subprocess.run([*_UNSHARE, "sh", "-c", _INIT, "sh", str(folder), "try"], check=False,
                           capture_output=True, text=True)  # fmt: skip
    return f"namespaces are not allowed here: {tried.stderr}" if tried.returncode else ""


@contextlib.contextmanager
def booted(folder: Path) -> Iterator[Machine]:
    """A machine, until the end of the block; `folder` is where its root is mounted."""
    words = [*_UNSHARE, "--kill-child", "sh", "-c", _INIT, "sh", str(folder), ""]
    with subprocess.Popen(words, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as started:
        try:
            machine = Machine(_first_of(started.pid))
            until(lambda: machine.run("systemctl", "is-system-running")[1].strip() == "running")
            yield machine
        finally:
            started.kill()


def _first_of(pid: int) -> int:
    """The first process there, by its number here."""
    children = Path(f"/proc/{pid}/task/{pid}/children")
    until(lambda: bool(children.read_text().strip()))
    return int(children.read_text().split()[0])


def until(holds: Callable[[], bool], within_s: float = _WITHIN_S) -> None:
    """Wait until something holds; fails when it does not in time."""
    end = time.monotonic() + within_s
    while not holds():
        assert time.monotonic() < end
        time.sleep(0.05)
