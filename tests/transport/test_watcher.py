"""Lines of a step that takes long, told while it runs."""

from __future__ import annotations

import itertools
import os
import queue
from pathlib import Path

import pytest

from fleetctl.transport.local import LocalTransport
from fleetctl.transport.protocol import Event, Said
from tests.transport.desk import HOLD, Desk, await_that, run

pytestmark = pytest.mark.slow


def test_long_step_is_heard_while_it_runs_and_leaves_nothing(tmp_path: Path) -> None:
    """A line comes before the end; short and secret steps say nothing; no `tail` is left."""
    home = {"HOME": str(tmp_path), "PATH": os.environ["PATH"]}
    events: queue.SimpleQueue[Event] = queue.SimpleQueue()
    transport = LocalTransport(events.put, environment=lambda host: home, live=True)
    desk = Desk(transport, events, itertools.count(1))
    desk.do(run("short", "echo short"), run("mute", "echo mute; sleep 2", keep_output=False))
    ticket = desk.segment(run("long", f"echo began; {HOLD}; echo over"))
    heard = desk.until(lambda event: isinstance(event, Said))
    assert heard == Said(ticket, "h1", "long", "began")
    (tmp_path / "go").touch()
    desk.final(ticket)
    transport.close()
    await_that(lambda: b"tail" not in _commands_naming(tmp_path), "the end of a tail")
    assert {e.line for e in desk.said if isinstance(e, Said)} <= {"began", "over"}


def _commands_naming(folder: Path) -> bytes:
    """The command lines of all processes that name `folder`."""
    lines = b""
    for path in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            line = path.read_bytes()
        except OSError:
            continue
        if os.fsencode(folder) in line:
            lines += line
    return lines
