"""The real program in a process of its own, in a folder of its own, over a lab."""

from __future__ import annotations

import contextlib
import os
import pty
import select
import signal
import subprocess
import sys
import termios
import time
from collections.abc import Callable
from pathlib import Path

from click.testing import CliRunner

from fleetctl.cli.main import fleetctl
from tests.labfixture import RunningLab

CALL = "from fleetctl.cli.main import main; main()"
PATIENCE_S = 90.0


class Program:
    """`fleetctl` with its own journal and releases, its inventory being a lab's."""

    def __init__(self, folder: Path, lab: RunningLab | Path) -> None:
        """`lab`: or an inventory, where no host is to be reached."""
        self.folder = folder
        if not isinstance(lab, Path):
            self.lab = lab
        self.environ = {
            **os.environ,
            "FLEETCTL_INVENTORY": str(lab if isinstance(lab, Path) else lab.inventory),
            "FLEETCTL_JOURNAL": str(folder / "journal.db"),
            "FLEETCTL_RELEASES": str(folder / "releases"),
            "XDG_STATE_HOME": str(folder / "state"),
        }

    def write(self, name: str, text: str) -> Path:
        """A file in the folder."""
        path = self.folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
        return path

    def call(self, *words: str, stdin: str = "") -> subprocess.CompletedProcess[str]:
        """Run it to its end."""
        return subprocess.run([sys.executable, "-c", CALL, *words], cwd=self.folder, input=stdin,
                              env=self.environ, capture_output=True, text=True,
                              timeout=PATIENCE_S, check=False)  # fmt: skip

    def here(self, *words: str) -> subprocess.CompletedProcess[str]:
        """As `call`, in this process: sooner by the start of a program."""
        with contextlib.chdir(self.folder):
            done = CliRunner().invoke(fleetctl, words, env=self.environ)
        return subprocess.CompletedProcess(words, done.exit_code, done.stdout, done.stderr)

    def start(self, *words: str) -> subprocess.Popen[str]:
        """Start it in a session of its own; the caller ends it."""
        return subprocess.Popen([sys.executable, "-c", CALL, *words], cwd=self.folder,
                                env=self.environ, stdin=subprocess.DEVNULL,
                                stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
                                start_new_session=True)  # fmt: skip

    def start_on_terminal(self, *words: str, call: str = CALL) -> Terminal:
        """Start it in a session of its own on an 80x24 terminal; the caller ends its process."""
        ours, theirs = pty.openpty()
        termios.tcsetwinsize(theirs, (24, 80))
        environ = {**self.environ, "TERM": "xterm", "NO_COLOR": "1"}
        process = subprocess.Popen([sys.executable, "-c", call, *words], cwd=self.folder,
                                   env=environ, stdin=theirs, stdout=theirs, stderr=theirs,
                                   text=True, pass_fds=(theirs,),
                                   preexec_fn=lambda: os.login_tty(theirs))  # fmt: skip
        os.close(theirs)
        return Terminal(process, ours)

    def lines(self, host: str, name: str) -> list[str]:
        """Lines of a file in the host's home; none when it is not there."""
        path = self.lab.home(host) / name
        return path.read_text().splitlines() if path.exists() else []


class Terminal:
    """A person's side of a terminal: what was shown so far, and a keyboard."""

    def __init__(self, process: subprocess.Popen[str], descriptor: int) -> None:
        self.process = process
        self.shown = ""
        self._descriptor = descriptor

    def type(self, text: str) -> None:
        """Press these keys."""
        os.write(self._descriptor, text.encode())

    def wait_for(self, text: str, times: int = 1) -> None:
        """Read until `text` was shown so often; fails the test when the program ends before."""
        wait_until(lambda: self.read().count(text) >= times or self._ended(text), text)

    def read(self) -> str:
        """Everything shown so far."""
        while select.select([self._descriptor], [], [], 0)[0]:
            try:
                self.shown += os.read(self._descriptor, 65536).decode("utf-8", "replace")
            except OSError:  # Linux says so when the other side is closed
                break
        return self.shown

    def close(self) -> None:
        """The window is closed."""
        os.close(self._descriptor)

    def _ended(self, text: str) -> bool:
        assert self.process.poll() is None or text in self.read(), self.shown
        return False


def wait_until(holds: Callable[[], bool], what: str) -> None:
    """Return as soon as it holds; fails the test when it never does."""
    end_s = time.monotonic() + PATIENCE_S
    while not holds():
        assert time.monotonic() < end_s, f"never came: {what}"
        time.sleep(0.05)


def end(process: subprocess.Popen[str]) -> None:
    """Kill it if it still runs."""
    if process.poll() is None:
        process.send_signal(signal.SIGKILL)
    process.communicate(timeout=PATIENCE_S)
