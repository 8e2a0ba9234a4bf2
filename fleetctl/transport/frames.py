"""The words between a session and `runner.sh`: orders as sh text out, frames in. Pure."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Literal, cast, get_args

import msgspec

from fleetctl.playbook.operations import Exec, Put, SecretExec
from fleetctl.transport.protocol import (
    Ask,
    Output,
    Round,
    RunSegment,
    StepEnd,
    StepOrder,
    StepResult,
)
from fleetctl.transport.rounds import encode_round
from fleetctl.transport.shelltexts import checked, quote

KEPT_BYTES = 32 * 1024
"""Of the head and of the tail of a stream each; the runner's BOUND."""
WHOLE_BYTES = 1024 * 1024
"""As KEPT_BYTES, for a step whose output matters as a whole; the runner's WHOLE."""
_BODY_MAX = 4 * KEPT_BYTES
_NOISE_MAX = 4096
_LINE_MAX = 64 * 1024
_OWN_PROCESS = re.compile(
    r"\$\$|\$\{\$|PPID|BASHPID|\bkill\b|\beval\b|\bsource\b"
    r"|(?:^|[\n;&|({!]|\b(?:then|do|else))\s*\.\s"
)
"""In a text that may look at, name or signal its own process, or reads more text from elsewhere."""
_WORD = re.compile(r"[A-Za-z0-9_.@:+-]{1,200}")


class FrameError(ValueError):
    """What came is not what the runner says."""


class Hello(msgspec.Struct, frozen=True):
    """The runner is there."""

    boot: str
    home: str


class Began(msgspec.Struct, frozen=True):
    """A step that is not the order's first has begun."""

    key: str


class Ended(msgspec.Struct, frozen=True):
    """A step has ended, or is told from the record."""

    result: StepResult


class Need(msgspec.Struct, frozen=True):
    """A put asks for its file at `path`; the order ends there and is to be sent again."""

    key: str
    path: str


class Done(msgspec.Struct, frozen=True):
    """The order is over."""


class RefusedFrame(msgspec.Struct, frozen=True):
    """The order is over: the rest of it will not be done."""

    reason: Literal["fence", "disk", "busy", "runner"]
    fence: int
    holder: str
    detail: str


Frame = Hello | Began | Ended | Need | Done | RefusedFrame


# --- orders -------------------------------------------------------------------------------------


def partner_of(key: str) -> str:
    """The key whose later success takes this one's back: a step and its undo."""
    return key.removesuffix(".undo") if key.endswith(".undo") else f"{key}.undo"


def recorded_key(step: StepOrder) -> str:
    """The key under which the host records this step."""
    return f"{step.key}.undo" if step.undo else step.key


def encode_segment(order: RunSegment, steps: Sequence[StepOrder], lock_wait_s: float) -> bytes:
    """One brace group doing `steps` of `order`."""
    head = f"_segment {_head(order, lock_wait_s)}"
    lines = [head, *(_encode_step(step) for step in steps)]
    return _group(lines)


def encode_ask(order: Ask) -> bytes:
    """One brace group asking for the steps of `order`."""
    pairs = " ".join(f"{_word(key)} {partner_of(key)}" for key in order.keys)
    return _group([f"_ask {_head(order, order.wait_s)} {pairs}"])


def _head(order: RunSegment | Ask, wait_s: float) -> str:
    under = _word(order.under or order.run)
    return f"{_word(order.run)} {order.fence} {_hundredths(wait_s)} {under}"


def _group(lines: list[str]) -> bytes:
    text = "{\n" + "\n".join(lines) + "\n_leave\n}\n"
    return text.encode("utf-8", "surrogateescape")


def _encode_step(step: StepOrder) -> str:
    key = recorded_key(step)
    words = f"{_word(key)} {partner_of(key)} {step.try_no}"
    operation = step.operation
    if isinstance(operation, Put):
        if step.undo:
            raise ValueError(f"step {step.key} lays down a file and has no undo")
        mode = f"{operation.mode:04o}"
        return f"_put {words} {_word(operation.sha256)} {quote(operation.dest)} {mode}"
    head = f"_step {words} {_hundredths(step.timeout_s)}"
    if isinstance(operation, Round):
        text = encode_round(operation, keep_output=step.keep_output)
        return f"{head} {'-lw' if step.wipe else '-l'} {quote(text)}"
    flags, text = _encode_exec(step, operation)
    return f"{head} {flags} {quote(text)}"


def _encode_exec(step: StepOrder, operation: Exec) -> tuple[str, str]:
    """The flags and the text of a step that is one command."""
    if isinstance(operation, SecretExec):
        raise ValueError(f"step {step.key} was not given its secrets")
    flags = "-"
    if step.undo and not operation.undo:
        raise ValueError(f"step {step.key} has no undo")
    # Always eval: the host writes scripts over older ones, so none may be left open at its end.
    text = f"set --\neval {quote(operation.undo if step.undo else operation.act)}"
    if operation.check and not step.undo:
        flags += "c"
        text = checked(operation.check, operation.act)
    if not step.keep_output:
        flags += "s"
    elif step.whole:
        flags += "l"
    if step.wipe:
        # In one eval, so that sh has read all of its script when that is emptied.
        flags += "aw"
        text = "eval " + quote(f': >"$0"\n{text}')
    elif _OWN_PROCESS.search(
        f"{operation.check}\n{operation.undo if step.undo else operation.act}"
    ):
        flags += "a"
    return flags, text


def _word(text: str) -> str:
    if not _WORD.fullmatch(text):
        raise ValueError(f"{text!r} cannot be a run, key or hash on a host")
    return text


def _hundredths(seconds: float) -> int:
    return max(1, round(seconds * 100))


# --- frames -------------------------------------------------------------------------------------


class _Body(msgspec.Struct):
    """An `ended` frame whose streams are still coming."""

    result: StepResult
    out_size: int
    err_size: int
    stdout: bytes | None = None


class FrameReader(msgspec.Struct):
    """Cuts what a runner writes into frames, however the bytes were split on the way.

    Whatever comes before the runner's hello (a login shell's greeting) is noise.
    """

    token: str
    noise: bytes = b""
    """The last of what was no frame; for telling why there is none."""
    _buffer: bytearray = msgspec.field(default_factory=bytearray)
    _searched: int = 0
    _greeted: bool = False
    _body: _Body | None = None

    def feed(self, data: bytes) -> list[Frame]:
        """The frames that are whole now; raises FrameError."""
        self._buffer += data
        frames: list[Frame] = []
        while (frame := self._next()) is not None:
            if not isinstance(frame, bool):
                frames.append(frame)
        return frames

    def _next(self) -> Frame | bool | None:
        """A frame; True when something else was used up; None when more bytes are needed."""
        if self._body is not None:
            return self._read_body(self._body)
        if (line := self._take(b"\n", _LINE_MAX)) is None:
            return None
        prefix = f"{self.token} ".encode()
        if not line.startswith(prefix):
            self.noise = (self.noise + line + b"\n")[-_NOISE_MAX:]
            return True
        return self._read_line(line[len(prefix) :].decode("utf-8", "replace"))

    def _take(self, mark: bytes, most: int) -> bytes | None:
        """All before `mark`, which is used up too."""
        at = self._buffer.find(mark, self._searched)
        if at < 0:
            if len(self._buffer) > most and self._greeted:
                raise FrameError("the host sent a frame without an end")
            if len(self._buffer) > most:
                self.noise = bytes(self._buffer[-_NOISE_MAX:])
                del self._buffer[: -len(mark)]
            self._searched = max(0, len(self._buffer) - len(mark) + 1)
            return None
        taken = bytes(self._buffer[:at])
        del self._buffer[: at + len(mark)]
        self._searched = 0
        return taken

    def _read_line(self, line: str) -> Frame | bool:
        word, _, rest = line.partition(" ")
        match word:
            case "hello":
                self._greeted = True
                boot, _, home = rest.partition(" ")
                return Hello(boot, home)
            case "began":
                return Began(rest)
            case "need":
                key, _, path = rest.partition(" ")
                return Need(key, path)
            case "done":
                return Done()
            case "refused":
                return _read_refusal(rest)
            case "ended":
                self._body = _read_end(rest)
                return True
        raise FrameError(f"the host sent an unknown frame {word!r}")

    def _read_body(self, body: _Body) -> Frame | bool | None:
        mark = "end" if body.stdout is not None else "err"
        told = body.out_size if body.stdout is None else body.err_size
        most = _BODY_MAX + min(told, 2 * WHOLE_BYTES)
        taken = self._take(f"\n{self.token} {mark}\n".encode(), most)
        if taken is None:
            return None
        if body.stdout is None:
            body.stdout = taken
            return True
        self._body = None
        result = _with_streams(body, taken)
        return Ended(result)


def _with_streams(body: _Body, stderr: bytes) -> StepResult:
    """The result of `body` with both its streams."""
    stdout = body.stdout or b""
    return msgspec.structs.replace(
        body.result,
        stdout=bounded(stdout, body.out_size),
        stderr=bounded(stderr, body.err_size),
    )


def bounded(kept: bytes, size: int) -> Output:
    """An Output of `size` bytes of which `kept` is all, or the head and the tail."""
    if size <= len(kept):
        return Output(head=kept, size=len(kept))
    return Output(head=kept[:KEPT_BYTES], tail=kept[KEPT_BYTES:], size=size)


def _read_end(rest: str) -> _Body:
    words = rest.split(" ", 7)
    if len(words) != 8:
        raise FrameError(f"the host sent an unreadable end: {rest!r}")
    key, end, status, spent, out_size, err_size, replayed, detail = words
    end = end.replace("timed-out", "timed out")
    if end not in get_args(StepEnd):
        raise FrameError(f"the host sent an unknown end {end!r}")
    try:
        result = StepResult(
            key=key,
            end=cast(StepEnd, end),
            exit_status=None if status == "-" else int(status),
            duration_s=int(spent) / 100,
            replayed=replayed == "1",
            detail=detail,
        )
        return _Body(result, int(out_size), int(err_size))
    except ValueError as error:
        raise FrameError(f"the host sent an unreadable end: {rest!r}") from error


def _read_refusal(rest: str) -> RefusedFrame:
    words = rest.split(" ", 3)
    if len(words) != 4 or words[0] not in ("fence", "disk", "busy", "runner"):
        raise FrameError(f"the host sent an unreadable refusal: {rest!r}")
    reason = cast(Literal["fence", "disk", "busy", "runner"], words[0])
    holder = "" if words[2] == "-" else words[2]
    return RefusedFrame(reason, int(words[1]), holder, words[3])
