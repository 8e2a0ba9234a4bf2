"""A host session: orders told to the runner on one channel, its frames turned into events."""

from __future__ import annotations

import functools
import pkgutil
import secrets
import time

import msgspec

from fleetctl.playbook.operations import Put
from fleetctl.transport import frames, rounds, upload
from fleetctl.transport.protocol import (
    Answered,
    Ask,
    Connected,
    Event,
    Refused,
    Round,
    RunSegment,
    SegmentEnded,
    Sink,
    StepBegan,
    StepEnded,
    StepOrder,
    StepResult,
)
from fleetctl.transport.watcher import AFTER_S, Watcher
from fleetctl.transport.wire import Broken, Channel, Silent, Wire

RUNNER = ("processes.sh", "lock.sh", "runner.sh")
SHELL = "exec sh"
"""Means the same to every login shell, csh and fish too."""
_SEND_TIMEOUT_S = 30.0


class Patience(msgspec.Struct, frozen=True):
    """How long a session bears what it waits for, in seconds."""

    open_s: float = 15.0
    """A channel is to open within this."""
    grace_s: float = 15.0
    """After a step's deadline the host has this long to end it and to say so."""
    silence_s: float = 20.0
    """After this long without a byte the other end is asked whether it is there."""
    answer_s: float = 15.0
    """It then has this long to react."""
    lock_s: float = 10.0
    """A segment waits this long for another controller's to end."""


@functools.cache
def program(*names: str) -> str:
    """Parts of a program for the host, without comments: they are sent with every connection."""
    texts = (pkgutil.get_data("fleetctl.transport", name) or b"" for name in names)
    lines = (line.strip() for text in texts for line in text.decode().splitlines())
    return "\n".join(line for line in lines if line and not line.startswith("#")) + "\n"


class HostSession:
    """Does segments and asks of one host, one after the other, on one connection."""

    def __init__(
        self,
        host: str,
        wire: Wire,
        sink: Sink,
        patience: Patience,
        watcher: Watcher | None = None,
    ) -> None:
        self.home = ""
        """The runner's folder on the host; known after the first order."""
        self.sent = False
        """Whether bytes of the present order may have left us."""
        self._host = host
        self._wire = wire
        self._sink = sink
        self._patience = patience
        self._watcher = watcher
        self._watched: tuple[int, str, str, tuple[str, ...]] | None = None
        """What to watch once it takes long: ticket, key and folder of the step in hand."""
        self._token = secrets.token_hex(12)
        self._reader = frames.FrameReader(self._token)
        self._channel: Channel | None = None
        self._boot = ""
        self._ready: list[frames.Frame] = []
        self._knows_rounds = False
        """Whether the host was sent what rounds need on this channel."""

    def do(self, order: RunSegment | Ask) -> None:
        """Tell the order and every event up to its final one; raises Broken when none can come."""
        self.sent = False
        try:
            if isinstance(order, Ask):
                self._do_ask(order)
            else:
                self._do_segment(order)
        except ValueError as error:
            if not self.sent:
                self._sink(Refused(order.ticket, self._host, "runner", str(error)))
                return
            raise Broken("internal", str(error)) from error

    # --- segments

    def _do_segment(self, order: RunSegment) -> None:
        left = list(order.steps)
        staged: set[str] = set()
        while True:
            text = frames.encode_segment(order, left, self._patience.lock_s)
            self._send(text, rounds_in=any(isinstance(s.operation, Round) for s in left))
            need = self._follow(order, left)
            if need is None:
                return
            step = left[0]
            assert isinstance(step.operation, Put)
            why = self._stage(step.operation, need, step.timeout_s, again=need.key in staged)
            staged.add(need.key)
            if why:
                result = StepResult(frames.recorded_key(step), "failed", detail=why)
                self._tell(StepEnded(order.ticket, self._host, result))
                self._tell(SegmentEnded(order.ticket, self._host))
                return

    def _follow(self, order: RunSegment, left: list[StepOrder]) -> frames.Need | None:
        """Tell what the runner says of `order`; takes ended steps from `left`.

        The frame, when the first of `left` needs its file; None when the order is over.
        """
        need: frames.Need | None = None
        extra_s = self._patience.lock_s
        while True:
            limit_s = (left[0].timeout_s if left else 0.0) + extra_s + self._patience.grace_s
            match self._watch_frame(order, left, limit_s):
                case frames.Ended(result):
                    if left and isinstance(left[0].operation, Round):
                        result = rounds.with_items(result)
                    left[:1] = []
                    extra_s = 0.0
                    self._tell(StepEnded(order.ticket, self._host, result))
                case frames.Began(key):
                    self._tell(StepBegan(order.ticket, self._host, key))
                case frames.Need() as need:
                    pass
                case frames.RefusedFrame() as frame:
                    self._tell_refused(order.ticket, frame)
                    return None
                case frames.Done():
                    if need is None:
                        self._tell(SegmentEnded(order.ticket, self._host))
                    return need

    def _watch_frame(
        self, order: RunSegment, left: list[StepOrder], limit_s: float
    ) -> frames.Frame:
        """The next frame; lines of the step in hand are told when it is long in coming."""
        if self._watcher is None or not left or not left[0].keep_output:
            return self._frame(order.ticket, limit_s)
        # A round tells its items on its standard output, and how far it is on the other.
        streams = ("err",) if isinstance(left[0].operation, Round) else ("out", "err")
        key = frames.recorded_key(left[0])
        self._watched = (order.ticket, key, f"/runs/{order.run}=", streams)
        try:
            return self._frame(order.ticket, limit_s)
        finally:
            self._watched = None
            self._watcher.stop()

    def _stage(self, put: Put, need: frames.Need, limit_s: float, *, again: bool) -> str:
        """Stream the file of `put` to the host; why it cannot be, or an empty text."""
        if again:
            return f"{put.source} arrived damaged twice, or changed since it was measured"
        return upload.stream(self._wire, put, need.path, limit_s, self._patience.open_s)

    # --- asking

    def _do_ask(self, order: Ask) -> None:
        self._send(frames.encode_ask(order))
        results: list[StepResult] = []
        while True:
            match self._frame(order.ticket, order.wait_s + self._patience.grace_s):
                case frames.Ended(result):
                    known = result.key in order.rounds
                    results.append(rounds.with_items(result) if known else result)
                case frames.RefusedFrame() as frame:
                    self._tell_refused(order.ticket, frame)
                    return
                case frames.Done():
                    break
                case _:
                    pass
        self._tell(Answered(order.ticket, self._host, self._boot, tuple(results)))

    # --- the channel

    def _send(self, text: bytes, *, rounds_in: bool = False) -> None:
        if rounds_in and not self._knows_rounds:
            text = program(rounds.PROGRAM).encode() + text
            self._knows_rounds = True
        if self._channel is None:
            self._channel = self._wire.start(SHELL, merged=True, timeout_s=self._patience.open_s)
            text = f"_T={self._token}\n{program(*RUNNER)}".encode() + text
        self.sent = True
        self._channel.write(text, _SEND_TIMEOUT_S)

    def _frame(self, ticket: int, limit_s: float) -> frames.Frame:
        """The next frame but hello; raises Broken when none comes within `limit_s`."""
        deadline_s = time.monotonic() + limit_s
        while True:
            while self._ready:
                frame = self._ready.pop(0)
                if not isinstance(frame, frames.Hello):
                    return frame
                self._boot, self.home = frame.boot, frame.home
                self._tell(Connected(ticket, self._host, frame.boot))
            self._ready = self._reader.feed(self._bytes(deadline_s, limit_s))

    def _bytes(self, deadline_s: float, limit_s: float) -> bytes:
        assert self._channel is not None
        while (left_s := deadline_s - time.monotonic()) > 0:
            slice_s = self._patience.silence_s if self._watched is None else AFTER_S
            try:
                chunk = self._channel.read(min(left_s, slice_s))
            except Silent:
                if self._watched is not None:
                    self._begin_watching(*self._watched)
                    continue
                if left_s <= self._patience.silence_s:
                    continue
                if not self._wire.answers(self._patience.answer_s):
                    raise Broken("silence", "the host's sshd stopped answering") from None
                continue
            if chunk is None:
                raise self._ended_early()
            return chunk[1]
        raise Broken("silence", f"no answer within {limit_s:.0f} s")

    def _begin_watching(self, ticket: int, key: str, folder: str, streams: tuple[str, ...]) -> None:
        self._watched = None
        if self._watcher is not None and self.home:
            self._watcher.start(ticket, key, self.home + folder, streams)

    def _ended_early(self) -> Broken:
        assert self._channel is not None
        status = self._channel.exit_status(1.0)
        said = self._reader.noise.decode("utf-8", "replace").strip()[-300:]
        if not self._boot and status is not None:
            # The shell ended by itself and never came to the runner, so to no order either.
            self.sent = False
            detail = f"the login's shell ended with status {status}: {said or 'no word'}"
            return Broken("connect", detail, retryable=False)
        return Broken("closed", "the connection was closed" + (f": {said}" if said else ""))

    def _tell_refused(self, ticket: int, frame: frames.RefusedFrame) -> None:
        self._tell(
            Refused(ticket, self._host, frame.reason, frame.detail, frame.fence, frame.holder)
        )

    def _tell(self, event: Event) -> None:
        self._sink(event)
