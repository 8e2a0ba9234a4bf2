"""Ending a tunnel while others use it never breaks the bastion's connection."""

from __future__ import annotations

import threading

from fleetctl.transport.tunnel import Tunnel


class SlowChannel:
    """Sends in two halves, as the library does: room is taken first, the data goes out later."""

    def __init__(self) -> None:
        self.closed = False
        self.sent: list[str] = []
        self.half = threading.Event()
        self.go_on = threading.Event()

    def send(self, data: bytes) -> int:
        self.half.set()
        assert self.go_on.wait(30)
        self.sent.append("data")
        return len(data)

    def recv(self, size: int) -> bytes:
        return b""

    def settimeout(self, seconds: float | None) -> None:
        pass

    def shutdown_read(self) -> None:
        self.go_on.set()

    def shutdown_write(self) -> None:
        self.sent.append("eof")

    def close(self) -> None:
        self.sent.append("close")


def test_the_end_of_the_stream_comes_after_what_is_being_sent() -> None:
    """Data under way when the stream is ended goes out before the end, never after it."""
    channel = SlowChannel()
    tunnel = Tunnel(channel)
    sender = threading.Thread(target=tunnel.send, args=(b"x",))
    sender.start()
    assert channel.half.wait(30)
    tunnel.shutdown(2)
    tunnel.close()
    sender.join(30)
    assert channel.sent == ["data", "eof", "close"]
