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
from fleetctl.console.serving import Address, Server, listen

pytestmark = pytest.mark.slow
LIMIT_S = 0.2
WHOLE = b"GET / HTTP/1.1\r\nhost: localhost\r\n\r\n"
HEAD = b"POST / HTTP/1.1\r\nhost: localhost\r\ncontent-length: 900\r\n\r\nform="


class Serving:
    """A server whose page takes longer than a request may."""

    def __init__(self) -> None:
        self.refused: list[str] = []
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
        await asyncio.sleep(LIMIT_S * 1.5)
        await PlainTextResponse("here you are")(scope, receive, send)

    def __enter__(self) -> Serving:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.should_exit = True
        self._thread.join(10)
        self._socket.close()

    def connect(self) -> socket.socket:
        """Somebody who has said nothing yet."""
        return socket.create_connection(self.place, timeout=10)


@pytest.fixture(scope="module")
def serving() -> Iterator[Serving]:
    """One with little patience."""
    with pytest.MonkeyPatch.context() as patch, Serving() as made:
        patch.setattr(punctual, "REQUEST_S", LIMIT_S)
        patch.setattr(punctual, "UNFINISHED_MAX", 3)
        yield made


@pytest.mark.parametrize("begun", [b"", b"GET / HT", WHOLE[:-2] + b"x: ", HEAD])
def test_a_request_that_never_gets_whole_is_given_up(serving: Serving, begun: bytes) -> None:
    """Bytes that trickle in, of the head or of a form, do not lengthen its time."""
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
            assert time.monotonic() - began_s < 20 * LIMIT_S
    assert time.monotonic() - began_s > LIMIT_S * 0.9
    assert serving.refused == (["the form did not come whole"] if begun == HEAD else [])


def test_an_answer_may_take_longer_and_each_request_has_its_own_time(serving: Serving) -> None:
    """What is whole is answered, though that takes longer; the next does not pay for a pause."""
    with serving.connect() as one:
        for _ in range(2):
            one.sendall(WHOLE)
            heard = b""
            while b"here you are" not in heard:
                more = one.recv(4096)
                assert more
                heard += more
            time.sleep(LIMIT_S * 0.6)


def test_many_that_ask_for_nothing_make_room(serving: Serving) -> None:
    """The oldest of those that have not asked goes; who comes and asks is answered."""
    silent = [serving.connect() for _ in range(4)]
    began_s = time.monotonic()
    with contextlib.suppress(ConnectionResetError):
        assert silent[0].recv(1) == b""
    assert time.monotonic() - began_s < LIMIT_S * 0.9
    silent[3].sendall(WHOLE)
    assert silent[3].recv(4096).startswith(b"HTTP/1.1 200")
    for one in silent:
        one.close()
