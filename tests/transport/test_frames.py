"""Orders as sh text, frames back: whatever is in them and however they are split on the way."""

from __future__ import annotations

import itertools
import subprocess

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fleetctl.playbook.operations import Exec, Put
from fleetctl.transport import frames
from fleetctl.transport.frames import Began, Done, Ended, FrameReader, Hello, Need, RefusedFrame
from fleetctl.transport.protocol import Ask, RunSegment, StepOrder
from fleetctl.transport.shelltexts import quote

TOKEN = "f00d"
_STREAMS = st.binary(max_size=300).filter(lambda data: TOKEN.encode() not in data)


def ended(stdout: bytes, stderr: bytes, key: str = "a") -> bytes:
    head = f"{TOKEN} ended {key} acted 0 12 {len(stdout)} {len(stderr)} 0 \n".encode()
    return head + stdout + f"\n{TOKEN} err\n".encode() + stderr + f"\n{TOKEN} end\n".encode()


def cut(data: bytes, places: list[int]) -> list[bytes]:
    """`data` in pieces."""
    edges = sorted({place % (len(data) + 1) for place in places} | {0, len(data)})
    return [data[a:b] for a, b in itertools.pairwise(edges)]


def read(pieces: list[bytes]) -> list[frames.Frame]:
    reader = FrameReader(TOKEN)
    return [frame for piece in pieces for frame in reader.feed(piece)]


@given(stdout=_STREAMS, stderr=_STREAMS, places=st.lists(st.integers(0, 2000), max_size=30))
def test_frames_survive_any_split(stdout: bytes, stderr: bytes, places: list[int]) -> None:
    """However the bytes were cut, the same frames come out, streams unchanged."""
    whole = (
        b"Welcome!\nnoise " + f"\n{TOKEN} hello boot-1 /home/x y\n".encode()
        + f"{TOKEN} began a\n".encode() + ended(stdout, stderr)
        + f"{TOKEN} need p /some/path\n{TOKEN} refused fence 12 run-9 newer order\n".encode()
        + f"{TOKEN} done\n".encode()
    )  # fmt: skip
    hello, began, end, need, refused, done = read(cut(whole, places))
    assert (hello, began) == (Hello("boot-1", "/home/x y"), Began("a"))
    assert isinstance(end, Ended)
    assert (end.result.stdout.head, end.result.stderr.head) == (stdout, stderr)
    assert (need, done) == (Need("p", "/some/path"), Done())
    assert refused == RefusedFrame("fence", 12, "run-9", "newer order")


def test_body_of_any_length_keeps_its_head_and_tail_apart() -> None:
    """A stream larger than what came is its head and its tail."""
    output = frames.bounded(b"h" * frames.KEPT_BYTES + b"t" * frames.KEPT_BYTES, 10**6)
    assert (set(output.head), set(output.tail), output.size) == ({104}, {116}, 10**6)


@pytest.mark.parametrize(
    "line",
    ["wave", "ended a", "ended a flew 0 1 0 0 0 ", "ended a acted x 1 0 0 0 ", "refused maybe"],
)
def test_nonsense_is_an_error_not_a_frame(line: str) -> None:
    """What no runner says is not taken for an answer."""
    with pytest.raises(frames.FrameError):
        read([f"\n{TOKEN} hello b /h\n{TOKEN} {line}\n".encode()])


def test_endless_frame_is_an_error() -> None:
    """A host that never ends its frame cannot fill our memory."""
    reader = FrameReader(TOKEN)
    reader.feed(f"\n{TOKEN} hello b /h\n{TOKEN} ended a acted 0 1 9 9 0 \n".encode())
    with pytest.raises(frames.FrameError):
        reader.feed(b"x" * 10**6)


def test_endless_greeting_is_noise_of_bounded_size() -> None:
    """A login shell that prints without end is dropped but for its last words."""
    reader = FrameReader(TOKEN)
    for _ in range(50):
        assert reader.feed(b"spam" * 10_000) == []
    assert len(reader.noise) < 100_000
    assert reader.feed(f"\n{TOKEN} hello b /h\n".encode()) == [Hello("b", "/h")]


@settings(max_examples=10)  # starting a shell is what takes long
@given(st.lists(st.text(st.characters(codec="utf-8", exclude_characters="\0")), min_size=1))
def test_quoted_text_is_one_word_of_sh(texts: list[str]) -> None:
    """sh reads back exactly the texts that were quoted."""
    script = f"printf '%s\\0' {' '.join(map(quote, texts))}".encode()
    said = subprocess.run(["sh"], input=script, capture_output=True, check=True).stdout
    assert said.decode().split("\0") == [*texts, ""]


@pytest.mark.parametrize("bad", ["", "a b", "a;b", "a\nb", "$x", "*", "../x", "a'b"])
def test_run_and_key_must_be_plain_words(bad: str) -> None:
    """They become file names and sh words on the host, so nothing else is let through."""
    with pytest.raises(ValueError, match="cannot be"):
        frames.encode_ask(Ask(1, "h", bad, 1, ("a",), 1.0))
    with pytest.raises(ValueError, match="cannot be"):
        frames.encode_ask(Ask(1, "h", "run", 1, (bad,), 1.0))


def test_step_without_undo_cannot_be_undone() -> None:
    """Nothing is sent for it, rather than an empty text that succeeds."""
    for operation in (Exec("true"), Put("/s", "00", 0, "d")):
        step = StepOrder("a", operation, 1.0, undo=True)
        with pytest.raises(ValueError, match="no undo"):
            frames.encode_segment(RunSegment(1, "h", "r", 1, (step,)), (step,), 1.0)


@given(length=st.integers(0, 10_000))
def test_order_cut_short_runs_nothing(length: int) -> None:
    """Any beginning of an order that is not all of it is a syntax error to sh."""
    steps = tuple(StepOrder(f"s{n}", Exec("echo 'x'", check="true"), 1.0) for n in range(3))
    order = frames.encode_segment(RunSegment(1, "h", "r", 1, steps), steps, 1.0)
    assert order.endswith(b"}\n")
    short = order[: length % (len(order) - 1)]
    tell = "segment() { echo RAN; }; step() { echo RAN; }; leave() { echo RAN; }\n"
    said = subprocess.run(["sh"], input=tell.encode() + short, capture_output=True, check=False)
    assert b"RAN" not in said.stdout
