"""Pages as text: Jinja templates, everything escaped."""

from __future__ import annotations

import time
from functools import cache
from importlib.resources import files
from typing import Any

import jinja2
from markupsafe import Markup

from fleetctl.base.durations import format_duration
from fleetctl.base.hostrange import fold
from fleetctl.base.plaintext import hosts_word, printable
from fleetctl.pools.words import Tone
from fleetctl.report.page import clock_text, wall_text

ASSETS = {
    "console.css": "text/css; charset=utf-8",
    "live.js": "text/javascript; charset=utf-8",
    "worker.js": "text/javascript; charset=utf-8",
    "icon.svg": "image/svg+xml",
}


def render(template: str, **values: Any) -> str:
    """The page of that template."""
    return _environment().get_template(template).render(now_s=time.time(), **values)


@cache
def asset(name: str) -> bytes:
    """A file of our own that pages load; the style begins with that of the report."""
    own = (files("fleetctl.console") / "assets" / name).read_bytes()
    if name != "console.css":
        return own
    return (files("fleetctl.report") / "templates" / "report.css").read_bytes() + own + _tones()


def _tones() -> bytes:
    """The colours of pool states, which are those of the terminal's views."""
    lines = [f".tone-{tone.name.lower()} {{ --tone: {tone.value}; }}" for tone in Tone]
    return "\n".join(lines).encode()


@cache
def _environment() -> jinja2.Environment:
    environment = jinja2.Environment(
        loader=jinja2.PackageLoader("fleetctl.console"), autoescape=True,
        undefined=jinja2.StrictUndefined, trim_blocks=True, lstrip_blocks=True, finalize=_shown,
    )  # fmt: skip
    environment.filters.update(
        wall=wall_text, clock=clock_text, duration=format_duration, hosts=hosts_word
    )
    environment.globals["fold"] = fold
    return environment


def _shown(value: Any) -> Any:
    """Text of others cannot turn the direction of writing, or hide."""
    if isinstance(value, str) and not isinstance(value, Markup):
        return printable(value)
    return value
