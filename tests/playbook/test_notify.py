"""`notify` of a playbook: what it says, and where its mistakes are."""

from __future__ import annotations

import pytest

from fleetctl.base.errors import InputError, InputErrors
from fleetctl.playbook.channels import Channel, Mail, Webhook
from fleetctl.playbook.load import read_playbook

HEAD = """\
title: t
secrets:
  chat: { env: CHAT }
  mail: { file: mail.txt }
notify:
"""
TAIL = """
phases:
  - name: all
    hosts: all
    steps: [{ run: "true" }]
"""


def channels(text: str) -> tuple[Channel, ...]:
    """What the entries say."""
    return read_playbook(HEAD + text + TAIL, "book.yaml", "/books").channels


def test_a_webhook_is_the_name_of_a_secret() -> None:
    """Whatever is left out: questions, stops and the end, ten seconds a try."""
    (chat,) = channels("  - webhook: chat")
    assert isinstance(chat.way, Webhook)
    assert (chat.name, chat.moments, chat.timeout_s) == (
        "chat", ("question", "stop", "finish"), 10.0)  # fmt: skip
    assert chat.way.url.source.words == ("CHAT",)


def test_mail_knows_the_port_of_its_security() -> None:
    """587 with STARTTLS, 465 with TLS, 25 in clear, or what is written."""
    ports = []
    for more in ("", ", security: tls", ", security: none", ", server: 'mx.example.com:2525'"):
        server = "" if "server" in more else ", server: mx.example.com"
        text = f"  - mail: {{ to: [a@example.com], from: b@example.com{server}{more} }}"
        (mail,) = channels(text)
        assert isinstance(mail.way, Mail)
        ports.append((mail.way.server, mail.way.port))
    assert ports == [("mx.example.com", port) for port in (587, 465, 25, 2525)]


@pytest.mark.parametrize(
    ("text", "place", "words"),
    [
        ("  - webhook: chta", (6, 14), 'no secret is named "chta"'),
        ("  - webhook: https://chat.example.com/T0/s3cr3t", (6, 14), "https://..."),
        ("  - on: [stop]", (6, 5), "neither webhook nor mail"),
        ("  - webhook: chat\n    on: [stopp]", (7, 10), "stopp"),
        ("  - webhook: chat\n    on: []", (7, 9), "told of nothing"),
        ("  - mail: { to: [ann], from: b@example.com, server: mx }", (6, 18), '"ann" is no mail'),
        ("  - mail: { to: [], from: b@example.com, server: mx }", (6, 17), "mail to nobody"),
        ("  - mail: { to: [a@b.c], from: b@c.d, server: 'mx:x' }", (6, 47), "is no server"),
        ("  - mail: { to: [a@b.c], from: b@c.d, server: mx, user: u }", (6, 11), "go together"),
        ("  - mail: { to: [a@b.c], from: b@c.d, server: mx, user: u, password: mail,"
         " security: none }", (6, 86), "in clear"),
    ],
)  # fmt: skip
def test_a_mistake_has_its_place(text: str, place: tuple[int, int], words: str) -> None:
    """Line, column, and never the secret that was written where its name belongs."""
    with pytest.raises((InputError, InputErrors)) as caught:
        channels(text)
    error = caught.value
    one = error.errors[0] if isinstance(error, InputErrors) else error
    assert isinstance(one, InputError)
    assert (one.location.line, one.location.column) == place
    assert words in f"{one.what} {one.hint}"
    assert "s3cr3t" not in f"{one.what} {one.hint} {one.why}"
