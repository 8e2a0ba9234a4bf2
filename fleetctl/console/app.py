"""The console as a web program: which page is where."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Mapping
from functools import cache
from typing import Any

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import HTMLResponse, RedirectResponse, Response
from starlette.routing import Route
from starlette.types import ASGIApp

from fleetctl.base.errors import EXIT_CODE_WORDS, FleetError, Refused, UsageError
from fleetctl.base.hostrange import fold
from fleetctl.base.plaintext import hosts_word
from fleetctl.console import pages
from fleetctl.console.actions import Proposal, propose
from fleetctl.console.bell import Bell, Stream
from fleetctl.console.door import Door, form_of
from fleetctl.console.fleetmap import GLYPHS, Known, counts, fleet_map
from fleetctl.console.guard import SESSION_S, Names, Sessions, content_policy, style_of
from fleetctl.console.poolspage import pools_values
from fleetctl.console.running import RunPicture, picture
from fleetctl.console.sources import Sources

RUNS = 50
RUNS_MAX = 2000
WRONG_TOKEN_S = 0.5
"""How long who shows a wrong token is kept."""


class Console:
    """All pages over one set of sources."""

    def __init__(
        self, sources: Sources, names: Names, bell: Bell, *,
        sessions: Sessions | None = None, cookie: str = "console",
    ) -> None:  # fmt: skip
        """`sessions`: None: no token is asked for, and nothing can be changed."""
        assert sources.launcher is None or sessions is not None
        self.bell = bell
        self._sources = sources
        self._names = names
        self._sessions = sessions
        self._launcher = sources.launcher
        self._cookie = cookie

    def program(self) -> ASGIApp:
        """What a server serves."""
        routes = [
            Route("/", self._fleet),
            Route("/runs", self._runs),
            Route("/runs/{run}", self._run),
            Route("/runs/{run}/report", self._report),
            Route("/pools", self._pools),
            Route("/live", Stream(self.bell)),
            Route("/assets/{name}", _asset),
            Route("/login", self._login, methods=["GET", "POST"]),
            Route("/logout", self._leave, methods=["POST"]),
            Route("/act/{do}", self._act, methods=["GET", "POST"]),
        ]
        troubles: Mapping[Any, Any] = {FleetError: self._trouble, HTTPException: self._missing}
        app = Starlette(routes=routes, exception_handlers=troubles)
        return Door(app, self._names, self._sessions, self._cookie)

    # ---- pages

    def _fleet(self, request: Request) -> Response:
        sources, now_s = self._sources, time.time()
        shelf, fleet = sources.shelf, sources.fleet
        running = [self._picture(run, now_s) for run in shelf.live_runs()]
        at_work = frozenset(row.host for run in running for row in run.busy)
        pins, trouble = sources.pins()
        known = Known(shelf.live(fleet.name), shelf.doubtful(fleet.name), at_work)
        rows = fleet_map(fleet, known, pins, now_s)
        return self._page(
            request, "fleet.html.j2", running=running, tiers=rows, counts=counts(rows),
            size=len(fleet.hosts), glyphs=GLYPHS, pins_trouble=trouble,
        )  # fmt: skip

    def _runs(self, request: Request) -> Response:
        most = _number(request.query_params.get("most", ""), RUNS, RUNS_MAX)
        lines = self._sources.shelf.runs(most + 1)
        return self._page(
            request, "runs.html.j2", runs=lines[:most], codes=EXIT_CODE_WORDS,
            older=min(RUNS_MAX, most * 4) if len(lines) > most else 0,
            started=self._launcher.started() if self._launcher is not None else [],
        )  # fmt: skip

    def _pools(self, request: Request) -> Response:
        sources = self._sources
        live = cache(lambda: frozenset(sources.shelf.live_runs()))

        def standing(run: str) -> str:
            return "live" if run in live() else "over" if sources.shelf.has(run) else ""

        values = pools_values(
            sources.desk, sources.fleet, request.query_params, time.time(), standing
        )  # fmt: skip
        may_act = self._launcher is not None
        return self._page(request, "pools.html.j2", may_act=may_act, **values)

    def _run(self, request: Request) -> Response:
        run = self._known(request)
        return self._page(
            request, "onerun.html.j2", run=self._picture(run, time.time()),
            may_act=self._launcher is not None,
        )  # fmt: skip

    def _report(self, request: Request) -> Response:
        page = self._sources.shelf.report(self._known(request))
        headers = {"content-security-policy": content_policy(style_of(page), "data:")}
        return HTMLResponse(page, headers=headers)

    def _picture(self, run: str, now_s: float) -> RunPicture:
        return picture(*self._sources.shelf.follow(run), now_s)

    def _known(self, request: Request) -> str:
        run = str(request.path_params["run"])
        if not self._sources.shelf.has(run):
            raise HTTPException(404)
        return run

    # ---- the token

    async def _login(self, request: Request) -> Response:
        if self._sessions is None:
            return RedirectResponse("/", 303)
        if request.method == "GET":
            next_ = request.query_params.get("next", "/")
            return self._page(request, "login.html.j2", pages=False, wrong=False, next=next_)
        fields = await form_of(request)
        session = self._sessions.open(fields.get("token", ""))
        next_ = fields.get("next", "/")
        if session is None:
            await asyncio.sleep(WRONG_TOKEN_S)
            return self._page(
                request, "login.html.j2", 403, pages=False, wrong=True, next=next_
            )  # fmt: skip
        answer = RedirectResponse(next_ if _is_path(next_) else "/", 303)
        answer.set_cookie(
            self._cookie, session, max_age=int(SESSION_S), httponly=True, samesite="strict"
        )
        return answer

    async def _leave(self, request: Request) -> Response:
        self._see_form(request, await form_of(request))
        assert self._sessions is not None
        self._sessions.close(request.state.session)
        answer = RedirectResponse("/login", 303)
        answer.delete_cookie(self._cookie, httponly=True, samesite="strict")
        return answer

    def _see_form(self, request: Request, fields: Mapping[str, str]) -> None:
        sessions, session = self._sessions, request.state.session
        if sessions is None or not sessions.is_form_token(session, fields.get("form", "")):
            raise Refused("the form is not of this session", hint="open the page once more")

    # ---- what changes something

    async def _act(self, request: Request) -> Response:
        if self._launcher is None:
            raise HTTPException(404)
        do = str(request.path_params["do"])
        fields = dict(request.query_params)
        if request.method == "POST":
            fields = await form_of(request)
            self._see_form(request, fields)
        sources, asks = self._sources, request.method == "GET"
        having = sources.desk.having if asks else sources.desk.having_now
        proposal = await asyncio.to_thread(
            propose, do, fields, sources.fleet, sources.shelf, having
        )  # fmt: skip
        if asks:
            return self._confirm(request, proposal, "")
        typed, size = fields.get("number", "").strip(), len(proposal.hosts)
        if typed != str(size):
            wrong = f'"{typed}" was typed, and it is about {hosts_word(size)} now'
            return self._confirm(request, proposal, wrong)
        await asyncio.to_thread(self._launcher.start, proposal, time.time())
        return RedirectResponse("/runs", 303)

    def _confirm(self, request: Request, proposal: Proposal, wrong: str) -> Response:
        shown = proposal._asdict() | {"words": proposal.told, "size": len(proposal.hosts)}
        unknown = self._sources.desk.silent(proposal.hosts) if proposal.do != "drain" else ()
        shown |= {"hosts": fold(proposal.hosts), "unknown": fold(unknown), "lost": len(unknown)}
        return self._page(request, "confirm.html.j2", 400 if wrong else 200, wrong=wrong, **shown)

    # ---- inside

    def _page(
        self, request: Request, template: str, status: int = 200, *, pages: bool = True,
        **values: Any,
    ) -> Response:  # fmt: skip
        session = getattr(request.state, "session", "")
        form = self._sessions.form_token(session) if self._sessions and session else ""
        text = _render(
            template, fleet=self._sources.fleet.name, here=request.url.path, pages=pages,
            session=session, form=form, **values,
        )  # fmt: skip
        return HTMLResponse(text, status)

    def _trouble(self, request: Request, error: Exception) -> Response:
        assert isinstance(error, FleetError)
        status = 400 if isinstance(error, (UsageError, Refused)) else 503
        return self._page(
            request, "trouble.html.j2", status, what=error.what, why=error.why, hint=error.hint
        )

    def _missing(self, request: Request, error: Exception) -> Response:
        assert isinstance(error, HTTPException)
        known = error.status_code == 404
        what = "There is no such page" if known else f"Refused ({error.status_code})"
        return self._page(
            request, "trouble.html.j2", error.status_code, what=what, why="", hint=""
        )  # fmt: skip


def _render(template: str, **values: Any) -> str:
    return pages.render(template, **values)


def _asset(request: Request) -> Response:
    name = str(request.path_params["name"])
    if name not in pages.ASSETS:
        raise HTTPException(404)
    return Response(pages.asset(name), media_type=pages.ASSETS[name])


def _number(text: str, default: int, most: int) -> int:
    return max(1, min(most, int(text))) if text.isascii() and text.isdigit() else default


def _is_path(text: str) -> bool:
    """Whether it leads to a page of ours; `//elsewhere` and `/\\elsewhere` do not."""
    return text.startswith("/") and not text.startswith(("//", "/\\")) and text.isprintable()
