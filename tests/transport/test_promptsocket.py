"""A prompt socket is the stream it was made of: nothing lost, nothing twice, nothing held back."""

from __future__ import annotations

import socket
from collections.abc import Iterator

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fleetctl.transport.promptsocket import PromptSocket, prompt


@pytest.fixture(name="ends")
def _ends() -> Iterator[tuple[PromptSocket, socket.socket]]:
    with _pair() as (ours, theirs), ours, theirs:
        yield ours, theirs


class _pair:
    """Two ends of a TCP connection on this machine."""

    def __enter__(self) -> tuple[PromptSocket, socket.socket]:
        with socket.create_server(("127.0.0.1", 0)) as server:
            ours = socket.create_connection(server.getsockname(), 5.0)
            self.theirs, _ = server.accept()
        self.ours = prompt(ours)
        assert ours.fileno() == -1  # it has been taken over
        return self.ours, self.theirs

    def __exit__(self, *_: object) -> None:
        self.ours.close()
        self.theirs.close()


@given(
    packets=st.lists(st.binary(min_size=1, max_size=300), max_size=8),
    sizes=st.lists(st.integers(1, 200), min_size=1, max_size=8),
)
def test_what_was_sent_is_read_once_and_in_order_whatever_the_pieces(
    packets: list[bytes], sizes: list[int]
) -> None:
    """The library asks for any number of bytes; what was read too early waits for it."""
    with _pair() as (ours, theirs):
        for packet in packets:
            theirs.sendall(packet)
        theirs.shutdown(socket.SHUT_WR)
        read, at = b"", 0
        while piece := ours.recv(sizes[at % len(sizes)]):
            assert len(piece) <= sizes[at % len(sizes)]
            read += piece
            at += 1
    assert read == b"".join(packets)


def test_silence_is_told_and_what_comes_after_it_is_read(
    ends: tuple[PromptSocket, socket.socket],
) -> None:
    """A timeout loses nothing."""
    ours, theirs = ends
    ours.settimeout(0.05)
    with pytest.raises(TimeoutError):
        ours.recv(10)
    theirs.sendall(b"late")
    ours.settimeout(5.0)
    assert ours.recv(2) + ours.recv(10) == b"late"


def test_its_own_timeout_and_its_own_packets_are_kept(
    ends: tuple[PromptSocket, socket.socket],
) -> None:
    """What the socket was set to holds for what is made of it."""
    ours, theirs = ends
    assert ours.gettimeout() == 5.0
    assert ours.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY)
    ours.sendall(b"there")
    assert theirs.recv(10) == b"there"


@pytest.mark.skipif(not hasattr(socket, "TCP_QUICKACK"), reason="only Linux can be asked for it")
def test_each_read_asks_for_the_next_to_be_acknowledged_at_once(
    ends: tuple[PromptSocket, socket.socket], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The kernel leaves the mode by itself, so once is not enough."""
    ours, theirs = ends
    asked: list[tuple[int, ...]] = []
    monkeypatch.setattr(PromptSocket, "setsockopt", lambda self, *words: asked.append(words))
    for count in (1, 2):
        theirs.sendall(b"x")
        assert ours.recv(10) == b"x"
        assert asked == [(socket.IPPROTO_TCP, socket.TCP_QUICKACK, 1)] * count
