"""Requests that do not come whole in time, from anybody who can connect."""

from __future__ import annotations

import asyncio
import contextlib
import socket
import threading
import time
from collections.abc import Iterator

import pytest
from starlette.requests import Request
from starlette.responses import PlainTextResponse
from starlette.types import Receive, Scope, Send

from fleetctl.base.errors import Refused
from fleetctl.console import punctual
from fleetctl.console.bell import Bell
from fleetctl.console.door import form_of
from fleetctl.console.punctual import Punctual
from fleetctl.console.serving import Address, Server, listen

pytestmark = pytest.mark.slow
LIMIT_S = 0.2
HANGS_S = 30.0
WHOLE = b"GET / HTTP/1.1\r\nhost: localhost\r\n\r\n"
HEAD = b"POST / HTTP/1.1\r\nhost: localhost\r\ncontent-length: 900\r\n\r\nform="


class Serving:
    """A server that knows whether the connection of a request it answers is about to be ended."""

    def __init__(self) -> None:
        self.refused: list[str] = []
        self.endings: list[bool] = []
        self._socket = listen(Address("127.0.0.1", 0))
        self.place = self._socket.getsockname()
        self._server = Server(self, Bell(lambda: 0))
        self._thread = threading.Thread(
            target=self._server.run, kwargs={"sockets": [self._socket]}, daemon=True
        )

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["method"] == "POST":
            try:
                await form_of(Request(scope, receive))
            except Refused as error:
                self.refused.append(error.what)
                return
        self.endings.append(self.ends(scope["client"]) is not None)
        await PlainTextResponse("here you are")(scope, receive, send)

    def ends(self, client: object) -> asyncio.TimerHandle | None:
        """What ends the connection of this client, if anything does."""
        there = list(self._server.server_state.connections)
        (one,) = [each for each in there if isinstance(each, Punctual) and each.client == client]
        return one.ends

    def __enter__(self) -> Serving:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.should_exit = True
        self._thread.join(30)
        self._socket.close()

    def connect(self) -> socket.socket:
        """Somebody who has said nothing yet."""
        return socket.create_connection(self.place, timeout=30)


@pytest.fixture(scope="module")
def serving() -> Iterator[Serving]:
    """One with room for three that have not asked."""
    with pytest.MonkeyPatch.context() as patch, Serving() as made:
        patch.setattr(punctual, "REQUEST_S", 600)
        patch.setattr(punctual, "UNFINISHED_MAX", 3)
        yield made


@pytest.mark.parametrize("begun", [b"", b"GET / HT", WHOLE[:-2] + b"x: ", HEAD])
def test_a_request_that_never_gets_whole_is_given_up(
    serving: Serving, monkeypatch: pytest.MonkeyPatch, begun: bytes
) -> None:
    """Bytes that trickle in, of the head or of a form, do not lengthen its time."""
    monkeypatch.setattr(punctual, "REQUEST_S", LIMIT_S)
    serving.refused.clear()
    began_s = time.monotonic()
    with serving.connect() as one, contextlib.suppress(ConnectionError):
        one.sendall(begun)
        one.settimeout(LIMIT_S / 10)
        while True:
            try:
                if not one.recv(100):
                    break
            except TimeoutError:
                one.sendall(b"x" if begun else b"")
            assert time.monotonic() - began_s < HANGS_S
    assert time.monotonic() - began_s > LIMIT_S * 0.9
    while begun == HEAD and not serving.refused:  # the page is told after the connection
        assert time.monotonic() - began_s < HANGS_S
    assert serving.refused == (["the form did not come whole"] if begun == HEAD else [])


def test_an_answer_may_take_longer_and_each_request_has_its_own_time(serving: Serving) -> None:
    """Nothing ends what is whole and is being answered; the next does not pay for a pause."""
    serving.endings.clear()
    with serving.connect() as one:
        me = one.getsockname()
        one.sendall(WHOLE)
        _hear(one)
        end_s = time.monotonic() + HANGS_S
        while (pause := serving.ends(me)) is None:
            assert time.monotonic() < end_s
        one.sendall(WHOLE[:-2])
        while (asking := serving.ends(me)) is pause or asking is None:
            assert time.monotonic() < end_s
        assert asking.when() > pause.when()
        assert pause.cancelled()
        one.sendall(WHOLE[-2:])
        _hear(one)
    assert serving.endings == [False, False]


def _hear(one: socket.socket) -> None:
    """The whole answer."""
    heard = b""
    while b"here you are" not in heard:
        more = one.recv(4096)
        assert more
        heard += more


def test_many_that_ask_for_nothing_make_room(serving: Serving) -> None:
    """The oldest of those that have not asked goes; who comes and asks is answered."""
    silent = [serving.connect() for _ in range(4)]
    with contextlib.suppress(ConnectionResetError):
        assert silent[0].recv(1) == b""
    silent[3].sendall(WHOLE)
    assert silent[3].recv(4096).startswith(b"HTTP/1.1 200")
    for one in silent:
        one.close()
