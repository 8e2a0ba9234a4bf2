"""What goes over channels of its own beside a host's session: looks and kills."""

from __future__ import annotations

import time

import msgspec

from fleetctl.transport.frames import KEPT_BYTES
from fleetctl.transport.protocol import Kill, Killed, Look, Looked, Output
from fleetctl.transport.session import SHELL, program
from fleetctl.transport.shelltexts import quote
from fleetctl.transport.wire import STDERR, STDOUT, Broken, Channel, Silent, Wire

_KILL_S = 15.0


class Collected(msgspec.Struct):
    """A stream as it comes in, bounded: its head, and a moving tail."""

    head: bytearray = msgspec.field(default_factory=bytearray)
    tail: bytearray = msgspec.field(default_factory=bytearray)
    size: int = 0

    def take(self, data: bytes) -> None:
        """Add the next bytes."""
        self.size += len(data)
        room = KEPT_BYTES - len(self.head)
        if room > 0:
            self.head += data[:room]
            data = data[room:]
        self.tail += data
        if len(self.tail) > 2 * KEPT_BYTES:
            del self.tail[:-KEPT_BYTES]

    def output(self) -> Output:
        """What is kept."""
        return Output(bytes(self.head), bytes(self.tail[-KEPT_BYTES:]), self.size)


def look(wire: Wire, order: Look, open_s: float) -> Looked:
    """Run the script of `order`; raises Broken when the connection goes."""
    started_s = time.monotonic()
    # In a brace group: a script cut short runs nothing. It never reads what we send after it.
    script = f"{{\necho $$ >&2\n(eval {quote(order.script)}) </dev/null\nexit $?\n}}\n"
    channel = wire.start(SHELL, merged=False, timeout_s=open_s)
    streams = {STDOUT: Collected(), STDERR: Collected()}
    try:
        channel.write(script.encode("utf-8", "surrogateescape"), open_s)
        status = _collect(channel, streams, started_s + order.timeout_s)
    finally:
        channel.close()
    pid, stderr = _split_pid(streams[STDERR])
    if status is None:
        _end_group(wire, pid, open_s)
    return Looked(
        order.ticket,
        order.host,
        status,
        streams[STDOUT].output(),
        stderr,
        time.monotonic() - started_s,
    )


def _collect(channel: Channel, streams: dict[int, Collected], deadline_s: float) -> int | None:
    """The exit status, all output taken; None when `deadline_s` passed first."""
    while (left_s := deadline_s - time.monotonic()) > 0:
        try:
            chunk = channel.read(left_s)
        except Silent:
            return None
        if chunk is None:
            status = channel.exit_status(max(0.1, deadline_s - time.monotonic()))
            if status is None:
                raise Broken("closed", "the connection was closed")
            return status
        streams[chunk[0]].take(chunk[1])
    return None


def _split_pid(stderr: Collected) -> tuple[str, Output]:
    """The pid our first line told, and the stream without that line."""
    first, newline, rest = bytes(stderr.head).partition(b"\n")
    if not newline or not first.isdigit():
        return "", stderr.output()
    kept = stderr.output()
    return first.decode(), Output(rest, kept.tail, kept.size - len(first) - 1)


def _end_group(wire: Wire, pid: str, open_s: float) -> None:
    """Stop a look that ran over its time; what it started must not go on for ever."""
    if not pid:
        return
    try:
        channel = wire.start(f"kill -TERM -{pid}", merged=True, timeout_s=open_s)
        channel.exit_status(open_s)
        channel.close()
    except (Broken, Silent):
        return


def kill(wire: Wire, order: Kill, open_s: float) -> Killed:
    """Stop the step running under the run of `order`; raises Broken when the connection goes."""
    channel = wire.start(SHELL, merged=True, timeout_s=open_s)
    said = Collected()
    try:
        head = (
            f"RUN={quote(order.run)}\nNUMBER={order.fence}\nUNDER={quote(order.under or order.run)}"
        )
        script = f"{head}\n{program('processes.sh', 'kill.sh')}"
        channel.write(script.encode(), open_s)
        status = _collect(channel, {STDOUT: said, STDERR: said}, time.monotonic() + _KILL_S)
    finally:
        channel.close()
    if status is None:
        raise Broken("silence", "the host did not say whether it stopped the step")
    return Killed(order.ticket, order.host, b"found" in bytes(said.head))
