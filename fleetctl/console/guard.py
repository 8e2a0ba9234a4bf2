"""Who may ask the console: the name it is asked by, the session, the form's token, the headers."""

from __future__ import annotations

import base64
import hashlib
import hmac
import ipaddress
import secrets
from collections.abc import Callable, Collection
from typing import NamedTuple
from urllib.parse import urlsplit

SESSION_S = 12 * 3600.0
SESSIONS_MAX = 100
TOKEN_BYTES = 24
CONTENT_POLICY = (
    "default-src 'none'; script-src 'self'; worker-src 'self'; style-src {style}; img-src {image};"
    " connect-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
)
HEADERS = {
    "x-content-type-options": "nosniff",
    "x-frame-options": "DENY",
    "referrer-policy": "same-origin",
    "cross-origin-opener-policy": "same-origin",
    "cross-origin-resource-policy": "same-origin",
    "permissions-policy": "camera=(), geolocation=(), microphone=()",
    "cache-control": "no-store",
}


def content_policy(style: str = "'self'", image: str = "'self'") -> str:
    """What a page may load: nothing but files of this very origin."""
    return CONTENT_POLICY.format(style=style, image=image)


def style_of(page: str) -> str:
    """The source that allows the one inline style of a self-contained page."""
    inside = page.partition("<style>")[2].partition("</style>")[0]
    digest = hashlib.sha256(inside.encode()).digest()
    return f"'sha256-{base64.b64encode(digest).decode()}'"


def is_loopback(address: str) -> bool:
    """Whether only this machine can connect to the address."""
    try:
        return ipaddress.ip_address(address).is_loopback
    except ValueError:
        return address == "localhost"


class Names(NamedTuple):
    """The names the console answers to; a page that rebinds its own name is none of them."""

    loopback: bool
    """Whether it listens on this machine alone."""
    own: Collection[str] = ()
    """Names of this machine."""

    def allow(self, host_header: str) -> bool:
        """Addresses are nobody's to rebind; names must be ours. The port may be a tunnel's."""
        try:
            host = urlsplit(f"//{host_header}").hostname or ""
        except ValueError:
            return False
        try:
            address = ipaddress.ip_address(host)
        except ValueError:
            return host == "localhost" or (not self.loopback and host in self.own)
        return address.is_loopback or not self.loopback


def same_origin(origin: str, fetch_site: str, host_header: str) -> bool:
    """Whether a form was sent by a page of ours, as far as the browser says so."""
    if fetch_site and fetch_site not in ("same-origin", "none"):
        return False
    return not origin or urlsplit(origin).netloc == host_header


class Sessions:
    """Browsers that have shown the token. Times are in seconds of `now`."""

    def __init__(self, token: str, now: Callable[[], float]) -> None:
        self._token = token
        self._now = now
        self._ends: dict[str, float] = {}
        self._secret = secrets.token_bytes(32)

    def open(self, token: str) -> str | None:
        """A session for who has the token; None for who does not."""
        if not hmac.compare_digest(token.encode(), self._token.encode()):
            return None
        self._ends = {id_: end for id_, end in self._ends.items() if end > self._now()}
        while len(self._ends) >= SESSIONS_MAX:
            del self._ends[min(self._ends, key=self._ends.__getitem__)]
        session = secrets.token_urlsafe(TOKEN_BYTES)
        self._ends[session] = self._now() + SESSION_S
        return session

    def known(self, session: str) -> bool:
        """Whether that session is open."""
        return self._ends.get(session, 0.0) > self._now()

    def close(self, session: str) -> None:
        """Idempotent."""
        self._ends.pop(session, None)

    def form_token(self, session: str) -> str:
        """What each form of the session carries; a page elsewhere cannot know it."""
        return hmac.new(self._secret, session.encode(), "sha256").hexdigest()

    def is_form_token(self, session: str, given: str) -> bool:
        """Whether a form of the session carried that."""
        return self.known(session) and hmac.compare_digest(
            self.form_token(session).encode(), given.encode()
        )
