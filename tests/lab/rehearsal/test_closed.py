"""While a rehearsal runs nothing leaves this machine."""

from __future__ import annotations

import socket
import subprocess

import pytest

from fleetctl.lab.rehearsal.closed import NoWayOut, closed


@pytest.mark.parametrize("address", ["10.0.0.1", "192.0.2.7", "128.0.0.1"])
def test_no_address_but_loopback_is_connected_to(address: str) -> None:
    """The connect is refused before a packet is sent."""
    with closed(), socket.socket() as sock:
        sock.settimeout(0.1)
        with pytest.raises(NoWayOut, match=address):
            sock.connect((address, 22))


def test_no_name_is_looked_up() -> None:
    """A name server is outside, too."""
    with closed(), pytest.raises(NoWayOut, match=r"web001\.example"):
        socket.getaddrinfo("web001.example", 22)


def test_no_program_is_started() -> None:
    """A ProxyCommand or a command of a gate would not be seen by our own eyes."""
    with closed(), pytest.raises(NoWayOut):
        subprocess.run(["true"], check=True)


def test_the_lab_can_be_reached() -> None:
    """Every address of 127.0.0.0/8 and sockets of this machine."""
    with socket.socket() as server, socket.socket() as client, closed():
        server.bind(("127.9.8.7", 0))
        server.listen()
        client.connect(server.getsockname())


def test_all_is_open_again_afterwards() -> None:
    """Who rehearsed may push."""
    with closed():
        pass
    with socket.socket() as sock:
        sock.settimeout(0.01)
        with pytest.raises(OSError) as refused:  # noqa: PT011  # whatever the network says
            sock.connect(("127.9.8.6", 1))
    assert not isinstance(refused.value, NoWayOut)
    assert subprocess.run(["true"], check=False).returncode == 0
