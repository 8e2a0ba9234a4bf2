"""Whom a run tells of itself, and by which way."""

from __future__ import annotations

from typing import Literal

import msgspec

from fleetctl.playbook.operations import SecretUse
from fleetctl.playbook.source import Moment

TIMEOUT_S = 10.0


class Webhook(msgspec.Struct, frozen=True, tag="webhook"):
    """JSON posted to an address that is a secret; chat services call it an incoming webhook."""

    url: SecretUse


class Mail(msgspec.Struct, frozen=True, tag="mail"):
    """Mail by way of a server."""

    to: tuple[str, ...]
    sender: str
    server: str
    port: int
    security: Literal["starttls", "tls", "none"] = "starttls"
    user: str = ""
    password: SecretUse | None = None


class Channel(msgspec.Struct, frozen=True):
    """One way to tell somebody."""

    name: str
    moments: tuple[Moment, ...]
    way: Webhook | Mail
    timeout_s: float = TIMEOUT_S
    """Of one try."""

    @property
    def secrets(self) -> tuple[SecretUse, ...]:
        """What it cannot do without."""
        if isinstance(self.way, Webhook):
            return (self.way.url,)
        return (self.way.password,) if self.way.password is not None else ()
