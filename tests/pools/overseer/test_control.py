"""The control socket: requests in, answers out, however long they are."""

from __future__ import annotations

import json
import select
import socket
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from fleetctl.pools.overseer import control


class Side:
    """A control socket whose turns are counted, and somebody who is connected to it."""

    def __init__(self, folder: Path) -> None:
        self.epoll = select.epoll()
        self.made: list[int] = []
        self.control = control.Control(str(folder / "s"), self.epoll, self._answer)
        self.client = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.client.connect(str(folder / "s"))
        self.client.setblocking(False)
        self.heard = b""

    def _answer(self, request: dict[str, Any]) -> dict[str, Any]:
        rows = request.get("rows")
        if rows is None:
            return {"ok": True, "n": request["n"]}
        return {"ok": True, "rows": self._rows(rows)}

    def _rows(self, count: int) -> Iterator[dict[str, int]]:
        for number in range(count):
            self.made.append(number)
            yield {"row": number}

    def turn(self) -> bool:
        """One turn of the loop; False when there was nothing to do."""
        happened = [fd for fd, _ in self.epoll.poll(0)]
        for fd in happened:
            self.control.attend(fd)
        while True:
            try:
                self.heard += self.client.recv(1 << 16)
            except BlockingIOError:
                return bool(happened)

    def ask(self, *requests: object) -> list[dict[str, Any]]:
        """Send requests at once; all answers."""
        self.client.sendall(b"".join(json.dumps(one).encode() + b"\n" for one in requests))
        while self.turn():
            pass
        answers, self.heard = self.heard, b""
        return [json.loads(line) for line in answers.splitlines()]


@pytest.fixture
def side(tmp_path: Path) -> Iterator[Side]:
    """A control socket with a client."""
    made = Side(tmp_path)
    yield made
    made.client.close()
    for fd, _ in made.epoll.poll(0):
        made.control.attend(fd)
    made.control.sock.close()
    made.epoll.close()


@pytest.mark.parametrize("count", [0, 1, control.ROWS_AT_ONCE, control.ROWS_AT_ONCE + 1, 1000])
def test_a_long_answer_is_whole(side: Side, count: int) -> None:
    """However many rows there are, they come in one line, each once."""
    (told,) = side.ask({"rows": count})
    assert [row["row"] for row in told["rows"]] == list(range(count))


def test_a_long_answer_holds_up_no_turn(side: Side) -> None:
    """In one turn only some rows are made, so that daemons are heard in between."""
    side.client.sendall(b'{"rows": 1000}\n')
    before, most = 0, 0
    while side.turn():
        most, before = max(most, len(side.made) - before), len(side.made)
    assert before == 1000
    assert most == control.ROWS_AT_ONCE


def test_answers_come_in_the_order_of_requests(side: Side) -> None:
    """A short request behind a long one is answered after it, and is not forgotten."""
    told = side.ask({"n": 1}, {"rows": 300}, {"n": 2}, {"rows": 5}, {"n": 3})
    assert [one.get("n", len(one.get("rows", ()))) for one in told] == [1, 300, 2, 5, 3]


def test_one_that_does_not_read_gets_no_more_made(side: Side) -> None:
    """Rows are made as they are taken: who does not read costs no memory."""
    side.client.sendall(b'{"rows": 1000000}\n')
    for _ in range(2000):
        for fd, _ in side.epoll.poll(0):
            side.control.attend(fd)
    assert 0 < len(side.made) < 100_000
