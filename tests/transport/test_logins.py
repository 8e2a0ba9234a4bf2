"""Ways to log in: keys, ssh-agent, ssh config, a jump host."""

from __future__ import annotations

import itertools
import queue
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import msgspec
import pytest

from fleetctl.transport.protocol import Event, Lost
from fleetctl.transport.ssh import SshTransport
from tests.labfixture import RunningLab, StartLab
from tests.transport.desk import Desk, run

pytestmark = pytest.mark.slow
OpenDesk = Callable[..., Desk]


@pytest.fixture
def open_desk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[OpenDesk]:
    """Opens desks as a user whose home folder is empty and who has no ssh-agent."""
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.delenv("SSH_AUTH_SOCK", raising=False)
    opened: list[SshTransport] = []

    def start(lab: RunningLab, config: str = "", **login: object) -> Desk:
        path = tmp_path / "ssh_config"
        path.write_text(config)
        hosts = {
            name: msgspec.structs.replace(host, login=msgspec.structs.replace(host.login, **login))
            for name, host in lab.fleet.hosts.items()
        }
        events: queue.SimpleQueue[Event] = queue.SimpleQueue()
        opened.append(
            SshTransport(hosts, events.put, known_hosts=str(lab.known_hosts), ssh_config=path)
        )
        return Desk(opened[-1], events, itertools.count(1))

    yield start
    for transport in opened:
        transport.close()


def program(name: str) -> str:
    found = shutil.which(name)
    if found is None:
        pytest.skip(f"no {name} here")
    return found


def test_encrypted_key_is_told_with_what_to_do(
    lab_fleet: StartLab, open_desk: OpenDesk, tmp_path: Path
) -> None:
    """No prompt, no hang: an error that says how to unlock it."""
    key = tmp_path / "locked"
    command = [program("ssh-keygen"), "-q", "-t", "ed25519", "-N", "secret", "-f", str(key)]
    subprocess.run(command, check=True)
    desk = open_desk(lab_fleet({"t": ["h1"]}), identity=(str(key),))
    lost = desk.final(desk.segment(run("a", "true")))
    assert isinstance(lost, Lost)
    assert (lost.cause, lost.sent, lost.retryable) == ("auth", False, False)
    assert f"ssh-add {key}" in lost.detail


def test_key_lent_over_a_socket_is_used(
    lab_fleet: StartLab, open_desk: OpenDesk, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Several hosts at once log in with a key only ssh-agent holds."""
    lab = lab_fleet({"t": ["h1", "h2", "h3", "h4"]})
    socket = tmp_path / "lent"
    lender = subprocess.Popen([program("ssh-agent"), "-D", "-a", str(socket)])
    try:
        monkeypatch.setenv("SSH_AUTH_SOCK", str(socket))
        add = [program("ssh-add"), "-q", str(lab.identity)]
        while subprocess.run(add, check=False, capture_output=True).returncode == 2:
            assert lender.poll() is None
        desk = open_desk(lab, identity=())
        tickets = [desk.segment(run("a", "true"), host=name) for name in lab.fleet.hosts]
        assert {type(desk.final(ticket)).__name__ for ticket in tickets} == {"SegmentEnded"}
    finally:
        lender.terminate()
        lender.wait()


def test_ssh_config_fills_in_what_the_inventory_leaves_open(
    lab_fleet: StartLab, open_desk: OpenDesk
) -> None:
    """User, port and identity may come from ssh config alone."""
    lab = lab_fleet({"t": ["h1"]})
    host = lab.fleet.hosts["h1"]
    config = (
        f"Host {host.address}\n  User {host.login.user}\n  Port {lab.port}\n"
        f"  IdentityFile {lab.identity}\n"
    )
    desk = open_desk(lab, config, user="", port=0, identity=())
    assert desk.do(run("a", "true"))[0].end == "acted"


def test_proxyjump_of_ssh_config_is_the_way(lab_fleet: StartLab, open_desk: OpenDesk) -> None:
    """One connection to the jump host serves all behind it; with it down nothing gets through."""
    lab = lab_fleet({"n": ["n1", "n2"], "b": ["bastion"]}, via={"n": "bastion"})
    config = (
        f"Host *\n  User {lab.fleet.hosts['n1'].login.user}\n  IdentityFile {lab.identity}\n"
        f"  ProxyJump {lab.address('bastion')}:{lab.port}\n"
    )
    desk = open_desk(lab, config, via="")
    for host in ("n1", "n2"):
        assert desk.do(run("a", "true"), host=host)[0].end == "acted"
    assert lab.describe().hosts["bastion"].connections == 1
    lab.fault("bastion", "refuse")
    lost = (other := open_desk(lab, config, via="")).final(
        other.segment(run("b", "true"), host="n1")
    )
    assert isinstance(lost, Lost)
    assert (lost.cause, lost.sent) == ("bastion", False)


PIPE_TO = """
import os, socket, sys, threading
peer = socket.create_connection((sys.argv[1], int(sys.argv[2])))
def give():
    while data := os.read(0, 65536):
        peer.sendall(data)
    peer.shutdown(socket.SHUT_WR)
threading.Thread(target=give, daemon=True).start()
while data := peer.recv(65536):
    os.write(1, data)
"""


def test_proxycommand_of_ssh_config_is_the_way(
    lab_fleet: StartLab, open_desk: OpenDesk, tmp_path: Path
) -> None:
    """The program's streams carry the connection; a program that cannot run loses the order."""
    lab = lab_fleet({"t": ["h1"]})
    pipe = tmp_path / "pipe.py"
    pipe.write_text(PIPE_TO)
    through = f"Host *\n  ProxyCommand {sys.executable} {pipe} %h %p\n"
    desk = open_desk(lab, through)
    assert desk.do(run("a", "true"))[0].end == "acted"
    broken = open_desk(lab, "Host *\n  ProxyCommand /nowhere/pipe %h %p\n")
    lost = broken.final(broken.segment(run("b", "true"), host="h1"))
    assert isinstance(lost, Lost)
    assert (lost.cause, lost.sent) == ("connect", False)
    assert "/nowhere/pipe" in lost.detail
