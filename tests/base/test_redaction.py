"""Secrets are blotted out whatever their form and wherever a text is cut."""

from __future__ import annotations

import base64
import html
import json
import shlex
import time
import urllib.parse
from collections.abc import Callable
from itertools import pairwise

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from fleetctl.base.disguises import LENGTH_MAX
from fleetctl.base.redaction import BLOT, Redactor, Stream

SECRETS = st.text(st.characters(codec="utf-8", exclude_characters="\0"), min_size=6).filter(
    lambda text: len(text.strip().encode()) >= 6
)
TOKENS = st.text("ABCDEFGHabcdefgh0123456789+/-_$'\"\\ %&", min_size=6, max_size=120).filter(
    lambda text: len(text.strip()) >= 6
)
AROUND = st.text("~", max_size=9)
"""A character that no form of a token holds, so that what is left can be told."""
FORMS: dict[str, Callable[[str], str]] = {
    "plain": lambda text: text,
    "shlex": shlex.quote,
    "shell in json": lambda text: json.dumps(shlex.quote(text)),
    "json": json.dumps,
    "json twice": lambda text: json.dumps(json.dumps(text)),
    "json utf-8": lambda text: json.dumps(text, ensure_ascii=False),
    "repr": repr,
    "ascii": ascii,
    "repr of bytes": lambda text: repr(text.encode())[1:],
    "printf %q": lambda text: "".join(c if c.isalnum() else f"\\{c}" for c in text),
    "escaped quotes": lambda text: text.replace("'", "'\\''"),
    "percent": urllib.parse.quote,
    "percent, all": lambda text: urllib.parse.quote(text, safe=""),
    "percent, form": urllib.parse.quote_plus,
    "percent, small": lambda text: urllib.parse.quote(text).lower() if text.islower() else text,
    "percent twice": lambda text: urllib.parse.quote(urllib.parse.quote(text)),
    "html": html.escape,
    "html, numbers": lambda text: "".join(f"&#{ord(c)};" for c in text),
    "hexadecimal": lambda text: text.encode().hex(),
    "HEXADECIMAL": lambda text: text.encode().hex().upper(),
    "octal": lambda text: "".join(f"\\{byte:03o}" for byte in text.encode()),
    "base64": lambda text: base64.b64encode(text.encode()).decode(),
    "base64, url-safe": lambda text: base64.urlsafe_b64encode(text.encode()).decode(),
}


@pytest.mark.parametrize("form", FORMS)
@settings(max_examples=25, deadline=None)
@given(secret=SECRETS | TOKENS, before=AROUND, after=AROUND)
def test_every_form_is_found(form: str, secret: str, before: str, after: str) -> None:
    """A whole secret in any usual encoding is gone from what is told, and only it."""
    disguised = FORMS[form](secret)
    told = Redactor([secret.encode()]).text(before + disguised + after)
    assert "***" in told
    assert disguised.strip() not in told
    assert len(told) <= len(before) + len(after) + 40


@settings(max_examples=60, deadline=None)
@given(
    secret=st.binary(min_size=6, max_size=200).filter(lambda value: len(value.strip()) >= 6),
    before=st.binary(max_size=7),
    after=st.binary(max_size=7),
    width=st.integers(4, 76),
    safe=st.booleans(),
)
def test_base64_of_any_text_around_it(
    secret: bytes, before: bytes, after: bytes, width: int, safe: bool
) -> None:
    """Base64 is found at every alignment, in both alphabets, and wrapped at any width."""
    encode = base64.urlsafe_b64encode if safe else base64.b64encode
    encoded = encode(before + secret + after)
    wrapped = b"\n".join(encoded[at : at + width] for at in range(0, len(encoded), width))
    told = Redactor([secret]).redact(wrapped).replace(b"\n", b"")
    first, last = -(-len(before) * 4 // 3), (len(before) + len(secret)) * 4 // 3
    kept_before, _, rest = told.partition(BLOT)
    kept_after = rest.rpartition(BLOT)[2] if BLOT in rest else rest
    assert BLOT in told
    assert len(kept_before) <= first
    assert len(kept_after) <= len(encoded) - last


@settings(max_examples=60, deadline=None)
@given(
    secrets=st.lists(TOKENS, min_size=1, max_size=3),
    form=st.sampled_from(sorted(FORMS)),
    filler=st.lists(st.text("~\n.", max_size=700), min_size=2, max_size=4),
    cuts=st.lists(st.integers(0, 4000), max_size=12),
)
def test_a_stream_cut_anywhere(
    secrets: list[str], form: str, filler: list[str], cuts: list[int]
) -> None:
    """However a stream is cut into chunks, it tells what the whole text would."""
    text = "".join(part + FORMS[form](s) for part, s in zip(filler, secrets * 4, strict=False))
    data = (text + filler[-1]).encode()
    redactor = Redactor([secret.encode() for secret in secrets])
    stream = Stream(redactor)
    places = [0, *sorted(cut for cut in cuts if cut < len(data)), len(data)]
    chunks = [stream.feed(data[a:b]) for a, b in pairwise(places)]
    assert b"".join([*chunks, stream.end()]) == redactor.redact(data)


@settings(max_examples=60, deadline=None)
@given(secret=TOKENS, cuts=st.lists(st.integers(0, 200), max_size=5))
@example(secret="abcdef", cuts=[1, 2, 3, 4, 5])
def test_a_stream_that_goes_out_at_once(secret: str, cuts: list[int]) -> None:
    """Where nothing may be held back for long, plain secrets are found over cuts all the same."""
    data = f"~~{secret}~~".encode()
    stream = Stream(Redactor([secret.encode()]), hold_all=False)
    places = [0, *sorted(cut for cut in cuts if cut < len(data)), len(data)]
    chunks = [stream.feed(data[a:b]) for a, b in pairwise(places)]
    told = b"".join([*chunks, stream.end()])
    assert told.replace(BLOT, b"").strip(b"~ ") == b""


@settings(max_examples=60, deadline=None)
@given(secret=st.binary(min_size=6, max_size=100), cut=st.integers(1, 99))
def test_half_a_secret_at_a_cut(secret: bytes, cut: int) -> None:
    """Where the middle of an output is left out, the half of a secret at the edge goes too."""
    if len(secret.strip()) < 6:
        secret = b"filler" + secret
    redactor = Redactor([secret])
    head, tail = secret[:cut], secret[cut:]
    assert len(redactor.redact(b"~~~~" + head, cut_end=True).strip(b"~").replace(BLOT, b"")) < 3
    assert len(redactor.redact(tail + b"~~~~", cut_start=True).strip(b"~").replace(BLOT, b"")) < 3


@settings(max_examples=60, deadline=None)
@given(text=st.text("xyz .\n%\\&'", max_size=300))
def test_other_text_stays(text: str) -> None:
    """What holds no secret is told as it was said."""
    redactor = Redactor([b"abc$def!ghi", b"0123456789"])
    assert redactor.text(text) == text
    stream = Stream(redactor)
    assert stream.feed(text.encode()) + stream.end() == text.encode()


def test_lines_of_a_key_are_secrets() -> None:
    """Each line of a secret of many lines is found by itself; short ones only with the others."""
    redactor = Redactor([b"-----BEGIN-----\nabcdefgh\nab\nijklmnop\n"])
    assert redactor.redact(b"1 abcdefgh\n2 ab\n3 ijklmnop") == b"1 ***\n2 ab\n3 ***"


def test_overlapping_secrets() -> None:
    """Of two secrets that share letters nothing is left over."""
    redactor = Redactor([b"abcdefgh", b"efghijkl", b"abcdefghXYZ"])
    assert redactor.redact(b"<abcdefghijkl>") == b"<***>"
    assert redactor.redact(b"<abcdefghXYZ>") == b"<***>"


def test_none_costs_nothing() -> None:
    """Without secrets the very same bytes come back."""
    data = b"anything"
    assert Redactor().redact(data) is data
    assert not Redactor()
    assert Stream(Redactor()).feed(data) is data


@pytest.mark.parametrize("flood", [b"\\", b"'", b"%25", b"&#0", b"Tr", b"\\\\'\\\"", b"=\n"])
def test_a_flood_is_read_in_time(flood: bytes) -> None:
    """Nothing a host can say makes the search take long."""
    redactor = Redactor([b"Tr0ub'4dor\\\\\\\\\\\\&3", b"\\\\'\\\"%25TrTrTrTr", b"''''''''"])
    data = (flood * 65536)[:65536]
    began_s = time.process_time()
    redactor.redact(data, cut_start=True, cut_end=True)
    assert time.process_time() - began_s < 30


def test_a_large_secret_is_found_whole() -> None:
    """A key store of 20 KiB is found, also in base64, and cut anywhere by a stream."""
    secret = bytes(range(256)) * 80
    redactor = Redactor([secret])
    told = redactor.redact(b"<" + secret + b"|" + base64.b64encode(b"x" + secret) + b">")
    assert len(told) < 40
    stream = Stream(redactor)
    out = stream.feed(b"<" + secret[:9000]) + stream.feed(secret[9000:] + b">") + stream.end()
    assert out == b"<***>"
    assert LENGTH_MAX < 1000
