"""Names, sessions, tokens of forms."""

from __future__ import annotations

import pytest

from fleetctl.console.app import _is_path
from fleetctl.console.guard import SESSION_S, Names, Sessions, is_loopback, same_origin


@pytest.mark.parametrize(
    ("host", "here", "elsewhere"),
    [
        ("127.0.0.1:8420", True, True),
        ("localhost:9000", True, True),
        ("[::1]:8420", True, True),
        ("10.0.0.7:8420", False, True),
        ("desk:8420", False, True),
        ("evil.example:8420", False, False),
        ("127.0.0.1.evil.example", False, False),
        ("localhost.evil.example", False, False),
        ("", False, False),
        ("[::1", False, False),
    ],
)
def test_it_answers_to_addresses_and_its_own_names_alone(
    host: str, here: bool, elsewhere: bool
) -> None:
    """A name that somebody else can point at this machine is refused."""
    assert Names(loopback=True, own=("desk",)).allow(host) is here
    assert Names(loopback=False, own=("desk",)).allow(host) is elsewhere


def test_a_session_is_opened_by_the_token_and_ends() -> None:
    """The wrong token opens none, the right one does, for twelve hours."""
    now_s = 0.0
    sessions = Sessions("right" * 4, lambda: now_s)
    assert sessions.open("wrong") is None
    assert sessions.open("") is None
    session = sessions.open("right" * 4)
    assert session is not None
    assert sessions.known(session)
    now_s = SESSION_S + 1
    assert not sessions.known(session)


def test_a_form_token_belongs_to_its_session() -> None:
    """That of another session, and that of a session that was left, are none."""
    sessions = Sessions("right" * 4, lambda: 0.0)
    one, other = sessions.open("right" * 4), sessions.open("right" * 4)
    assert one is not None
    assert other is not None
    token = sessions.form_token(one)
    assert sessions.is_form_token(one, token)
    assert not sessions.is_form_token(other, token)
    assert not sessions.is_form_token("", sessions.form_token(""))
    sessions.close(one)
    assert not sessions.is_form_token(one, token)


def test_a_form_from_elsewhere_is_known_by_its_headers() -> None:
    """Another origin, another site and a hidden origin are not ours."""
    assert same_origin("http://127.0.0.1:1", "same-origin", "127.0.0.1:1")
    assert same_origin("", "", "127.0.0.1:1")
    assert not same_origin("http://evil.example", "", "127.0.0.1:1")
    assert not same_origin("null", "", "127.0.0.1:1")
    assert not same_origin("", "cross-site", "127.0.0.1:1")


@pytest.mark.parametrize("path", ["//evil.example", "/\\evil.example", "http://x", "", "/a\n"])
def test_after_the_token_one_stays_here(path: str) -> None:
    """No path given to the form leads to another site."""
    assert not _is_path(path)
    assert _is_path("/runs/1?x=2")


def test_loopback_is_told_from_the_rest() -> None:
    """Any but an address of this machine alone needs a token."""
    assert all(map(is_loopback, ("127.0.0.1", "127.9.9.9", "::1", "localhost")))
    assert not any(map(is_loopback, ("0.0.0.0", "::", "10.0.0.1", "desk", "")))
