"""Tells open pages that there is something new: one watcher for all of them."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable, Hashable

from starlette.types import Receive, Scope, Send

LOOK_S = 1.0
"""How often it is looked whether anything was written."""
PULSE_S = 15.0
"""A quiet stream says this often that it is alive."""
STREAM_S = 300.0
"""A stream ends after that; browsers open another by themselves, those that are gone do not."""
SEND_S = 5.0
"""Who does not read for so long is let go."""
STREAMS_MAX = 200


class Bell:
    """Rings when a stamp has changed. All but `close` belong to the event loop."""

    def __init__(self, stamp: Callable[[], Hashable], look_s: float = LOOK_S) -> None:
        self._stamp = stamp
        self._look_s = look_s
        self._changed = asyncio.Event()
        self._based = asyncio.Event()
        """Set when it is known how everything was, so that a change can be told."""
        self._watching: asyncio.Task[None] | None = None
        self.number = 0
        """Of changes seen so far."""
        self.closed = False
        self.streams = 0

    async def ready(self) -> None:
        """Return when whatever is written from here on will ring."""
        self._watch()
        await self._based.wait()

    async def next(self, after: int, within_s: float) -> int:
        """The number of the last change, when it is not `after` or that time has passed."""
        self._watch()
        if self.number == after and not self.closed:
            changed = self._changed
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(within_s):  # 3.11's wait_for may lose a cancellation
                    await changed.wait()
        return self.number

    def close(self) -> None:
        """Every stream ends."""
        self.closed = True
        self._changed.set()
        if self._watching is not None:
            self._watching.cancel()

    def _watch(self) -> None:
        if self._watching is None or (self._watching.done() and not self.closed):
            self._based.clear()
            self._watching = asyncio.create_task(self._look())

    async def _look(self) -> None:
        """Goes on while anybody listens."""
        try:
            seen = await asyncio.to_thread(self._stamp)
        finally:
            self._based.set()
        while self.streams:
            await asyncio.sleep(self._look_s)
            now = await asyncio.to_thread(self._stamp)
            if now != seen:
                seen = now
                self.number += 1
                changed, self._changed = self._changed, asyncio.Event()
                changed.set()


class Stream:
    """The answer to one page that listens: server-sent events, as an ASGI program."""

    def __init__(self, bell: Bell, send_s: float = SEND_S, stream_s: float = STREAM_S) -> None:
        self._bell = bell
        self._send_s = send_s
        self._stream_s = stream_s

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Send until the reader is gone, reads no more, or the time is up."""
        bell = self._bell
        if bell.streams >= STREAMS_MAX or bell.closed:
            await _refuse(send)
            return
        bell.streams += 1
        sending = asyncio.create_task(self._tell(send))
        leaving = asyncio.create_task(_gone(receive))
        try:
            await asyncio.wait((sending, leaving), return_when=asyncio.FIRST_COMPLETED)
        finally:
            bell.streams -= 1
            for task in (sending, leaving):
                task.cancel()
            await asyncio.gather(sending, leaving, return_exceptions=True)

    async def _tell(self, send: Send) -> None:
        headers = [(b"content-type", b"text/event-stream"), (b"x-accel-buffering", b"no")]
        await send({"type": "http.response.start", "status": 200, "headers": headers})
        loop = asyncio.get_running_loop()
        end_s = loop.time() + self._stream_s
        await self._bell.ready()  # else what is written just after the page was taken never rings
        number = self._bell.number
        text = f"retry: 2000\nevent: hello\ndata: {number}\n\n"
        while True:
            body = {"type": "http.response.body", "body": text.encode(), "more_body": True}
            async with asyncio.timeout(self._send_s):
                await send(body)
            if self._bell.closed or loop.time() >= end_s:
                break
            before, number = number, await self._bell.next(number, PULSE_S)
            text = ": alive\n\n" if number == before else f"event: news\ndata: {number}\n\n"
        async with asyncio.timeout(self._send_s):
            await send({"type": "http.response.body", "body": b""})


async def _gone(receive: Receive) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass


async def _refuse(send: Send) -> None:
    headers = [(b"content-type", b"text/plain"), (b"retry-after", b"30")]
    await send({"type": "http.response.start", "status": 503, "headers": headers})
    await send({"type": "http.response.body", "body": b"too many pages listen"})
