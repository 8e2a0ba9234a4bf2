"""`notify` of a playbook: read, and checked with the places of mistakes."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import get_args

from fleetctl.base.marked import Document
from fleetctl.base.names import did_you_mean
from fleetctl.playbook.channels import TIMEOUT_S, Channel, Mail, Webhook
from fleetctl.playbook.model import Mistakes
from fleetctl.playbook.operations import SecretSource, SecretUse
from fleetctl.playbook.source import MailText, Moment, NotifyText, SecretText
from fleetctl.playbook.units import Seconds

Path = tuple[str | int, ...]
_ADDRESS = re.compile(r"[^@\s,;<>]+@[^@\s,;<>]+")
_SERVER = re.compile(r"([A-Za-z0-9.-]+|\[[0-9a-fA-F:]+\])(?::([0-9]{1,5}))?")
_PORTS = {"starttls": 587, "tls": 465, "none": 25}


def read_channels(
    document: Document,
    texts: Sequence[NotifyText],
    declared: Mapping[str, SecretText],
    known: Mapping[str, SecretSource],
    mistakes: Mistakes,
) -> tuple[Channel, ...]:
    """The channels; notes every mistake with its place. `known`: the declared secrets' sources."""
    channels = []
    for index, text in enumerate(texts):
        before = len(mistakes.errors)
        _check(document, index, text, declared, mistakes)
        if len(mistakes.errors) == before:
            channels.append(_channel(index, text, known))
    return tuple(channels)


def _check(
    document: Document, index: int, text: NotifyText, declared: Mapping[str, SecretText],
    mistakes: Mistakes,
) -> None:  # fmt: skip
    path = ("notify", index)
    if bool(text.webhook) == (text.mail is not None):
        what = "both webhook and mail" if text.webhook else "neither webhook nor mail"
        mistakes.add(f"a notification goes by {what}", document.location(path),
                     hint="say one of them; two entries make two ways")  # fmt: skip
        return
    if not text.on:
        mistakes.add("it is told of nothing", document.location((*path, "on")),
                     hint=f"on: [{', '.join(get_args(Moment))}]")  # fmt: skip
    if text.webhook:
        _check_secret(document, (*path, "webhook"), text.webhook, declared, mistakes)
        return
    assert text.mail is not None
    _check_mail(document, (*path, "mail"), text.mail, mistakes)
    if text.mail.password:
        place = (*path, "mail", "password")
        _check_secret(document, place, text.mail.password, declared, mistakes)


def _check_mail(document: Document, path: Path, mail: MailText, mistakes: Mistakes) -> None:
    if bool(mail.user) != bool(mail.password):
        mistakes.add("user and password go together", document.location(path))
    if mail.password and mail.security == "none":
        place = document.location((*path, "security"))
        hint = "security: starttls, or tls"
        mistakes.add("a password would go over the network in clear", place, hint=hint)
    if not mail.to:
        mistakes.add("mail to nobody", document.location((*path, "to")))
    places: list[tuple[str, Path]] = [(each, ("to", at)) for at, each in enumerate(mail.to)]
    for address, inside in [*places, (mail.sender, ("from",))]:
        if not _ADDRESS.fullmatch(address):
            mistakes.add(f'"{address}" is no mail address', document.location((*path, *inside)))
    if not _SERVER.fullmatch(mail.server):
        place = document.location((*path, "server"))
        mistakes.add(f'"{mail.server}" is no server', place, hint="HOST or HOST:PORT")


def _check_secret(
    document: Document, path: tuple[str | int, ...], name: str,
    declared: Mapping[str, SecretText], mistakes: Mistakes,
) -> None:  # fmt: skip
    if name in declared:
        return
    hint = did_you_mean(name, declared) if declared else "declare it under `secrets:` at the top"
    if "://" in name:
        hint = "an address like this is a secret: declare one under `secrets:`, name it here"
        name = name.partition("://")[0] + "://..."
    mistakes.add(f'no secret is named "{name}"', document.location(path), hint=hint)


def _channel(index: int, text: NotifyText, known: Mapping[str, SecretSource]) -> Channel:
    def use(name: str) -> SecretUse:
        return SecretUse(name, known[name])

    way: Webhook | Mail
    if text.webhook:
        way, name = Webhook(use(text.webhook)), text.webhook
    else:
        assert text.mail is not None
        mail = text.mail
        found = _SERVER.fullmatch(mail.server)
        assert found is not None
        port = int(found[2]) if found[2] else _PORTS[mail.security]
        password = use(mail.password) if mail.password else None
        way = Mail(mail.to, mail.sender, found[1].strip("[]"), port, mail.security, mail.user,
                   password)  # fmt: skip
        name = "mail"
    timeout_s = float(text.timeout) if isinstance(text.timeout, Seconds) else TIMEOUT_S
    return Channel(text.name or f"{name} {index + 1}" * bool(index) or name, text.on, way,
                   timeout_s)  # fmt: skip
