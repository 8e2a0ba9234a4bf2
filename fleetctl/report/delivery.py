"""Getting one message to one channel: a webhook over HTTP, or mail over SMTP.

Every error is a DeliveryFailed without an address or a password in it.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from urllib.parse import urlsplit

from fleetctl.base.redaction import Redactor
from fleetctl.playbook.channels import Channel, Mail, Webhook

Secret = Callable[[str], bytes]
"""The value of a secret by its name; raises KeyError when there is none."""
ANSWER_BYTES_MAX = 4096
_LATER = (408, 425, 429)
"""Answers that say to try it later."""
BLOCK_MAX = 2900
"""Characters a text block may have; chat services refuse more than 3000."""


class DeliveryFailed(Exception):
    """Why a message did not arrive; `again`: another try may do better."""

    def __init__(self, why: str, *, again: bool = True) -> None:
        super().__init__(why)
        self.again = again


def deliver(channel: Channel, text: str, secret: Secret) -> None:
    """Hand the message over; raises DeliveryFailed."""
    try:
        values = {use.name: secret(use.name) for use in channel.secrets}
    except KeyError as error:
        raise DeliveryFailed(f"its secret {error.args[0]} has no value", again=False) from None
    try:
        if isinstance(channel.way, Webhook):
            _post(values[channel.way.url.name].decode().strip(), text, channel.timeout_s)
        else:
            password = channel.way.password
            _mail(channel.way, text, values[password.name].decode().strip() if password else "",
                  channel.timeout_s)  # fmt: skip
    except DeliveryFailed as failed:
        raise DeliveryFailed(_veiled(str(failed), values), again=failed.again) from None
    except Exception as error:  # noqa: BLE001 - whatever a library makes of a bad server
        words = f"{type(error).__name__}: {error}" if str(error) else type(error).__name__
        raise DeliveryFailed(_veiled(words, values)) from None


def _veiled(text: str, values: dict[str, bytes]) -> str:
    parts = [value.strip() for value in values.values()]
    for value in list(parts):  # of an address, its path is the secret part
        path = urlsplit(value.decode("utf-8", "replace")).path.strip("/")
        parts += [path.encode()] if len(path) >= 8 else []
    return Redactor(parts).text(text)


def payload(text: str) -> bytes:
    """The JSON chat services take: the whole as `text`, and laid out as blocks."""
    first, _, rest = text.partition("\n")
    blocks = [_section(f"*{_escaped(first)[: BLOCK_MAX - 2]}*")]
    if rest:
        blocks.append(_section(f"```{_escaped(rest)[: BLOCK_MAX - 6]}```"))
    return json.dumps({"text": _escaped(text), "blocks": blocks}).encode()


def _section(text: str) -> dict[str, object]:
    return {"type": "section", "text": {"type": "mrkdwn", "text": text}}


def _escaped(text: str) -> str:
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")


def _post(url: str, text: str, timeout_s: float) -> None:
    from urllib.error import HTTPError, URLError
    from urllib.request import Request, urlopen

    if urlsplit(url).scheme not in ("http", "https") or not urlsplit(url).hostname:
        raise DeliveryFailed("its secret is no http or https address", again=False)
    request = Request(  # noqa: S310 - the scheme was looked at
        url, data=payload(text), method="POST",
        headers={"Content-Type": "application/json", "User-Agent": "fleetctl"},
    )  # fmt: skip
    try:
        with urlopen(request, timeout=timeout_s) as answer:  # noqa: S310
            answer.read(ANSWER_BYTES_MAX)
    except HTTPError as error:
        said = error.read(200).decode("utf-8", "replace").strip().partition("\n")[0]
        why = f"HTTP {error.code}" + (f": {said}" if said else "")
        raise DeliveryFailed(why, again=error.code >= 500 or error.code in _LATER) from None
    except URLError as error:
        raise DeliveryFailed(str(error.reason)) from None


def _mail(mail: Mail, text: str, password: str, timeout_s: float) -> None:
    import smtplib
    import ssl
    from email.message import EmailMessage

    message = EmailMessage()
    message["Subject"] = text.partition("\n")[0]
    message["From"] = mail.sender
    message["To"] = ", ".join(mail.to)
    message.set_content(text + "\n")
    where = mail.server, mail.port
    trust = ssl.create_default_context()
    if mail.security == "tls":
        server: smtplib.SMTP = smtplib.SMTP_SSL(*where, timeout=timeout_s, context=trust)
    else:
        server = smtplib.SMTP(*where, timeout=timeout_s)
    with server:
        if mail.security == "starttls":
            server.starttls(context=trust)
        if mail.user:
            server.login(mail.user, password)
        refused = server.send_message(message)
    if refused:
        raise DeliveryFailed(f"refused for {', '.join(refused)}")
