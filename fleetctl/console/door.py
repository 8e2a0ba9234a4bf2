"""What every request passes before a page sees it, and what every answer carries."""

from __future__ import annotations

from http.cookies import CookieError, SimpleCookie
from urllib.parse import parse_qs, quote

from starlette.datastructures import Headers, MutableHeaders
from starlette.requests import ClientDisconnect, Request
from starlette.responses import PlainTextResponse, RedirectResponse, Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from fleetctl.base.errors import Refused
from fleetctl.console.guard import HEADERS, Names, Sessions, content_policy, same_origin

FORM_BYTES_MAX = 16_384
FIELDS_MAX = 20
OPEN_PATHS = ("/login", "/assets/")
"""What is served before the token was shown."""


class Door:
    """ASGI program around the pages."""

    def __init__(self, app: ASGIApp, names: Names, sessions: Sessions | None, cookie: str) -> None:
        """`sessions`: None when no token is asked for."""
        self._app = app
        self._names = names
        self._sessions = sessions
        self._cookie = cookie

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Refuse, lead to the form for the token, or let in."""
        if scope["type"] != "http":
            return
        headers = Headers(scope=scope)
        answer: Response | None = self._refused(scope, headers)
        session = self._session(headers)
        scope["state"] = {"session": session}
        if answer is None and self._sessions is not None and not session:
            answer = _shut(scope)
        await (answer or self._app)(scope, receive, _dressed(send))

    def _refused(self, scope: Scope, headers: Headers) -> PlainTextResponse | None:
        host = headers.get("host", "")
        if len(headers.getlist("host")) != 1 or not self._names.allow(host):
            return PlainTextResponse("The console does not answer to this name.\n", 421)
        if scope["method"] not in ("GET", "HEAD", "POST"):
            return PlainTextResponse("GET and POST are all there is.\n", 405)
        from_us = same_origin(
            headers.get("origin", ""), headers.get("sec-fetch-site", ""), host
        )  # fmt: skip
        if scope["method"] == "POST" and not from_us:
            return PlainTextResponse("The form came from another page.\n", 403)
        return None

    def _session(self, headers: Headers) -> str:
        """The session of the request, if it is open; else empty."""
        if self._sessions is None:
            return ""
        try:
            found = SimpleCookie(headers.get("cookie", "")).get(self._cookie)
        except CookieError:
            return ""
        return found.value if found is not None and self._sessions.known(found.value) else ""


def _shut(scope: Scope) -> RedirectResponse | PlainTextResponse | None:
    path = str(scope["path"])
    if path == OPEN_PATHS[0] or path.startswith(OPEN_PATHS[1]):
        return None
    if scope["method"] == "POST" or path == "/live":
        return PlainTextResponse("Show the token first.\n", 401)
    query = scope["query_string"].decode("latin-1")
    return RedirectResponse("/login?next=" + quote(f"{path}?{query}" if query else path), 303)


def _dressed(send: Send) -> Send:
    """Every answer with the headers that keep browsers strict; a page's own ones win."""

    async def sent(message: Message) -> None:
        if message["type"] == "http.response.start":
            headers = MutableHeaders(scope=message)
            for name, value in HEADERS.items():
                headers.setdefault(name, value)
            headers.setdefault("content-security-policy", content_policy())
        await send(message)

    return sent


async def form_of(request: Request) -> dict[str, str]:
    """The fields of a form; raises Refused for one that is none of ours."""
    body = b""
    try:
        async for part in request.stream():
            body += part
            if len(body) > FORM_BYTES_MAX:
                raise Refused("the form is too large")
    except ClientDisconnect:
        raise Refused("the form did not come whole") from None
    if request.headers.get("content-type", "").partition(";")[0] != (
        "application/x-www-form-urlencoded"
    ):
        raise Refused("that is no form")
    try:
        found = parse_qs(
            body.decode(), keep_blank_values=True, strict_parsing=bool(body),
            max_num_fields=FIELDS_MAX,
        )  # fmt: skip
    except ValueError:
        raise Refused("that is no form") from None
    return {name: values[-1] for name, values in found.items()}
