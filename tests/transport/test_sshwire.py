"""Two streams of one channel, read by us while the library's own thread feeds them."""

from __future__ import annotations

import itertools
import sys
import threading
from types import FrameType, SimpleNamespace
from typing import Any

import paramiko
import pytest

from fleetctl.transport.sshwire import SshChannel
from fleetctl.transport.wire import STDERR, STDOUT, Silent

_WIRE: Any = SimpleNamespace(usable=lambda: True)


def _both(channel: paramiko.Channel) -> SshChannel:
    return SshChannel(channel, merged=False, wire=_WIRE)


def test_what_comes_while_the_other_stream_is_taken_is_seen() -> None:
    """At whatever line of the reader it comes: nothing more has to come for it to be found."""
    for place in itertools.count():
        channel = paramiko.Channel(1)
        both = _both(channel)
        channel.in_buffer.feed(b"o")
        feeder = threading.Thread(target=channel.in_stderr_buffer.feed, args=(b"e",))
        first = _read_while_fed(both, feeder, place)
        if feeder.ident is None:
            break  # it has no more lines
        feeder.join()
        assert {first, both.read(1.0)} == {(STDOUT, b"o"), (STDERR, b"e")}, place
    assert place > 10


def _read_while_fed(
    both: SshChannel, feeder: threading.Thread, place: int
) -> tuple[int, bytes] | None:
    """What is read while the feeder comes in between at that line."""
    lines = itertools.count()

    def step(frame: FrameType, event: str, arg: object) -> Any:
        if event == "line" and next(lines) == place:
            feeder.start()
            feeder.join(0.05)  # not for long: the reader may hold the lock it needs
        return step

    usual = sys.gettrace()
    sys.settrace(step)
    try:
        return both.read(1.0)
    finally:
        sys.settrace(usual)


def test_all_is_read_before_the_end() -> None:
    """Bytes that came before the end are told before it."""
    channel = paramiko.Channel(1)
    both = _both(channel)
    channel.in_stderr_buffer.feed(b"e")
    channel.eof_received = True
    channel.in_buffer.close()
    channel.in_stderr_buffer.close()
    assert [both.read(1.0), both.read(1.0)] == [(STDERR, b"e"), None]


def test_silence_is_told_as_that() -> None:
    """Nothing came and nothing ended: whoever reads is told so when its time is up."""
    with pytest.raises(Silent):
        _both(paramiko.Channel(1)).read(0.01)
