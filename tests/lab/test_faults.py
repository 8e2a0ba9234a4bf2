"""Each fault as a raw client sees it."""

from __future__ import annotations

import asyncio
import time

import asyncssh
import pytest

from fleetctl.base.errors import UsageError
from fleetctl.lab.openssh import find_sshd
from tests.lab.clients import UNTIL_GO, banner, connect, connected, run, within_deadline
from tests.labfixture import RunningLab, StartLab

SERVERS = [
    pytest.param("embedded"),
    pytest.param(
        "openssh",
        marks=[
            pytest.mark.openssh,
            pytest.mark.skipif(find_sshd() is None, reason="the OpenSSH server is not installed"),
        ],
    ),
]
pytestmark = pytest.mark.slow


@pytest.fixture(scope="module", params=SERVERS)
def any_lab(module_lab_fleet: StartLab, request: pytest.FixtureRequest) -> RunningLab:
    return module_lab_fleet({"db": ["db001", "db002"]}, server=request.param)


@pytest.fixture
def lab(any_lab: RunningLab) -> RunningLab:
    """Both servers; every fault is taken back before each test, and so is the word to go on."""
    any_lab.clear("*")
    (any_lab.home("db001") / "go").unlink(missing_ok=True)
    return any_lab


@pytest.fixture(scope="module")
def embedded(module_lab_fleet: StartLab) -> RunningLab:
    return module_lab_fleet({"db": ["db001"]})


def _let_go(lab: RunningLab) -> None:
    (lab.home("db001") / "go").touch()


def _is_silent(lab: RunningLab) -> bool:
    try:
        return not banner(lab, "db001", timeout_s=0.5)
    except TimeoutError:
        return True


def test_refuse_refuses_and_the_others_answer(lab: RunningLab) -> None:
    """Connections to this host are refused, until the fault is taken back."""
    lab.fault("db001", "refuse")
    with pytest.raises(ConnectionRefusedError):
        banner(lab, "db001")
    assert banner(lab, "db002").startswith(b"SSH-2.0-")
    lab.clear("db001", "refuse")
    assert banner(lab, "db001").startswith(b"SSH-2.0-")


def test_hang_accepts_and_says_nothing(lab: RunningLab) -> None:
    """The connection opens and no banner comes; sessions that were there go on."""

    async def work() -> bytes:
        async with connected(lab, "db001") as connection:
            lab.fault("db001", "hang")
            assert _is_silent(lab)
            stdout = (await connection.run("echo still here", encoding=None)).stdout
            assert isinstance(stdout, bytes)
            return stdout

    assert within_deadline(work) == b"still here\n"
    lab.clear("db001")
    assert banner(lab, "db001").startswith(b"SSH-2.0-")


def test_freeze_stops_the_answers_and_not_the_command(lab: RunningLab) -> None:
    """Nothing comes from a frozen host while its processes work on; thawed, all of it comes."""

    async def work() -> None:
        async with connected(lab, "db001") as connection:
            process = await connection.create_process("read go; touch reached; echo done")
            process.stdin.write("go\n")
            while not (lab.home("db001") / "reached").exists():
                await asyncio.sleep(0.01)
            assert await process.stdout.readline() == "done\n"
            slow = await connection.create_process(f"echo up; {UNTIL_GO}; touch later; echo thawed")
            assert await slow.stdout.readline() == "up\n"
            lab.fault("db001", "freeze")
            _let_go(lab)
            while not (lab.home("db001") / "later").exists():
                await asyncio.sleep(0.01)
            with pytest.raises(TimeoutError):
                await asyncio.wait_for(slow.stdout.readline(), 0.5)
            assert _is_silent(lab)
            lab.clear("db001", "freeze")
            assert await slow.stdout.readline() == "thawed\n"

    within_deadline(work)


def test_cut_drops_the_connection_and_not_the_command(lab: RunningLab) -> None:
    """The client sees its connection end at once; what it started ends in its own time."""

    async def work() -> None:
        connection = await connect(lab, "db001")
        process = await connection.create_process(f"echo up; {UNTIL_GO}; touch outlived")
        assert await process.stdout.readline() == "up\n"
        lab.fault("db001", "cut")
        await connection.wait_closed()
        assert not (lab.home("db001") / "outlived").exists()
        _let_go(lab)
        while not (lab.home("db001") / "outlived").exists():
            await asyncio.sleep(0.01)

    within_deadline(work)
    assert run(lab, "db001", "true").exit_status == 0


def test_a_full_disk_fails_writes_and_kills_nobody(lab: RunningLab) -> None:
    """Writing fails with an error in new commands and in those that run; df says 100%."""

    async def work() -> None:
        async with connected(lab, "db001") as connection:
            text = "echo up; read go; cat /etc/passwd > full; echo $?"
            running = await connection.create_process(text)
            assert await running.stdout.readline() == "up\n"
            lab.fault("db001", "full-disk")
            running.stdin.write("go\n")
            assert await running.stdout.readline() == "1\n"
            fresh = await connection.run("echo x > full2; echo $?; df -P . | tail -1")
            assert isinstance(fresh.stdout, str)
            assert fresh.stdout.splitlines()[0] != "0"
            assert " 0 100% " in fresh.stdout
            lab.clear("db001")
            assert (await connection.run("echo x > full2")).exit_status == 0

    within_deadline(work)


def test_a_wrong_host_key_is_shown(lab: RunningLab) -> None:
    """A client that knows the host's key refuses; with the fault gone it does not."""
    lab.fault("db001", "wrong-host-key")
    with pytest.raises(asyncssh.HostKeyNotVerifiable):
        run(lab, "db001", "true")
    lab.clear("db001")
    assert run(lab, "db001", "true").exit_status == 0


def test_a_flood_comes_before_the_output(lab: RunningLab) -> None:
    """Both streams carry so many bytes more; the command runs all the same."""
    lab.fault("db001", "flood", size="3M")
    result = run(lab, "db001", "echo end; exit 4")
    assert isinstance(result.stdout, bytes)
    assert isinstance(result.stderr, bytes)
    assert (len(result.stdout), len(result.stderr)) == (3_000_004, 3_000_000)
    assert result.exit_status == 4


def test_commands_that_match_fail(lab: RunningLab) -> None:
    """The command line a client sends, and a program a running shell starts, both fail."""
    lab.fault("db001", "fail", command="uname -r*", exit="9")
    assert run(lab, "db001", "uname -r").exit_status == 9
    inner = run(lab, "db001", "uname -s; uname -r; echo $?")
    assert inner.stdout == b"Linux\n9\n"
    lab.clear("db001", "fail")
    assert run(lab, "db001", "uname -r").exit_status == 0


def test_max_startups_drops_the_unauthenticated(lab: RunningLab) -> None:
    """Past the limit connections are turned away; those let in before still work."""

    async def work() -> int:
        lab.fault("db001", "maxstartups", startups="3:100:3")
        address, port = lab.address("db001"), lab.port
        opened = [await asyncio.open_connection(address, port) for _ in range(8)]
        heads = await asyncio.gather(*(reader.readline() for reader, _ in opened))
        for _, writer in opened:
            writer.close()
        return sum(head.startswith(b"SSH-") for head in heads)

    assert within_deadline(work) == 3


def test_slow_adds_latency_and_bounds_the_rate(embedded: RunningLab) -> None:
    """A round trip takes the latency, a transfer the time its size takes at the bandwidth."""
    embedded.clear("*")

    async def work() -> tuple[float, float]:
        async with connected(embedded, "db001") as connection:
            embedded.fault("db001", "slow", latency="200ms", bandwidth="400k")
            began = time.monotonic()
            await connection.run("true")
            trip = time.monotonic() - began
            began = time.monotonic()
            await connection.run("head -c 400000 /dev/zero", encoding=None)
            return trip, time.monotonic() - began

    trip, transfer = within_deadline(work)
    assert trip >= 0.4
    assert transfer >= 1.0


def test_cut_after_login_hits_every_connection(embedded: RunningLab) -> None:
    """With --after each new connection is dropped that long after its login."""
    embedded.clear("*")
    embedded.fault("db001", "cut", after="300ms")

    async def work() -> float:
        began = time.monotonic()  # before the login, however late we are told of that
        connection = await connect(embedded, "db001")
        await connection.wait_closed()
        return time.monotonic() - began

    assert within_deadline(work) >= 0.3
    embedded.clear("*")


def test_a_bastion_with_max_startups_still_lets_logged_in_connections_be(
    embedded: RunningLab,
) -> None:
    """Connections that showed their key no longer count against MaxStartups."""
    embedded.clear("*")
    embedded.fault("db001", "maxstartups", startups="2:100:2")

    async def work() -> int:
        connections = [await connect(embedded, "db001") for _ in range(5)]
        for connection in connections:
            connection.close()
            await connection.wait_closed()
        return len(connections)

    assert within_deadline(work) == 5


@pytest.mark.openssh
@pytest.mark.skipif(find_sshd() is None, reason="the OpenSSH server is not installed")
def test_a_fault_real_sshd_cannot_show_is_refused_in_words(lab_fleet: StartLab) -> None:
    """Nothing is pretended: the error says which server can."""
    lab = lab_fleet({"db": ["db001"]}, server="openssh")
    with pytest.raises(UsageError, match="embedded"):
        lab.fault("db001", "slow", latency="1s")
    with pytest.raises(UsageError, match="embedded"):
        lab.fault("db001", "cut", after="1s")
