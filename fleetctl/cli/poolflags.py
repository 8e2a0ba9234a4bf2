"""Flags that commands on pools share: why, and until when."""

from __future__ import annotations

import time
from typing import Any, TypeVar

import click

from fleetctl.base.errors import UsageError

Command = TypeVar("Command", bound=Any)


def why_option(command: Command) -> Command:
    """`--why TEXT`, passed as `why`; empty when nothing was said."""
    text = "Shown in status and in `runs`."
    return click.option("--why", "--reason", "why", metavar="TEXT", default="", help=text)(command)


def said_why(why: str) -> str:
    """The reason; raises UsageError when there is none."""
    if not why.strip():
        raise UsageError("say why: whoever comes next will ask", where="--why")
    return why


def end_options(command: Command) -> Command:
    """`--for` and `--until`, passed as `for_text` and `until`."""
    text = "It ends then, as 18:00, 'tomorrow 06:00', 'mon 06:00' or 2h."
    command = click.option("--until", metavar="TIME", help=text)(command)
    return click.option("--for", "for_text", metavar="TIME", help="It ends after, as 30m.")(command)


def end_of(for_text: str | None, until: str | None) -> dict[str, float]:
    """For an overseer: seconds from now, and the Unix time where one was said; empty: no end.

    Seconds alone would be counted from when the last host is asked, which may be much later.
    """
    from fleetctl.base.durations import parse_duration_s
    from fleetctl.cli.moments import read_moment

    if for_text and until:
        raise UsageError("say --for or --until, not both", where="--until")
    flag, text = ("--for", for_text) if for_text else ("--until", until)
    if not text:
        return {}
    now_s = time.time()
    try:
        seconds = parse_duration_s(text)
    except ValueError as error:
        if not until:
            raise UsageError(str(error), where=flag) from None
        at_s = read_moment(until, now_s, flag=flag).at_s
        return {"for_s": round(at_s - now_s), "until_s": round(at_s)}
    if not seconds:
        raise UsageError("0 s is no time", where=flag, hint="leave it out for no end")
    return {"for_s": seconds}
