"""Stopping, starting and restarting daemons: really up, only what ran, whatever was cut off."""

from __future__ import annotations

import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from fleetctl.playbook.daemons import ByCommand, Daemons, Texts, Up, restarting, starting, stopping
from fleetctl.playbook.kinds import StepDraft
from fleetctl.playbook.operations import Exec
from fleetctl.playbook.substitute import fill_shell
from fleetctl.playbook.units import Seconds, SomeSeconds

SHELLS = [shell for shell in (["dash"], ["busybox", "sh"], ["bash", "--posix"])
          if shutil.which(shell[0])]  # fmt: skip
DEADLINE_S = 60.0
LATE = """
import os, socket, sys, time
time.sleep(float(sys.argv[2]))
door = socket.create_server(("127.0.0.1", int(sys.argv[1])))
time.sleep(60)
"""
COMMANDS = ByCommand(
    stop='read -r pid < "$HOME/$FLEETCTL_DAEMON.pid"; kill "$pid"; '
    'rm "$HOME/$FLEETCTL_DAEMON.pid"; echo "stop $FLEETCTL_DAEMON" >> "$HOME/log"',
    start='setsid sh "$HOME/$FLEETCTL_DAEMON" </dev/null >/dev/null 2>&1 & '
    'echo "$!" > "$HOME/$FLEETCTL_DAEMON.pid"; echo "start $FLEETCTL_DAEMON" >> "$HOME/log"',
    status='[ -f "$HOME/$FLEETCTL_DAEMON.pid" ] && read -r pid < "$HOME/$FLEETCTL_DAEMON.pid" '
    '&& kill -0 "$pid"',
    each=("web", "worker"),
)


class Desk:
    """A home with daemons, and a shell that runs a step's texts there."""

    def __init__(self, home: Path, shell: list[str]) -> None:
        self.home, self.shell = home, shell
        for name in ("web", "worker"):
            (home / name).write_text("exec sleep 60\n")

    def sh(self, text: str) -> subprocess.CompletedProcess[str]:
        filled = fill_shell(text, {"release.id": "r2"}.__getitem__)
        return subprocess.run(
            [*self.shell, "-c", f"set --\neval '{filled.replace(chr(39), QUOTE)}'"],
            cwd=self.home, env={"PATH": f"{self.home}/bin:/usr/bin:/bin", "HOME": str(self.home)},
            stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=DEADLINE_S,
            check=False,
        )  # fmt: skip

    def do(self, draft: StepDraft) -> str:
        """As a host's step runner does it: `checked`, `acted`, or why it failed."""
        operation = draft.operation
        assert isinstance(operation, Exec)
        if operation.check and self.sh(operation.check).returncode == 0:
            return "checked"
        return self.told(operation.act)

    def told(self, text: str) -> str:
        done = self.sh(text)
        return "acted" if done.returncode == 0 else done.stderr

    def start(self, *names: str) -> None:
        for name in names:
            assert COMMANDS.start
            assert self.sh(f"FLEETCTL_DAEMON={name}; {COMMANDS.start}").returncode == 0

    def running(self) -> list[str]:
        asked = f"FLEETCTL_DAEMON=%s; {COMMANDS.status}"
        return [n for n in COMMANDS.each if self.sh(asked % n).returncode == 0]

    @property
    def log(self) -> list[str]:
        path = self.home / "log"
        return path.read_text().splitlines() if path.exists() else []


QUOTE = "'\\''"
MakeDesk = Callable[..., Desk]


@pytest.fixture(params=SHELLS[:2], ids=lambda shell: shell[0])
def desk(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Desk]:
    """Nothing of it outlives the test."""
    made = Desk(tmp_path, request.param)
    yield made
    for name in COMMANDS.each:
        made.sh(f"FLEETCTL_DAEMON={name}; {COMMANDS.stop}")


def up(within: float = 30.0, stable: float | None = 0.0, tcp: str = "") -> Up:
    steady = None if stable is None else Seconds(stable)
    return Up(tcp=tcp, within=SomeSeconds(within), stable=steady)


def texts(**more: object) -> Texts:
    return Texts(Daemons(**{"command": COMMANDS, "up": up(), **more}))  # type: ignore[arg-type]


def test_what_was_stopped_is_started_and_nothing_else(desk: Desk) -> None:
    """A daemon that did not run before stays stopped, through stop and start."""
    desk.start("web")
    assert desk.do(stopping(texts())) == "acted"
    assert desk.running() == []
    assert desk.do(starting(texts())) == "acted"
    assert desk.running() == ["web"]
    assert desk.do(starting(texts())) == "checked"
    assert desk.do(starting(texts(only="all"))) == "acted"
    assert desk.running() == ["web", "worker"]


def test_nothing_runs_so_nothing_is_stopped(desk: Desk) -> None:
    """The step is skipped, so nothing is owed."""
    assert desk.do(stopping(texts())) == "checked"


def test_a_restore_starts_what_a_stop_that_was_cut_off_had_stopped(desk: Desk) -> None:
    """It stopped the first and hung on the second: both run afterwards, each started once."""
    desk.start("web", "worker")
    stubborn = ByCommand(
        stop=f'[ "$FLEETCTL_DAEMON" = web ] || exit 3; {COMMANDS.stop}',
        start=COMMANDS.start, status=COMMANDS.status, each=COMMANDS.each,
    )  # fmt: skip
    draft = stopping(Texts(Daemons(command=stubborn, up=up())))
    assert "worker: the command to stop it ended with exit status 3" in desk.do(draft)
    assert desk.running() == ["worker"]
    assert isinstance(draft.operation, Exec)
    for _ in range(2):  # it bears running twice
        assert desk.told(draft.operation.restore) == "acted"
    assert desk.running() == ["web", "worker"]
    assert desk.log == ["start web", "start worker", "stop web", "start web"]


def test_a_restart_takes_one_after_another(desk: Desk) -> None:
    """The second is not touched before the first is up; what does not run is left alone."""
    desk.start("web", "worker")
    (desk.home / "log").unlink()
    assert desk.do(restarting(texts())) == "acted"
    assert desk.log == ["stop web", "start web", "stop worker", "start worker"]
    desk.sh(f"FLEETCTL_DAEMON=worker; {COMMANDS.stop}")
    (desk.home / "log").unlink()
    assert desk.do(restarting(texts())) == "acted"
    assert desk.log == ["stop web", "start web"]


def test_a_first_that_does_not_come_up_saves_the_second(desk: Desk) -> None:
    """The restart fails there; taking it back restarts that one and no other."""
    desk.start("web", "worker")
    (desk.home / "web").write_text("exit 1\n")
    well = Up(command='[ ! -f "$HOME/ill" ]', within=SomeSeconds(1))
    draft = restarting(texts(up=well))
    (desk.home / "ill").touch()
    assert "web is not up after 1 s" in desk.do(draft)
    (desk.home / "ill").unlink()
    end_s = time.monotonic() + DEADLINE_S
    while desk.running() != ["worker"]:
        assert time.monotonic() < end_s
    (desk.home / "web").write_text("exec sleep 60\n")
    (desk.home / "log").unlink()
    assert isinstance(draft.operation, Exec)
    assert desk.told(draft.operation.restore) == "acted"
    assert desk.log == ["start web"]


def test_up_is_listening_and_not_merely_running(desk: Desk, free_port: int) -> None:
    """A database takes a while after its process is there; the step waits for it."""
    late = f"exec {sys.executable} -c '{LATE}' {free_port} 0.6\n"
    (desk.home / "web").write_text(late)
    desk.start("web")
    known = up(tcp=f"127.0.0.1:{free_port}")
    assert desk.do(restarting(texts(up=known))) == "acted"
    assert f":{free_port:04X} " in Path("/proc/net/tcp").read_text()
    wrong = up(1.0, tcp=f"127.0.0.9:{free_port}")
    assert "web is not up after 1 s" in desk.do(restarting(texts(up=wrong)))


def test_time_to_come_up_is_not_what_is_left_of_a_second(desk: Desk) -> None:
    """Begun at the very end of a second, a daemon has all of the time it was promised."""
    desk.start("web")
    (desk.home / "bin").mkdir()
    clock = desk.home / "bin" / "date"
    clock.write_text('#!/bin/sh\necho x >> "$HOME/asked"\n[ "$(wc -l < "$HOME/asked")" = 1 ]; '
                     'echo "$((100 + $?))"\n')  # fmt: skip
    clock.chmod(0o755)
    third = Up(command='echo x >> "$HOME/looks"; [ "$(wc -l < "$HOME/looks")" -ge 3 ]',
               within=SomeSeconds(1))  # fmt: skip
    assert desk.do(starting(texts(up=third, only="all"))) == "acted"


def test_up_is_staying_up(desk: Desk) -> None:
    """One that ends again once it has been seen running did not come up."""
    desk.start("web")
    (desk.home / "web").write_text('while [ ! -f "$HOME/seen" ]; do sleep 0.05; done\n')
    ends = ByCommand(
        stop=COMMANDS.stop, start=f': > "$HOME/again"; {COMMANDS.start}', each=("web",),
        # It ends when it has been seen, and before it is looked at anew: no slow machine sees more.
        status=f'if [ -f "$HOME/seen" ]; then while {COMMANDS.status}; do sleep 0.05; done; fi\n'
        f'{COMMANDS.status} || exit 1; [ ! -f "$HOME/again" ] || : > "$HOME/seen"',
    )  # fmt: skip
    told = desk.do(restarting(texts(command=ends, up=up(1.0, stable=1.0))))
    assert "web is not up after 1 s" in told


def test_units_of_systemd(desk: Desk) -> None:
    """The same by systemctl, a stand-in here; a unit that failed for good is told at once."""
    (desk.home / "bin").mkdir()
    fake = desk.home / "bin" / "systemctl"
    fake.write_text(
        '#!/bin/sh\necho "$*" >> "$HOME/log"\nword=$1; for unit; do :; done\n'
        'case $word in is-active) cat "$HOME/$unit.state" ;; '
        'stop) echo inactive > "$HOME/$unit.state" ;; '
        'start|restart) cp "$HOME/$unit.next" "$HOME/$unit.state" ;; '
        'status) echo "its last words" ;; esac\n'
    )
    fake.chmod(0o755)
    for unit, state in (("app", "active"), ("cron", "inactive")):
        (desk.home / f"{unit}.state").write_text(f"{state}\n")
        (desk.home / f"{unit}.next").write_text("active\n")
    found = Texts(Daemons(systemd=("app", "cron"), up=up()))
    assert desk.do(restarting(found)) == "acted"
    assert [line for line in desk.log if line.startswith(("re", "st"))] == ["restart app"]
    (desk.home / "app.next").write_text("failed\n")
    assert desk.do(restarting(found)) == "app has failed\nits last words\n"


@pytest.mark.parametrize("wrong", [{}, {"systemd": "app", "command": COMMANDS}])
def test_daemons_are_named_one_way(wrong: dict[str, object]) -> None:
    """Exactly one of systemd and command."""
    with pytest.raises(ValueError, match="exactly one of systemd and command"):
        Texts(Daemons(**wrong))  # type: ignore[arg-type]


@pytest.fixture
def free_port() -> int:
    """One nobody listens on now."""
    import socket

    with socket.socket() as door:
        door.bind(("127.0.0.1", 0))
        return int(door.getsockname()[1])
