"""The channel to a process here: what many threads do to it at once."""

from __future__ import annotations

import os
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from fleetctl.transport.local import LocalChannel, LocalWire
from fleetctl.transport.wire import Broken, Silent

_ROUNDS = 300
_CLOSERS = 3


@pytest.fixture
def restless() -> Iterator[None]:
    """Threads take turns as often as can be, so that what may happen between two lines does."""
    usual_s = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    yield
    sys.setswitchinterval(usual_s)


@pytest.mark.usefixtures("restless")
def test_channel_closed_by_many_while_one_reads() -> None:
    """Whoever comes second closes nothing again: its descriptors may be somebody else's by then."""
    wire = LocalWire(dict(os.environ))
    troubles: list[BaseException] = []
    for _ in range(_ROUNDS):
        channel = wire.start("cat", merged=True, timeout_s=30)
        start = threading.Barrier(_CLOSERS + 1)
        works: list[Callable[[], None]] = [channel.close] * _CLOSERS
        works.append(lambda channel=channel: _read_to_the_end(channel))  # type: ignore[misc]
        threads = [threading.Thread(target=_at_once, args=(start, w, troubles)) for w in works]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(30)
            assert not thread.is_alive()
    assert troubles == []


def _at_once(start: threading.Barrier, work: Callable[[], None], troubles: list[BaseException]
             ) -> None:  # fmt: skip
    start.wait()
    try:
        work()
    except BaseException as error:  # noqa: BLE001  told in the main thread
        troubles.append(error)


def _read_to_the_end(channel: LocalChannel) -> None:
    try:
        while channel.read(30.0) is not None:
            pass
    except (Broken, Silent):
        return


def test_a_home_that_is_not_there_is_named(tmp_path: Path) -> None:
    """The shell is there, so it must not be what is said to be missing."""
    wire = LocalWire({"HOME": str(tmp_path / "gone"), "PATH": "/usr/bin:/bin"})
    with pytest.raises(Broken, match="gone: No such file"):
        wire.start("true", merged=False, timeout_s=30)
