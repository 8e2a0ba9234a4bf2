"""Streams of news: who does not read is let go, and closing ends them all."""

from __future__ import annotations

import asyncio
import time
from typing import Any

from starlette.types import Message

from fleetctl.console.bell import STREAMS_MAX, Bell, Stream


async def _never() -> Message:
    await asyncio.Event().wait()
    raise AssertionError


def test_a_reader_that_does_not_read_is_let_go() -> None:
    """A send that does not come back ends the stream, and its place is free again."""

    async def stuck(message: Message) -> None:
        if message["type"] == "http.response.body":
            await asyncio.Event().wait()

    async def play() -> None:
        bell = Bell(lambda: 0)
        await asyncio.wait_for(Stream(bell, send_s=0.05)({}, _never, stuck), 30)
        assert bell.streams == 0

    asyncio.run(play())


def test_a_change_rings_and_closing_ends_the_stream() -> None:
    """The reader hears one piece of news a change, and its end when the bell is closed."""
    stamp = [0]
    heard: list[bytes] = []

    async def play() -> None:
        bell = Bell(lambda: stamp[0], look_s=0.001)

        async def take(message: Message) -> None:
            heard.append(message.get("body", b""))
            if b"hello" in heard[-1]:
                asyncio.get_running_loop().call_later(0.02, stamp.__setitem__, 0, 1)
            if b"news" in heard[-1]:
                bell.close()

        await asyncio.wait_for(Stream(bell)({}, _never, take), 30)

    asyncio.run(play())
    assert sum(b"event: news" in one for one in heard) == 1
    assert heard[-1] == b""


def test_a_reader_that_left_frees_its_place() -> None:
    """Its going is noticed at once, not at the next piece of news."""

    async def play() -> None:
        bell = Bell(lambda: 0)

        async def left() -> Message:
            return {"type": "http.disconnect"}

        async def take(message: Message) -> None:
            await asyncio.sleep(0)

        await asyncio.wait_for(Stream(bell)({}, left, take), 30)
        assert bell.streams == 0

    asyncio.run(play())


def test_there_are_only_so_many_streams() -> None:
    """One more is told to come back later."""
    answers: list[Any] = []

    async def play() -> None:
        bell = Bell(lambda: 0)
        bell.streams = STREAMS_MAX

        async def take(message: Message) -> None:
            answers.append(message.get("status"))

        await Stream(bell)({}, _never, take)
        assert bell.streams == STREAMS_MAX

    asyncio.run(play())
    assert answers[0] == 503


def test_what_is_written_right_after_the_hello_rings() -> None:
    """Who took the page at the hello hears of everything after it, however slow the first look."""
    stamp = [0]
    heard: list[bytes] = []

    def slow() -> int:
        time.sleep(0.02)
        return stamp[0]

    async def play() -> None:
        bell = Bell(slow, look_s=0.001)

        async def take(message: Message) -> None:
            heard.append(message.get("body", b""))
            if b"hello" in heard[-1]:
                stamp[0] = 1
            if b"news" in heard[-1]:
                bell.close()

        await asyncio.wait_for(Stream(bell)({}, _never, take), 30)

    asyncio.run(play())
    assert any(b"event: news" in one for one in heard)
