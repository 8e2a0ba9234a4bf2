"""Watching a step that takes long: its latest lines, on a channel of their own, lossily."""

from __future__ import annotations

import time

from fleetctl.transport.lanes import Lanes
from fleetctl.transport.protocol import Said, Sink
from fleetctl.transport.shelltexts import quote
from fleetctl.transport.wire import Broken, Channel, Silent, Wire

AFTER_S = 1.5
"""Steps shorter than this are not worth a channel."""
_LINES_PER_S = 10
_LINE_BYTES = 400
_SLICE_S = 60.0

# `read` ends with the channel, and then so do the tails: nothing is left behind on the host.
_SCRIPT = """{{
tail -n 3 -f {out} 2>/dev/null & first=$!
tail -n 3 -f {err} 2>/dev/null & second=$!
read -r end
kill $first $second
}}
"""


class Watcher:
    """Tells the lines of one host's running step; starts and ends with it."""

    def __init__(self, host: str, wire: Wire, sink: Sink, lanes: Lanes, open_s: float) -> None:
        self._host = host
        self._wire = wire
        self._sink = sink
        self._lanes = lanes
        self._open_s = open_s
        self._watched: tuple[int, str] | None = None
        self._channel: Channel | None = None

    def start(self, ticket: int, key: str, prefix: str, streams: tuple[str, ...]) -> None:
        """Tell the lines of `key`, whose streams' paths begin with `prefix`, until `stop`."""
        if self._watched is None:
            self._watched = (ticket, key)
            self._lanes.put(lambda: self._watch(ticket, key, prefix, streams))

    def stop(self) -> None:
        """The step is over."""
        self._watched = None
        channel, self._channel = self._channel, None
        if channel is not None:
            channel.close()

    def _watch(self, ticket: int, key: str, prefix: str, streams: tuple[str, ...]) -> None:
        watched = (ticket, key)
        if self._watched != watched:
            return
        try:
            channel = self._wire.start("exec sh", merged=True, timeout_s=self._open_s)
            self._channel = channel
            paths = {
                name: quote(f"{prefix}{key}.{name}") if name in streams else "/dev/null"
                for name in ("out", "err")
            }
            channel.write(_SCRIPT.format(**paths).encode(), self._open_s)
            while self._watched == watched and self._tell(ticket, key, channel):
                pass
            channel.close()
        except (Broken, Silent, ValueError):
            return  # for watching only: the step's own channel tells what matters

    def _tell(self, ticket: int, key: str, channel: Channel) -> bool:
        """Whatever comes next, of many lines the last ones; False at the end."""
        chunk = channel.read(_SLICE_S)
        if chunk is None:
            return False
        lines = chunk[1][-_LINES_PER_S * _LINE_BYTES :].decode("utf-8", "replace").splitlines()
        for line in lines[-_LINES_PER_S:]:
            if line.strip():
                self._sink(Said(ticket, self._host, key, line[:_LINE_BYTES]))
        time.sleep(len(lines[-_LINES_PER_S:]) / _LINES_PER_S)
        return True
