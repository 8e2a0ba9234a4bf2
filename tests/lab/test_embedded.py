"""The embedded server does what sshd does."""

from __future__ import annotations

import asyncio
import contextlib
import functools
import os
import signal
import time
from pathlib import Path

import asyncssh
import pytest

from tests.lab.clients import UNTIL_GO, connect, connected, run, within_deadline
from tests.labfixture import RunningLab, StartLab

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def lab(module_lab_fleet: StartLab) -> RunningLab:
    return module_lab_fleet(
        {"db": ["db001", "db002"], "bastion": ["bastion"]}, via={"db": "bastion"}
    )


@pytest.fixture(autouse=True)
def held(lab: RunningLab) -> None:
    """Nobody was told to go on yet."""
    (lab.home("db001") / "go").unlink(missing_ok=True)


def _await_file(path: Path, deadline_s: float = 60.0) -> None:
    end = time.monotonic() + deadline_s
    while not path.exists():
        assert time.monotonic() < end, f"{path} never came"
        time.sleep(0.01)


def test_streams_and_exit_status_come_apart(lab: RunningLab) -> None:
    """stdout, stderr and the exit status reach the client each on its own."""
    result = run(lab, "db001", "echo out; echo err >&2; exit 7")
    assert (result.stdout, result.stderr, result.exit_status) == (b"out\n", b"err\n", 7)


def test_a_command_killed_by_a_signal_is_told_by_the_signal(lab: RunningLab) -> None:
    """A signal is no exit status: clients that ask for either can tell."""
    result = run(lab, "db001", "kill -TERM $$")
    assert result.exit_signal is not None
    assert result.exit_signal[0] == "TERM"


def test_each_host_has_a_home_of_its_own(lab: RunningLab) -> None:
    """A login starts in the host's home, and HOME and FLEETCTL_HOME say so."""
    result = run(lab, "db002", 'pwd; echo "$HOME"; echo "$FLEETCTL_HOME"')
    home = lab.home("db002")
    assert result.stdout == f"{home}\n{home}\n{home}/.fleetctl\n".encode()


def test_end_of_input_reaches_the_command(lab: RunningLab) -> None:
    """A command that reads to the end of its input ends when the client sends it."""
    assert run(lab, "db001", "wc -c", b"x" * 1_000_000).stdout == b"1000000\n"


def test_a_command_may_end_before_its_input(lab: RunningLab) -> None:
    """Input nobody reads neither blocks nor closes the connection."""

    async def work() -> tuple[int | None, bytes]:
        async with connected(lab, "db001") as connection:
            first = await connection.create_process("exit 3", encoding=None)
            with contextlib.suppress(BrokenPipeError):  # it may be over before it is written to
                first.stdin.write(b"x" * 3_000_000)
            await first.wait_closed()
            second = await connection.run("echo still here", encoding=None)
            assert isinstance(second.stdout, bytes)
            return first.exit_status, second.stdout

    assert within_deadline(work) == (3, b"still here\n")


def test_a_background_child_keeps_the_channel_but_not_the_status(lab: RunningLab) -> None:
    """The exit status is told at once; the channel closes when the child lets go of stdout."""

    async def work() -> None:
        async with connected(lab, "db001") as connection:
            process = await connection.create_process(f"({UNTIL_GO}) & echo started")
            while process.exit_status is None:
                await asyncio.sleep(0.01)
            closed = asyncio.ensure_future(process.wait_closed())
            await asyncio.wait([closed], timeout=0.3)
            assert not closed.done()
            (lab.home("db001") / "go").touch()
            await closed

    within_deadline(work)


def test_a_command_goes_on_when_its_connection_is_cut(lab: RunningLab) -> None:
    """Without a terminal nothing tells a process that its client is gone."""

    async def work() -> None:
        connection = await connect(lab, "db001")
        await connection.create_process(f"{UNTIL_GO}; touch survived")
        while not lab.describe().hosts["db001"].processes:
            await asyncio.sleep(0.01)
        connection.abort()
        await connection.wait_closed()

    within_deadline(work)
    (lab.home("db001") / "go").touch()
    _await_file(lab.home("db001") / "survived")


def test_only_the_bastion_forwards(lab: RunningLab) -> None:
    """A connection through the bastion reaches the host; through another host it does not."""

    async def through(middle: str) -> bytes:
        async with (
            connected(lab, middle) as tunnel,
            connected(lab, "db002", tunnel=tunnel) as connection,
        ):
            stdout = (await connection.run("echo reached", encoding=None)).stdout
            assert isinstance(stdout, bytes)
            return stdout

    assert within_deadline(lambda: through("bastion")) == b"reached\n"
    with pytest.raises(asyncssh.ChannelOpenError, match="no forwarding"):
        within_deadline(lambda: through("db001"))


def test_only_the_lab_key_opens(lab: RunningLab, tmp_path: Path) -> None:
    """Another key, another user and a password are refused."""
    key = tmp_path / "other"
    asyncssh.generate_private_key("ssh-ed25519").write_private_key(key)
    for options in ({"client_keys": [str(key)]}, {"username": "nobody-here"},
                    {"client_keys": None, "password": "x"}):  # fmt: skip
        with pytest.raises(asyncssh.PermissionDenied):
            within_deadline(functools.partial(connect, lab, "db001", **options))


def test_memory_stays_flat_under_big_streams(lab: RunningLab) -> None:
    """Neither output nobody reads nor a big upload piles up in the keeper."""

    async def work() -> int:
        async with connected(lab, "db001") as connection:
            before = lab.describe().memory_kb
            process = await connection.create_process("cat /dev/zero", encoding=None)
            upload = await connection.run("wc -c", input=b"x" * 40_000_000, encoding=None)
            assert upload.stdout == b"40000000\n"
            grown = lab.describe().memory_kb - before
            process.close()
            return grown

    assert within_deadline(work) < 20_000


def test_a_signal_request_reaches_the_process_group(lab: RunningLab) -> None:
    """A client may signal its command, children included, as with sshd."""

    async def work() -> object:
        async with connected(lab, "db001") as connection:
            process = await connection.create_process("sleep 30; echo not reached")
            while not lab.describe().hosts["db001"].processes:
                await asyncio.sleep(0.01)
            process.send_signal("TERM")
            await process.wait_closed()
            return process.exit_signal

    ended = within_deadline(work)
    assert isinstance(ended, tuple)
    assert ended[0] == "TERM"


def test_a_terminal_is_given_when_asked_for(lab: RunningLab) -> None:
    """`ssh -t` finds a terminal of the size it told."""

    async def work() -> str:
        async with connected(lab, "db001") as connection:
            result = await connection.run(
                "stty size; test -t 0 && echo tty", term_type="xterm", term_size=(80, 24)
            )
            assert isinstance(result.stdout, str)
            return result.stdout.replace("\r", "")

    assert within_deadline(work) == "24 80\ntty\n"


def test_sigpipe_is_not_inherited_as_ignored(lab: RunningLab) -> None:
    """A pipeline whose reader ends early ends: the keeper's own ignored SIGPIPE stays there."""
    result = run(lab, "db001", "sh -c 'kill -PIPE $$'; echo $?")
    assert result.stdout == f"{128 + signal.SIGPIPE}\n".encode()
    assert os.getpid() != lab.describe().hosts["db001"].processes
